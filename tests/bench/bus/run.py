#!/usr/bin/python3
"""How fast the bus is, at what cost, and how much memory it takes: P1 to P4 of docs/PERFORMANCE.md.

    tests/bench/bus/run.py [--build build/release] [--messages N] [--backlog N] [--single N] [--below FOLDER]
                           [--only-throughput] [--cold] [--json FILE]

Everything runs on this machine: one hub; agreement `east` with a link process (pulse makes messages of 1 KiB) and a
guard; agreement `west` with a guard and a link process (sink takes them). east's file releases the type to west.
Every message is judged by both guards, committed and synced before it is acknowledged to pulse, delivered, and
settled in a second commit. Both ends count every message; a figure with a loss in it is not printed.

RabbitMQ's runs and ours take turns, and the floor is judged by the ratios of the pairs: what the machine gives to its
guests changes from one minute to the next, and a pair sees the same of it. Its clients do what pulse and sink do: contents that
follow from an id, every byte checked, every message written down and acknowledged by itself. Beside it stands what it does when
one acknowledgement speaks for a hundred messages. Before each run, of either, the host of a virtual
machine is made to give the memory that the logs go through (measure.py), unless `--cold` is given.
"""
import contextlib
import pathlib
import signal
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "sdk/rehearsal"), str(ROOT / "tests/bench/peers"), str(ROOT / "tests/bench")]

import load  # noqa: E402
import measure  # noqa: E402
import quorum  # noqa: E402
from measure import cpu, processes, pss  # noqa: E402
from rehearsal import Agent, wait_for  # noqa: E402

# Medians on this kind of machine, measured with the peers' own tools (docs/PERFORMANCE.md): 1 KiB, stored, delivered.
RABBITMQ_QUORUM, RABBITMQ_CPU = 21000, 58
HUNDRED = 100
JOURNAL = 4096  # bytes that a message of 1 KiB takes in the journal, and no less in RabbitMQ's logs


def memory(agent, names=None):
    """PSS of the hub and of the children whose names end in one of `names` (None: of all)."""
    found = {name: pss(pid) for name, pid in processes(agent).items()
             if names is None or name == "hub" or name.endswith(names)}
    return None if None in found.values() else sum(found.values())


@contextlib.contextmanager
def running(bench, **options):
    """An agent with one flow, started, and its load."""
    agent = Agent(bench.installation)
    try:
        flow = load.Load(agent, **options)
        agent.start()
        yield agent, flow
    finally:
        agent.close()


def is_up(agent, name):
    return any(row["agreement"] == name and row["state"] == "up" for row in agent.ask("agreements")["agreements"])


class Bench(measure.Bench):
    # ---- the disk ----

    def disk(self):
        """fdatasync/s, and records/s in groups, of the same file system."""
        probe = self.options.build / "tests/fdatasync-probe"
        done = subprocess.run([probe, self.installation.prefix / "probe", str(self.options.probe)],
                              capture_output=True, text=True, check=True)
        rows = [list(map(int, line.split())) for line in done.stdout.splitlines()]
        return {"fdatasync": rows[0][1], **{f"records-in-{group}s": records for group, _, records in rows[1:]}}

    # ---- P1 and P2 ----

    def throughput(self):
        count = self.options.messages
        with running(self, pulse={"count": count, "size": "1 KiB", "window": self.options.window}) as (agent, flow):
            wait_for(lambda: flow.count("pulse"), lambda: agent.log_tail())
            pids = processes(agent)
            wait_for(lambda: flow.count("sink") >= count, lambda: f"{flow}; {agent.log_tail()}", 600)
            wait_for(lambda: self.settled(agent) >= count, lambda: agent.log_tail(), 60)
            spent = {name: cpu(pid) for name, pid in pids.items()}
            self.check(flow, count)
            return {"messages": count, **rates(flow, count),
                    "cpu-a-million": round(sum(spent.values()) / count * 1e6, 1),
                    "cpu-of": {name: round(seconds / count * 1e6, 1) for name, seconds in spent.items()}}

    @staticmethod
    def settled(agent):
        return sum(int(row["delivered"]) for row in agent.ask("status")["queues"])

    @staticmethod
    def check(flow, count):
        lost, again = flow.lost(), flow.duplicates()[0]
        assert len(flow.accepted()) == count and not lost and not again and not flow.damaged(), \
            f"{flow}: {len(lost)} lost, {again} twice, {len(flow.damaged())} damaged"

    # ---- P3 ----

    def memory(self):
        with running(self, pulse={"count": 1}) as (agent, flow):
            flow.wait(1)
            one = memory(agent, "east")
            whole = memory(agent)
            more = load.Load(agent, pulse={"count": 1}, name="more")
            agent.reload()
            more.wait(1)
            both = memory(agent)
        if whole is None:
            return {"not-run": "this user may not read the memory maps of the agent's processes; run it as root"}
        return {"hub-and-one-agreement": round(one, 1), "one-more-agreement": round((both - whole) / 2, 1),
                **self.backlog()}

    def backlog(self):
        """What waiting messages add to the hub: west is switched off, so that everything is held. Counted from the
        time when buffers and caches have grown as far as they grow under load."""
        count = self.options.backlog
        agent = Agent(self.installation)
        try:
            flow = load.Load(agent, {"count": count, "size": "1 KiB"}, west={"enabled": "no"})
            agent.start()
            wait_for(lambda: flow.count("pulse") >= count * 2 // 5, lambda: f"{flow}; {agent.log_tail()}", 600)
            early, before = flow.count("pulse"), pss(agent.process.pid)
            wait_for(lambda: flow.count("pulse") >= count, lambda: f"{flow}; {agent.log_tail()}", 600)
            after = pss(agent.process.pid)
        finally:
            agent.close()
        return {"backlog": count - early, "backlog-adds": round(after - before, 1)}

    # ---- P4 ----

    def single(self):
        """One message at a time: the next is offered when this one is answered for."""
        count = self.options.single
        with running(self, pulse={"count": count, "size": "1 KiB", "window": 1}) as (agent, flow):
            flow.wait(count, 600)
            return {"messages": count, "in": rates(flow, count)["in"]}


def rates(flow, count):
    """From the first answer on: to the last answer, and to the last arrival. Messages a second."""
    answers, arrivals = flow.answers(), flow.arrivals()
    begin = answers[0].time
    took = sorted((a.time for a in arrivals))[-1] - begin
    return {"in": round(count / (answers[-1].time - begin) * 1e6), "end-to-end": round(count / took * 1e6)}


# ---- the table ----

def verdict(good):
    return "met" if good else "MISSED"


def rows(figures):
    """(what, measured, target, floor, how it stands)"""
    p1, rabbit = figures["throughput"], figures["rabbitmq"]
    ratio = statistics.median(rabbit["ratios"])
    yield "P1 end to end", f"{p1['end-to-end']}/s", "60000/s", "", ""
    yield "   by RabbitMQ's", f"{ratio:.2f} x", "", "2 x", verdict(ratio >= 2)
    yield "   accepted", f"{p1['in']}/s", "", "", ""
    yield "P2 CPU a million", f"{p1['cpu-a-million']} s", "25 s", "45 s", verdict(p1["cpu-a-million"] <= 45)
    for name, seconds in p1["cpu-of"].items():
        yield f"   {name}", f"{seconds} s", "", "", ""
    if "disk" in figures:
        yield from other_rows(figures["disk"], figures["memory"], figures["single"])


def other_rows(disk, p3, p4):
    if "not-run" in p3:
        yield "P3 memory", "not run", "", "", p3["not-run"]
    else:
        yield "P3 hub + one agreement", f"{p3['hub-and-one-agreement']} MiB", "32 MiB", "", \
            verdict(p3["hub-and-one-agreement"] <= 32)
        yield "   one more agreement", f"{p3['one-more-agreement']} MiB", "6 MiB", "", \
            verdict(p3["one-more-agreement"] <= 6)
        million = p3["backlog-adds"] / p3["backlog"] * 1e6
        yield f"   a backlog of {p3['backlog']}", f"{p3['backlog-adds']} MiB", "16 MiB a million", "", \
            verdict(million <= 16)
    yield "P4 one at a time", f"{p4['in']}/s", f"{disk['fdatasync'] // 2}/s", "", \
        verdict(p4["in"] >= disk["fdatasync"] / 2)
    yield "the disk: fdatasync", f"{disk['fdatasync']}/s", "", "", ""
    yield "   records in 256s", f"{disk['records-in-256s']}/s", "", "", ""


def show(figures):
    measure.show_machine(figures["machine"])
    table = [("", "measured", "target", "floor", "")] + list(rows(figures))
    widths = [max(len(row[i]) for row in table) for i in range(5)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    rabbit = figures["rabbitmq"]
    print(f"RabbitMQ, a durable quorum queue, whose double is P1's floor: {rabbit['end-to-end']}/s, "
          f"{rabbit['cpu-a-million']} s a million ({rabbit['measured']}); ours by its, run by run: "
          f"{', '.join(map(str, rabbit['ratios']))}")
    if "by-hundreds" in rabbit:
        print(f"RabbitMQ with one acknowledgement for {HUNDRED} messages: {rabbit['by-hundreds']}/s; ours by its: "
              f"{figures['throughput']['end-to-end'] / rabbit['by-hundreds']:.2f} x")


def pairs(bench, options):
    """Runs of ours and of RabbitMQ's by turns, on the same disk and with the same window; elsewhere's figures of RabbitMQ
    when it is not there."""
    why, ours, theirs, hundreds = quorum.missing(options.build), [], [], []
    turns = [lambda: ours.append(bench.throughput())]
    if not why:
        turns += [lambda: theirs.append(rabbitmq(options, 1)), lambda: hundreds.append(rabbitmq(options, HUNDRED))]
    for _ in range(options.repeat):
        for turn in turns:
            if not options.cold:
                measure.warm_memory(bench.installation.prefix, options.messages * JOURNAL)
            turn()
        turns.reverse()  # none of them is always the first
    rabbit = {**measure.middle(theirs, "end-to-end"), "measured": "in this run",
              "by-hundreds": measure.middle(hundreds, "end-to-end")["end-to-end"]} if theirs else {
        "end-to-end": RABBITMQ_QUORUM, "cpu-a-million": RABBITMQ_CPU, "measured": f"on such a machine before: {why}"}
    return summary(ours), {**rabbit, "ratios": [
        round(run["end-to-end"] / beside["end-to-end"], 2) for run, beside in zip(ours, theirs or [rabbit] * len(ours))]}


def rabbitmq(options, acknowledged):
    return quorum.measure(options.build, options.below, options.messages, options.window, cpu, acknowledged)


def summary(runs):
    return {**measure.middle(runs, "cpu-a-million"), "end-to-end": round(statistics.median(run["end-to-end"] for run in runs)),
            "runs": [{key: run[key] for key in ("in", "end-to-end", "cpu-a-million")} for run in runs]}


def arguments():
    parser = measure.parser(__doc__, "the stores")
    parser.add_argument("--messages", type=int, default=200000, help="of P1 and P2")
    parser.add_argument("--repeat", type=int, default=3, help="times that P1 is measured; the median counts")
    parser.add_argument("--cold", action="store_true", help="in memory that the host has yet to give")
    parser.add_argument("--only-throughput", action="store_true", help="P1 and P2 alone")
    parser.add_argument("--window", type=int, default=256, help="messages that pulse has in flight")
    parser.add_argument("--backlog", type=int, default=200000, help="of P3; P3 names a million")
    parser.add_argument("--single", type=int, default=5000, help="of P4")
    parser.add_argument("--probe", type=int, default=1000, help="milliseconds for each measurement of the disk")
    return measure.parsed(parser)


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before it was over"))  # what it has begun ends with it
    bench = Bench(options)
    try:
        figures = {"machine": measure.machine(bench.installation.prefix)}
        figures["throughput"], figures["rabbitmq"] = pairs(bench, options)
        if not options.only_throughput:
            figures |= {"disk": bench.disk(), "single": bench.single(), "memory": bench.memory()}
    finally:
        bench.close()
    show(figures)
    measure.keep(figures, options)


if __name__ == "__main__":
    main()
