#!/usr/bin/python3
"""How soon an agent works and obeys: P13 of docs/PERFORMANCE.md.

    tests/bench/start/run.py [--build build/release] [--repeat N] [--below FOLDER] [--json FILE]

Everything runs on this machine: one hub, agreement `east` with a link process (pulse) and a guard, agreement `west` with
a guard and a link process (sink), and the site. A start is from the process being begun to the first delivery in the
partner's hands: cold with nothing known of the plugins, warm as every later start is. A toggle is from the change of
west's file (a rename away and back; `enabled` edited) to west's processes being gone, and to a message that waited being
delivered. The middle one of the runs counts; a message lost ends the bench.
"""
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "sdk/rehearsal"), str(ROOT / "tests/bench")]

import load  # noqa: E402
import measure  # noqa: E402
from rehearsal import Agent  # noqa: E402

STEP = 0.001
PULSE = {"pace": 100, "size": "1 KiB"}
PATIENCE = 60


def until(happened, what):
    """Looks often, without a process of its own that would take the time of those that are measured."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, what()
        time.sleep(STEP)
    return time.monotonic()


class Bench(measure.Bench):
    def start_once(self, agent, flow):
        """Milliseconds until the first message of this start has arrived."""
        before = flow.count("sink")
        begun = time.monotonic()
        agent.start(ready=False)
        over = until(lambda: flow.count("sink") > before, lambda: f"a first delivery; {agent.log_tail()}")
        return round((over - begun) * 1000)

    def starts(self):
        agent = Agent(self.installation)
        figures = {"cold": [], "warm": []}
        try:
            flow = load.Load(agent, pulse=PULSE)
            agent.write_conf("site.conf", "[site]\nname = Bench\n")
            for number in range(self.options.repeat + 1):
                flow.write({**PULSE, "prefix": f"start-{number}"}, {})
                figures["warm" if number else "cold"].append(self.start_once(agent, flow))
                agent.stop()
                assert not flow.duplicates()[1] and not flow.damaged()
        finally:
            agent.close()
        return figures

    def toggle_once(self, agent, flow, off, on):
        children = west_children(agent)
        begun = time.monotonic()
        off()
        gone = until(lambda: not any(map(running, children)), lambda: f"west to be off; {agent.log_tail()}")
        before = flow.count("sink")
        until(lambda: flow.count("pulse") > before + 10, lambda: f"messages to wait; {agent.log_tail()}")
        assert flow.count("sink") == before
        again = time.monotonic()
        on()
        back = until(lambda: flow.count("sink") > before, lambda: f"west to be back; {agent.log_tail()}")
        until(lambda: flow.count("sink") >= flow.count("pulse") - 50, lambda: f"what waited; {agent.log_tail()}")
        return {"off": round((gone - begun) * 1000), "on": round((back - again) * 1000)}

    def toggles(self):
        agent = Agent(self.installation)
        figures = {"rename": [], "edit": []}
        try:
            flow = load.Load(agent, pulse=PULSE)
            self.start_once(agent, flow)
            path = agent.conf / "west.conf"
            away, text = path.with_suffix(".off"), path.read_text()
            disabled = text.replace("enabled = yes", "enabled = no")
            for _ in range(self.options.repeat):
                figures["rename"].append(self.toggle_once(agent, flow, lambda: path.rename(away), lambda: away.rename(path)))
                figures["edit"].append(self.toggle_once(agent, flow, lambda: agent.write_conf("west.conf", disabled),
                                                        lambda: agent.write_conf("west.conf", text)))
            agent.stop()
            assert not flow.duplicates()[1] and not flow.damaged() and not lost(agent, flow)
        finally:
            agent.close()
        return figures

    def figures(self):
        starts, toggles = self.starts(), self.toggles()
        return {"machine": measure.machine(self.installation.prefix),
                "start": {kind: middle(found) for kind, found in starts.items()},
                "toggle": {f"{kind}-{way}": middle([one[way] for one in found])
                           for kind, found in toggles.items() for way in ("off", "on")},
                "runs": {"start": starts, "toggle": toggles}}


def west_children(agent):
    return [pid for name, pid in measure.processes(agent).items() if name.endswith("-west")]


def running(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


def lost(agent, flow):
    """What was accepted and neither came nor waits: the store is asked by a start without west's partner taking more."""
    waiting = len(flow.lost())
    if not waiting:
        return 0
    agent.start()
    until(lambda: not flow.lost(), lambda: f"{waiting} messages that waited at the end; {agent.log_tail()}")
    agent.stop()
    return 0


def middle(values):
    return round(statistics.median(values))


def show(figures):
    machine = figures["machine"]
    print(f"{machine['processor']}, {machine['cores']} cores, {machine['file-system']}, load {machine['load-before']}")
    rows = [("P13 start, known plugins", figures["start"]["warm"], 300, 1000),
            ("P13 start, first ever", figures["start"]["cold"], None, None)]
    rows += [(f"P13 {name.replace('-', ' ')}", value, 1000, 2000) for name, value in figures["toggle"].items()]
    for name, value, target, floor in rows:
        verdict = "" if target is None else "target met" if value <= target else "floor met" if value <= floor else "MISSED"
        print(f"{name:26} {value:6} ms  {verdict}")


def main():
    parser = measure.parser(__doc__, "the state")
    parser.add_argument("--repeat", type=int, default=5)
    options = measure.parsed(parser)
    bench = Bench(options)
    try:
        figures = bench.figures()
    finally:
        bench.close()
    show(figures)
    measure.keep(figures, options)


if __name__ == "__main__":
    main()
