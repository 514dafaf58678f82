#!/usr/bin/python3
"""How fast the mq link is, beside a client that is nothing but qpid-proton, against the same RabbitMQ: P11 of
docs/PERFORMANCE.md.

    tests/bench/mq/run.py [--build build/release] [--only send,receive] [--messages N] [--repeat N] [--json FILE]

Sending: the agent has the messages in its store, with the agreement switched off; the time goes from the switch to the last
one settled, with connecting, guard and the settlement's commit in it. Receiving: they are in the queue; the time goes from
the switch to the last one held in the store, so that the broker may forget it, and delivered to a connector that counts. The
bare client (bare.c) does the same over TLS and SASL PLAIN with the same window, and keeps nothing. Runs take turns, and the
floor is judged by the median of the pairs' ratios. Whoever loses a message has no figures.
"""
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
for folder in ("sdk/rehearsal", "tests/bench"):
    sys.path.insert(0, str(ROOT / folder))

import load  # noqa: E402
import measure  # noqa: E402
from authority import Authority  # noqa: E402
from rabbitmq import RabbitMQ  # noqa: E402
from rehearsal import Agent, give, wait_for  # noqa: E402

FLOOR, TARGET = 0.6, 0.8
SERVERS = ROOT / "build/servers-rabbitmq"
USER, PASSWORD = "acme", "open sesame"


class Lines:
    """Of a file that grows: each is read once, for who measures takes part in what is measured."""

    def __init__(self, path):
        self.path, self.at, self.seen = path, 0, 0

    def count(self):
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self.at)
                more = file.read()
            self.at += len(more)
            self.seen += more.count(b"\n")
        return self.seen


class Bench(measure.Bench):
    def __init__(self, options):
        super().__init__(options)
        self.queues = 0
        authority = Authority()
        self.folder = self.installation.folder()
        (self.folder / "root.pem").write_bytes(authority.trust)
        queues = {f"q{number}": {} for number in range(4 * options.repeat)}
        self.broker = RabbitMQ(SERVERS, self.folder / "rabbitmq", identity=authority.server(), trust=authority.trust,
                               users={USER: PASSWORD}, queues=queues)

    def close(self):
        self.broker.close()
        super().close()

    def queue(self):
        self.queues += 1
        return f"q{self.queues - 1}"

    def rest(self, seconds):
        """Until the broker has done next to nothing for so long. After three its queues sleep in small heaps, and are emptied
        at twice the speed of those that were filled just now."""
        still = 0
        for _ in range(60):
            before = self.used()
            time.sleep(0.5)
            still = still + 0.5 if self.used() - before < 0.05 else 0
            if still >= seconds:
                return

    def used(self):
        """Seconds of CPU of the broker."""
        return sum(measure.cpu(pid) for pid in self.broker.pids())

    def fill(self, queue):
        self.bare("send", queue)
        if self.options.rested:
            self.rest(3)

    def bare(self, what, queue):
        """Seconds."""
        options = self.options
        done = subprocess.run(
            [options.build / "tests/mq-bench-bare", what, str(self.broker.tls_port), f"/amq/queue/{queue}",
             str(options.messages), str(options.size), str(options.window), self.folder / "root.pem", USER, PASSWORD],
            capture_output=True, text=True, check=True)
        return float(done.stdout)

    # ---- ours ----

    def agent(self, east, west):
        agent = Agent(self.installation)
        folder = agent.home / "load"
        folder.mkdir()
        give(folder)
        for name in ("east", "west"):
            agent.secret(name, "mq.password", PASSWORD.encode())
            agent.secret(name, "root.pem", (self.folder / "root.pem").read_bytes())
        mq = {"endpoint mq": {"host": "localhost", "port": self.broker.tls_port},
              "link mq": {"connector": "mq", "endpoint": "mq", "profile": "rabbitmq", "user": USER, "trust": "root.pem",
                          "password": "mq.password"}, "policy encryption": {}}
        for name, sections in (("east", east), ("west", west)):
            made = {"agreement": {**load.AGREEMENT, "store-limit": "0"}, **(mq if "link mq" in sections else {})}
            made |= {key: {"folder": folder, **keys} if key.startswith("link") else keys
                     for key, keys in sections.items() if key != "link mq"}
            agent.write_conf(f"{name}.conf", load.text_of({**made, **({"release opaque": {"to": "west"}} if name == "east"
                                                                    else {})}))
        return agent, folder

    def switch(self, agent, name, enabled):
        path = agent.conf / f"{name}.conf"
        agent.write_conf(path.name, path.read_text().replace(f"enabled = {'no' if enabled else 'yes'}",
                                                            f"enabled = {'yes' if enabled else 'no'}"))
        if enabled:
            agent.reload()

    def timed(self, agent, name, over):
        """From the switch until `over`; seconds, and what it cost."""
        before = {who: measure.cpu(pid) for who, pid in measure.processes(agent).items()}
        self.switch(agent, name, True)
        began = time.monotonic()
        wait_for(over, lambda: measure.stand(agent, "all of them"), 170)
        took = time.monotonic() - began
        return took, measure.spent(agent, before)

    def send(self, queue):
        options, count = self.options, self.options.messages
        agent, _ = self.agent(
            {"link pulse": {"connector": "pulse"},
             "service pulse": {"type": "opaque", "direction": "receive", "link": "pulse", "count": count,
                               "size": options.size}},
            {"link mq": {}, "service out": {"type": "opaque", "direction": "send", "link": "mq", "address": queue,
                                            "from": "east/pulse", "window": options.window}})
        try:
            self.switch(agent, "west", False)
            agent.start()
            wait_for(lambda: measure.queued(agent, "west", "held") == count, lambda: measure.stand(agent, "all to be stored"), 170)
            self.rest(0.5)
            return self.timed(agent, "west", lambda: measure.queued(agent, "west", "delivered") == count)
        finally:
            agent.close()

    def receive(self, queue):
        options, count = self.options, self.options.messages
        agent, folder = self.agent(
            {"link mq": {}, "service in": {"type": "opaque", "direction": "receive", "link": "mq", "address": queue,
                                           "credit": options.window}},
            {"link sink": {"connector": "sink"}, "service sink": {"type": "opaque", "direction": "send", "link": "sink",
                                                                  "from": "east/in", "verify": "no"}})
        arrived = Lines(folder / "sink.sink")
        try:
            self.switch(agent, "east", False)
            agent.start()
            self.fill(queue)
            return self.timed(agent, "east", lambda: arrived.count() >= count)
        finally:
            agent.close()

    def pairs(self, what):
        runs = []
        for _ in range(self.options.repeat):
            mine, theirs = self.queue(), self.queue()
            if what == "receive":
                self.fill(theirs)
            else:
                self.rest(0.5)
            bare = self.options.messages / self.bare(what, theirs)
            took, spent = getattr(self, what)(mine)
            if what == "send":
                self.bare("receive", mine)  # which does not come to its end when one is missing
                self.bare("receive", theirs)
            ours = self.options.messages / took
            runs.append({"accord": round(ours), "bare": round(bare), "ratio": round(ours / bare, 2), "cpu-of": spent})
        return {**measure.middle(runs, "ratio"), "messages": self.options.messages, "ratios": [run["ratio"] for run in runs],
                "median": round(statistics.median(run["ratio"] for run in runs), 2)}


def table(figures):
    for what in ("send", "receive"):
        if what in figures:
            found = figures[what]
            verdict = measure.verdict(found["median"], FLOOR, TARGET)
            cost = ", ".join(f"{who} {seconds} s" for who, seconds in found["cpu-of"].items())
            print(f"P11 {what:<8} {found['accord']:>7}/s   bare proton {found['bare']:>7}/s   {found['median']:.2f} x   floor "
                  f"{FLOOR} x: {verdict}\n    pairs {', '.join(map(str, found['ratios']))}; CPU: {cost}")


def main():
    made = measure.parser(__doc__, "the agent's store and the broker's")
    made.add_argument("--only", default="send,receive")
    made.add_argument("--messages", type=int, default=40000)
    made.add_argument("--size", type=int, default=1024)
    made.add_argument("--window", type=int, default=256)
    made.add_argument("--repeat", type=int, default=3)
    made.add_argument("--rested", action="store_true", help="receive from queues that were left alone for some seconds")
    options = measure.parsed(made)
    bench = Bench(options)
    try:
        figures = {"machine": measure.machine(bench.installation.prefix)}
        figures |= {what: bench.pairs(what) for what in options.only.split(",")}
    finally:
        bench.close()
    table(figures)
    measure.keep(figures, options)


if __name__ == "__main__":
    main()
