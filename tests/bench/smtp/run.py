#!/usr/bin/python3
"""How fast mail leaves the store: P8 of docs/PERFORMANCE.md.

    tests/bench/smtp/run.py [--build build/release] [--repeat N] [--mails N] [--size BYTES] [--json FILE]

The agent has the messages in its store, with the agreement switched off; the time goes from the switch to the last 250 of the
mail server, connecting with STARTTLS, guard and settling included. The server is in C on this machine (server.c) and keeps
nothing. Beside it stands what Postfix's relay reached on such a machine, out of its queue to a server of that kind: 700 mails
a second, recorded and not taken in the same run, since Postfix wants root, users and a queue of its own. Whoever loses or
doubles a mail has no figures.
"""
import contextlib
import functools
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
for folder in ("sdk/rehearsal", "tests/bench"):
    sys.path.insert(0, str(ROOT / folder))

import load  # noqa: E402
import measure  # noqa: E402
from authority import Authority  # noqa: E402
from rehearsal import Agent, end, wait_for  # noqa: E402

FLOOR, TARGET, POSTFIX = 3, 5, 700
AGREEMENT = {"title": "Interconnection Security Agreement", "partner": "CBP", "acknowledged": "2026-01-01",
             "valid-for": "30 years", "store-limit": "0"}


class Server:
    def __init__(self, build, folder):
        authority = Authority()
        authority.server().write(folder, "server")
        self.trust = authority.trust
        self.process = subprocess.Popen([build / "tests/smtp-bench-server", folder / "server.pem", folder / "server.key"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def counts(self):
        """Mails, different ones, time of the last."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        words = self.process.stdout.readline().split()
        return int(words[0]), int(words[1]), float(words[2])

    def close(self):
        end(self.process)


class Bench(measure.Bench):
    def write(self, agent, server, enabled):
        agent.write_conf("cbp.conf", load.text_of({
            "agreement": {**AGREEMENT, "enabled": enabled}, "endpoint mail": {"host": "localhost", "port": server.port},
            "link mail": {"connector": "smtp", "endpoint": "mail", "trust": "root.pem",
                          "connections": self.options.connections},
            "service mail": {"type": "opaque", "direction": "send", "link": "mail", "from": "site/out",
                             **self.address},
            "policy encryption": {"sasl-mechanisms": "none"}}))

    def mails(self):
        runs = [self.once(self.options.mails) for _ in range(self.options.repeat)]
        middle = measure.middle(runs, "mails-a-second")
        return {**middle, "mails": self.options.mails, "size": self.options.size,
                "rates": [run["mails-a-second"] for run in runs],
                "ratio": round(middle["mails-a-second"] / POSTFIX, 2)}

    def once(self, count):
        with contextlib.closing(Server(self.options.build, self.installation.folder())) as server:
            agent = Agent(self.installation)
            try:
                self.address = {"mail-from": "agent@carrier.example", "mail-to": "stow@customs.example"}
                agent.settings = {"type opaque": {"max-size": "10 MiB"}}
                agent.write_agent_conf()
                agent.secret("cbp", "root.pem", server.trust)
                agent.write_conf("site.conf", load.text_of({
                    "site": {"name": "Bench", "store-limit": "0"}, "link folders": {"connector": "dir", "path": agent.site},
                    "service out": {"type": "opaque", "direction": "receive", "link": "folders", "folder": "out",
                                    "settle": "100 ms", "rescan": "1 s"}}))
                agent.site_folder("out")
                self.write(agent, server, "no")
                for number in range(count):
                    (agent.site / f"out/{number}.edi").write_bytes(b"%08d" % number + b"x" * (self.options.size - 8))
                agent.start()
                stand = functools.partial(measure.stand, agent)
                queued = functools.partial(measure.queued, agent, "cbp")
                wait_for(lambda: queued("held") == count, lambda: stand("all to be stored"), 600)
                before = {"hub": measure.cpu(agent.process.pid)}
                self.write(agent, server, "yes")
                began = time.time()
                agent.reload()
                wait_for(lambda: server.counts()[0] >= count, lambda: stand(f"all to be sent: {server.counts()}"), 600)
                wait_for(lambda: queued("delivered") == count, lambda: stand("all to be settled"), 60)
                mails, different, last = server.counts()
                assert mails == different == count, f"{mails} mails, {different} different ones of {count}"
                return {"mails-a-second": round(count / (last - began)), "cpu-of": measure.spent(agent, before)}
            finally:
                agent.close()


def show(figures):
    row = figures["mails"]
    verdict = measure.verdict(row["ratio"], FLOOR, TARGET)
    measure.show_machine(figures["machine"])
    print(f"P8   accord {row['mails-a-second']} mails/s of {row['size']} bytes ({row['rates']}); Postfix's relay {POSTFIX}/s, as "
          f"recorded: {row['ratio']} x, floor {FLOOR}, target {TARGET}: {verdict}; CPU {row['cpu-of']}")


def main():
    parser = measure.parser(__doc__, "the store")
    parser.add_argument("--repeat", type=int, default=3, help="the run in the middle counts")
    parser.add_argument("--mails", type=int, default=10000)
    parser.add_argument("--size", type=int, default=4096, help="bytes of payload")
    parser.add_argument("--connections", type=int, default=4)
    options = measure.parsed(parser)
    with contextlib.closing(Bench(options)) as bench:
        figures = {"machine": measure.machine(bench.installation.prefix), "mails": bench.mails()}
    show(figures)
    measure.keep(figures, options)


if __name__ == "__main__":
    main()
