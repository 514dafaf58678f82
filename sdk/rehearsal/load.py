"""Load for an agent, and exact accounting of it: the connectors pulse and sink (sdk/testkit/load) under two agreements.

`east` receives what pulse makes and releases it to `west`, which sends it to sink. Both have a guard that judges every
message. pulse writes a line for every answer it gets, sink one for every message that arrives whole.
"""
import collections
import pathlib
import shutil

from rehearsal import give, wait_for

AGREEMENT = {"title": "Interconnection Security Agreement", "partner": "Partner", "enabled": "yes",
             "acknowledged": "2026-01-01", "valid-for": "30 years"}

Answer = collections.namedtuple("Answer", "number time id state")
Arrival = collections.namedtuple("Arrival", "time id source_id attempt state")


def add_plugins(installation, build):
    """Puts pulse and sink beside the plugins of an installation, or of an agent that has its own."""
    for plugin in pathlib.Path(build).glob("lib/accord/testkit/*.so"):
        shutil.copy(plugin, installation.plugins)


def lines(path):
    """The whole lines of a tally; the last one may still be being written."""
    if not path.exists():
        return []
    text = path.read_text()
    return [line.split() for line in text[:text.rfind("\n") + 1].splitlines()]


def text_of(sections):
    return "\n".join(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
                     for name, keys in sections.items())


class Load:
    """One flow: `name`-east to `name`-west. Options of the two services as dictionaries, written as in a file."""

    def __init__(self, agent, pulse=None, sink=None, name="", service=None, west=None):
        self.agent = agent
        self.east, self.west = (f"{name}-{side}" if name else side for side in ("east", "west"))
        self.folder = agent.home / f"load{name}"
        self.folder.mkdir()
        give(self.folder)
        self.counted = {}  # pulse, sink: how far the file was read, and the lines up to there
        self.write(pulse or {}, sink or {}, service, west=west)

    def write(self, pulse, sink, service=None, link=None, west=None):
        """The two files of conf.d. `service`: keys of the sending service itself, such as retry-first; `link`: of its
        link; `west`: of its agreement."""
        self.agent.write_conf(f"{self.east}.conf", text_of({
            "agreement": AGREEMENT,
            "link pulse": {"connector": "pulse", "folder": self.folder},
            "service pulse": {"type": "opaque", "direction": "receive", "link": "pulse", **pulse},
            "release opaque": {"to": self.west},
        }))
        self.agent.write_conf(f"{self.west}.conf", text_of({
            "agreement": {**AGREEMENT, **(west or {})},
            "link sink": {"connector": "sink", "folder": self.folder, **(link or {})},
            "service sink": {"type": "opaque", "direction": "send", "link": "sink",
                             "from": f"{self.east}/pulse", **(service or {}), **sink},
        }))

    # ---- accounting ----

    def answers(self):
        return [Answer(int(number), int(time), message, state)
                for number, time, message, state in lines(self.folder / "pulse.pulse")]

    def arrivals(self):
        return [Arrival(int(time), message, source, int(attempt), state)
                for time, message, source, attempt, state in lines(self.folder / "sink.sink")]

    def accepted(self):
        """Ids of messages that the agent has answered for."""
        return {answer.id for answer in self.answers() if answer.state == "accepted"}

    def arrived(self):
        """Ids of messages that arrived whole, with the number of times."""
        return collections.Counter(a.id for a in self.arrivals() if a.state in ("delivered", "uncertain"))

    def count(self, suffix):
        """Lines of `pulse` or `sink`. Only what came since the last call is read: who waits asks many times a second,
        and what that costs is missing to the agent."""
        path = self.folder / f"{suffix}.{suffix}"
        if path.exists():
            with path.open("rb") as file:
                at, lines_before = self.counted.get(suffix, (0, 0))
                file.seek(at)
                new = file.read()
                self.counted[suffix] = (at + len(new), lines_before + new.count(b"\n"))
        return self.counted.get(suffix, (0, 0))[1]

    def wait(self, messages, patience=60):
        """Until so many different messages were accepted, and everything accepted has arrived."""
        wait_for(lambda: self.count("pulse") >= messages, lambda: f"{messages} answers: {self}", patience)
        wait_for(lambda: self.count("sink") >= messages and not self.lost(),
                 lambda: f"{messages} arrivals: {self}; the log ends:\n{self.agent.log_tail()}", patience)

    def lost(self):
        return self.accepted() - set(self.arrived())

    def duplicates(self):
        """Arrivals of what had arrived already; how many of them did not say so (attempt 1)."""
        arrived = self.arrived()
        again = sum(arrived.values()) - len(arrived)
        firsts = collections.Counter(a.id for a in self.arrivals()
                                     if a.attempt == 1 and a.state in ("delivered", "uncertain"))
        return again, sum(count - 1 for count in firsts.values())

    def damaged(self):
        return [arrival for arrival in self.arrivals() if arrival.state == "damaged"]

    def __str__(self):
        return f"{self.count('pulse')} answers, {self.count('sink')} arrivals"
