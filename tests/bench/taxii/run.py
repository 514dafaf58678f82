#!/usr/bin/python3
"""How fast the AIS link is, beside the bare libraries doing the same work: P10 and P12 of docs/PERFORMANCE.md.

    tests/bench/taxii/run.py [--build build/release] [--only inbox,feed] [--repeat N] [--json FILE]

P10: packages of 20 KiB to an inbox over TLS 1.3 with a client certificate. The agent has them in its store, with the agreement
switched off; the time goes from the switch to the last inbox message at the server, connecting, guard and settling included.
`steady` is from the first inbox message to the last. Beside it libcurl's multi loop posts one file of that size as often, over as many
connections: it judges nothing, so what counts is the agent without the content policy (guard, audit and settling included).
`judged` is the same with the content policy, which reads every package. libcurl's time begins when its process is up and its file
is read, ours before the guard's and the link's processes are begun and the partner has been asked for its inbox: so many posts
are sent that this counts for little.

P12: a feed of 1 GB in one poll response. The time goes from the poll's arrival at the server to the last block held in the
store, hashed, sealed and synced; for another agreement that is switched off. Beside it libxml2's push parser reads the same
bytes, and keeps nothing. The link's memory is its peak. `judged` is the same with the content policy over every package. What the
store writes goes to memory first: a virtual machine's host is made to give that beforehand (measure.py), unless `--cold` is given.

Both against a server in C on this machine (server.c). Whoever loses or doubles a message has no figures.
"""
import contextlib
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
for folder in ("sdk/rehearsal", "tests/bench"):
    sys.path.insert(0, str(ROOT / folder))

import load  # noqa: E402
import make_indicator  # noqa: E402
import measure  # noqa: E402
from authority import Authority  # noqa: E402
from rehearsal import Agent, end, give, wait_for  # noqa: E402
from taxii_messages import SPACE, STIX  # noqa: E402

FLOOR, TARGET, MEMORY = 0.6, 0.8, 64
AGREEMENT = {"title": "Automated Indicator Sharing", "partner": "CISA", "acknowledged": "2026-01-01", "valid-for": "30 years",
             "store-limit": "0"}


def envelope(content):
    return (f'<t:Inbox_Message xmlns:t="{SPACE}" message_id="urn:uuid:1"><t:Destination_Collection_Name>AIS_INGEST'
            f'</t:Destination_Collection_Name><t:Content_Block><t:Content_Binding binding_id="{STIX}"/><t:Content>'
            ).encode() + content + b"</t:Content></t:Content_Block></t:Inbox_Message>"


class Packages:
    """As many as wanted of about one size, which differ in their ids."""

    def __init__(self, size):
        self.base = make_indicator.package("bench", size=size - 700, declaration=False).strip()
        begin = self.base.index(b'id="acme:Package-') + len(b'id="acme:Package-')
        self.before, self.after = self.base[:begin], self.base[begin + 36:]

    def number(self, number):
        return self.before + b"%08d-0000-4000-8000-%012d" % (number, number) + self.after


class Server:
    def __init__(self, build, folder, blocks=None):
        authority = Authority()
        self.identity, self.trust, self.folder = authority.client(), authority.trust, folder
        authority.server().write(folder, "server")
        self.identity.write(folder, "client")
        (folder / "root.pem").write_bytes(authority.trust)
        self.process = subprocess.Popen(
            [build / "tests/taxii-bench-server", *(folder / name for name in ("server.pem", "server.key", "root.pem")),
             *([blocks] if blocks else [])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def counts(self, question=""):
        """Posts, different ones (if the question is "different"), time of the last, of the first poll, of the first post."""
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        words = self.process.stdout.readline().split()
        return int(words[0]), int(words[1]), float(words[2]), float(words[3]), float(words[4])

    def steady(self):
        """Posts a second from the first to the last."""
        posts, _, last, _, first = self.counts()
        return round((posts - 1) / (last - first))

    def close(self):
        end(self.process)


class Link:
    """An agent with the agreement `ais` to the server."""

    def __init__(self, bench, server, service, policies=(), more=None):
        self.agent, self.bench = Agent(bench.installation), bench
        self.server, self.service, self.policies, self.more = server, service, policies, more or {}
        self.agent.settings = {"type stix-1": {"max-size": "1 GiB"}}
        self.agent.write_agent_conf()
        for name in ("client.pem", "client.key", "root.pem"):
            self.agent.secret("ais", name, (server.folder / name).read_bytes())
        self.agent.write_conf("site.conf", load.text_of({
            "site": {"name": "Bench", "store-limit": "0"}, "link folders": {"connector": "dir", "path": self.agent.site},
            "service out": {"type": "stix-1", "direction": "receive", "link": "folders", "folder": "out", "settle": "100 ms",
                            "rescan": "1 s"}}))
        self.agent.site_folder("out")

    def write(self, enabled):
        link = {"connector": "taxii", "endpoint": "taxii", "version": "1.1", "discovery": "/discovery", "poll": "/poll",
                "inbox": "/inbox", "certificate": "client.pem", "key": "client.key", "trust": "root.pem",
                "connections": self.bench.options.connections}
        self.agent.write_conf("ais.conf", load.text_of({
            "agreement": {**AGREEMENT, "enabled": enabled}, "endpoint taxii": {"host": "localhost", "port": self.server.port},
            "link taxii": link, **self.service, **{f"policy {name}": {} for name in self.policies}, **self.more}))

    def queued(self, state, agreement="ais"):
        return measure.queued(self.agent, agreement, state)

    def wait_held(self, agreement, count):
        """When that many were held: each question is a process, so it is asked rarely at first."""
        began = time.time()
        while (held := self.queued("held", agreement)) < count:
            spent = time.time() - began
            assert spent < 600, self.stand(f"{held} of {count} are held")
            time.sleep(min(max((count - held) * spent / max(held, 1) / 2, 0.005), 0.25))
        return time.time()

    def stand(self, what):
        return measure.stand(self.agent, what)

    def cost(self, before):
        spent = measure.spent(self.agent, before)
        return {"cpu": round(sum(spent.values()), 2), "cpu-of": spent,
                "memory-of": {name: measure.peak(pid) for name, pid in measure.processes(self.agent).items()}}


class Bench(measure.Bench):
    # ---- P10 ----

    def inbox(self):
        count, packages = self.options.posts, Packages(self.options.post_size)
        runs = []
        for _ in range(self.options.repeat):
            bare, ours = self.bare_posts(count, packages), self.our_posts(count, packages, [])
            runs.append({"curl": bare, "accord": ours, "ratio": round(ours["posts-a-second"] / bare["posts-a-second"], 2)})
        middle = measure.middle(runs, "ratio")
        return {**middle, "judged": self.our_posts(count, packages, ["content"]), "posts": count, "ratios": [run["ratio"] for run in runs]}

    def warm(self, size):
        """Before each run, ours and theirs."""
        if not self.options.cold:
            measure.warm_memory(self.installation.prefix, size * 6 // 5)

    def bare_posts(self, count, packages):
        folder = self.installation.folder()
        (folder / "body").write_bytes(envelope(packages.base))
        with contextlib.closing(Server(self.options.build, folder)) as server:
            self.warm(count * self.options.post_size)
            done = subprocess.run(
                [self.options.build / "tests/taxii-bench-loop", f"https://localhost:{server.port}/inbox",
                 *(folder / name for name in ("client.pem", "client.key", "root.pem", "body")), str(count),
                 str(self.options.connections)], capture_output=True, text=True, check=True)
            assert server.counts()[0] == count
            return {"posts-a-second": round(count / float(done.stdout)), "steady": server.steady()}

    def our_posts(self, count, packages, policies):
        service = {"service submit": {"type": "stix-1", "direction": "send", "link": "taxii", "collection": "AIS_INGEST",
                                      "from": "site/out"}}
        with contextlib.closing(Server(self.options.build, self.installation.folder())) as server:
            link = Link(self, server, service, policies)
            try:
                link.write("no")
                for number in range(count):
                    (link.agent.site / f"out/{number}.xml").write_bytes(packages.number(number))
                link.agent.start()
                wait_for(lambda: link.queued("held") == count, lambda: link.stand("all to be stored"), 600)
                before = {"hub": measure.cpu(link.agent.process.pid)}
                self.warm(count * self.options.post_size)
                link.write("yes")
                began = time.time()
                link.agent.reload()
                wait_for(lambda: server.counts()[0] >= count, lambda: link.stand(f"all to be sent: {server.counts()}"), 600)
                wait_for(lambda: link.queued("delivered") == count, lambda: link.stand("all to be settled"), 60)
                posts, different, last, *_ = server.counts("different")
                assert posts == different == count, f"{posts} posts, {different} different ones of {count}"
                return {"posts-a-second": round(count / (last - began)), "steady": server.steady(), **link.cost(before)}
            finally:
                link.agent.close()

    # ---- P12 ----

    def feed(self):
        packages, size = Packages(self.options.block_size), self.options.feed_mb * 1000000
        path = self.installation.prefix / "blocks"
        head = f'<t:Content_Block><t:Content_Binding binding_id="{STIX}"/><t:Content>'.encode()
        tail = b"</t:Content><t:Timestamp_Label>2026-01-01T00:00:00.000000Z</t:Timestamp_Label></t:Content_Block>"
        blocks = 0
        with path.open("wb") as file:
            while file.tell() < size:
                file.write(head + packages.number(blocks) + tail)
                blocks += 1
            size = file.tell()
        runs = []
        for _ in range(self.options.repeat):
            self.warm(size)
            took = float(subprocess.run([self.options.build / "tests/taxii-bench-sax", path], capture_output=True, text=True,
                                        check=True).stdout)
            runs.append({"libxml2": {"mb-a-second": round(size / took / 1e6, 1)}, "accord": self.poll(path, blocks, size, [])})
            runs[-1]["ratio"] = round(runs[-1]["accord"]["mb-a-second"] / runs[-1]["libxml2"]["mb-a-second"], 2)
        judged = self.poll(path, blocks, size, ["content"])
        path.unlink()
        middle = measure.middle(runs, "ratio")
        return {**middle, "judged": judged, "blocks": blocks, "bytes": size, "ratios": [run["ratio"] for run in runs]}

    def poll(self, path, blocks, size, policies):
        service = {"service feed": {"type": "stix-1", "direction": "receive", "link": "taxii", "collection": "AIS",
                                    "poll": "1 h", "to": "west/sink"}}
        with contextlib.closing(Server(self.options.build, self.installation.folder(), path)) as server:
            link = Link(self, server, service, policies, {"release stix-1": {"to": "west"}})
            try:
                folder = link.agent.home / "sink"
                folder.mkdir()
                give(folder)
                link.agent.write_conf("west.conf", load.text_of({
                    "agreement": {**AGREEMENT, "enabled": "no"}, "link sink": {"connector": "sink", "folder": folder},
                    "service sink": {"type": "stix-1", "direction": "send", "link": "sink"}}))
                link.write("yes")
                self.warm(size)
                link.agent.start()
                wait_for(lambda: server.counts()[3], lambda: link.stand("a poll"), 60)
                took = link.wait_held("west", blocks) - server.counts()[3]
                cost = link.cost({})
                assert link.queued("held", "west") == blocks
                return {"mb-a-second": round(size / took / 1e6, 1), **cost}
            finally:
                link.agent.close()


def verdict(ratio):
    return measure.verdict(ratio, FLOOR, TARGET)


def memory_of_link(row):
    return next(peak for name, peak in row["memory-of"].items() if name == "link-ais")


def show(figures):
    measure.show_machine(figures["machine"])
    if "inbox" in figures:
        row = figures["inbox"]
        print(f"P10  accord {row['accord']['posts-a-second']}/s, libcurl's loop {row['curl']['posts-a-second']}/s: {row['ratio']} x "
              f"({row['ratios']}), floor {FLOOR}, target {TARGET}: {verdict(row['ratio'])}; CPU {row['accord']['cpu-of']}")
        print(f"     from the first post to the last {row['accord']['steady']}/s and {row['curl']['steady']}/s; with every package "
              f"judged {row['judged']['posts-a-second']}/s, {row['judged']['steady']}/s")
    if "feed" in figures:
        row = figures["feed"]
        peak = memory_of_link(row["accord"])
        print(f"P12  accord {row['accord']['mb-a-second']} MB/s, libxml2 {row['libxml2']['mb-a-second']} MB/s: {row['ratio']} x "
              f"({row['ratios']}), floor {FLOOR}, target {TARGET}: {verdict(row['ratio'])}; CPU {row['accord']['cpu-of']}")
        print(f"     the link's memory {peak} MiB of {MEMORY}: {'met' if peak <= MEMORY else 'MISSED'}; "
              f"with every package judged {row['judged']['mb-a-second']} MB/s")


def arguments():
    parser = measure.parser(__doc__, "the store")
    parser.add_argument("--only", type=lambda text: text.split(","), default=["inbox", "feed"], help="inbox, feed")
    parser.add_argument("--repeat", type=int, default=3, help="the run in the middle counts")
    parser.add_argument("--posts", type=int, default=40000)
    parser.add_argument("--post-size", type=int, default=20 * 1024)
    parser.add_argument("--connections", type=int, default=4, help="ours and libcurl's")
    parser.add_argument("--feed-mb", type=int, default=1000)
    parser.add_argument("--cold", action="store_true", help="in memory that the host has yet to give")
    parser.add_argument("--block-size", type=int, default=1 << 20)
    return measure.parsed(parser)


def main():
    options = arguments()
    with contextlib.closing(Bench(options)) as bench:
        figures = {"machine": measure.machine(bench.installation.prefix)}
        figures.update({kind: getattr(bench, kind)() for kind in options.only})
    show(figures)
    measure.keep(figures, options)


if __name__ == "__main__":
    main()
