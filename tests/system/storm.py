"""A storm of kills over a flow: the hub at named points and at random moments, its children at random moments, again
and again under load. What comes out is accounted for by name at the partner, at the source and in the trail."""
import collections
import os
import signal
import statistics
import time

from exact import gone_within, once
from harness import wait_for

# Each named point of the hub, and in which of the times it comes there it is killed.
POINTS = {"admit": (1, 25), "commit": (1, 90), "committed": (1, 90), "settle": (1, 25), "index": (1, 6),
          "dispatch": (1, 25), "export": (1, 6), "seal": (1, 40)}
PENDING = 8  # plans that the folder always has
AHEAD = 20   # more than the partner has seen, at most: so much waits inside


class Storm:
    """Kills until it has been enough; `lives` tells of each."""

    def __init__(self, flow, ledger, random):
        self.flow, self.agent, self.ledger, self.random = flow, flow.agent, ledger, random
        self.kills, self.lives, self.latencies = collections.Counter(), [], []
        self.verifying = 0.0  # seconds

    # ---- load ----

    def feed(self):
        flow = self.flow
        dropped, seen = len(flow.good) + len(flow.broken), len(self.ledger.renamed) + len(flow.broken)
        waiting = sum(entry.is_file() for entry in os.scandir(flow.folder))
        if waiting < PENDING and dropped - seen < AHEAD + PENDING:
            flow.drop(PENDING - waiting)

    def dead(self):
        return self.agent.process.poll() is not None

    def feed_until(self, question, what):
        """Feeds until the answer is true or the hub has died; returns whether it lives."""
        def step():
            self.feed()
            return self.dead() or question()
        wait_for(step, lambda: f"{what}; {self.lives[-1:]}; the log ends:\n{self.agent.log_tail()}")
        return not self.dead()

    def feed_events(self, most):
        target = self.ledger.events() + self.random.randint(1, most)
        return self.feed_until(lambda: self.ledger.events() >= target, "the partner to see more")

    # ---- one life of a hub ----

    def begin(self, point):
        before, environment = sum(self.ledger.renamed.values()), {}
        if point:
            nth = self.random.randint(*POINTS[point])
            environment["ACCORD_FAULT"] = f"{point}:{nth}"
        self.feed()
        self.lives.append(environment.get("ACCORD_FAULT", "random"))
        began = time.monotonic()
        self.agent.start(environment, ready=False)
        if self.feed_until(lambda: sum(self.ledger.renamed.values()) > before, "the first delivery"):
            self.latencies.append(self.ledger.last - began)

    def kill_child(self):
        children = self.agent.children()
        if children:
            self.kill(self.random.choice(sorted(children)))
            self.kills["child"] += 1

    @staticmethod
    def kill(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def live(self, point):
        self.begin(point)
        for _ in range(self.random.randint(0, 2)):
            if self.feed_events(30):
                self.kill_child()
        children = set(self.agent.children())
        if point:
            while not self.dead():
                children |= set(self.agent.children())
                self.feed()
                self.ended_in_time()
        elif self.feed_events(30):
            children |= set(self.agent.children())
            self.agent.process.kill()
            self.agent.process.wait()
        assert self.agent.process.returncode == -signal.SIGKILL, self.agent.log_tail()
        self.kills[point or "hub"] += 1
        gone_within(children, 2)
        self.verify()

    def verify(self):
        """The trail as the kill left it."""
        began = time.monotonic()
        verified = self.agent.ask("audit", "verify")
        assert verified.code == 0, (self.lives[-1], verified)
        self.verifying += time.monotonic() - began

    def ended_in_time(self):
        """A point that is not reached any more is no fault of the agent's: it is killed all the same."""
        self.idle = getattr(self, "idle", None) or time.monotonic()
        if time.monotonic() - self.idle > 5:
            self.lives[-1] += " not reached"
            self.agent.process.kill()
            self.agent.process.wait()
        if self.dead():
            self.idle = None
        else:
            time.sleep(0.005)

    def rage(self, kills):
        """So many kills, each point as often as the others."""
        turns = []
        while sum(self.kills.values()) < kills:
            turns = turns or self.random.sample([None, None, *POINTS], len(POINTS) + 2)
            self.live(turns.pop())
        self.flow.kills = sum(self.kills.values())
        self.begin(None)
        print(f"killed: {dict(self.kills)}; {self.latency()}; verified in {self.verifying:.1f} s")

    def latency(self):
        times = sorted(self.latencies)
        return (f"first delivery after {len(times)} starts: middle {statistics.median(times):.2f} s, "
                f"nine of ten within {times[len(times) * 9 // 10 - 1]:.2f} s, longest {times[-1]:.2f} s")

    # ---- accounting ----

    def check(self):
        flow = self.flow
        wait_for(lambda: len(self.ledger.renamed) >= len(flow.good) and not flow.left(),
                 lambda: f"everything to arrive; missing: {sorted(set(flow.good) - set(self.ledger.renamed))}, left: "
                         f"{flow.left()}; the log ends:\n{self.agent.log_tail()}", 60)
        wait_for(self.counted, lambda: f"the trail to have all: {self.records()}")
        flow.check_partner()
        flow.check_ledger(self.ledger)
        self.check_source()
        for action, chain, names in (("message-delivered", "isa", flow.good), ("message-admitted", "site", self.taken())):
            once(self.agent.audit_records(chain), action, chain, names)
        verified = self.agent.ask("audit", "verify")
        assert verified.code == 0 and verified["trail"][0]["heads"] == "compared", verified

    def records(self):
        return collections.Counter(record["event.action"] for record in self.agent.audit_records("isa"))

    def names(self, action, chain):
        return {record["accord.name"] for record in self.agent.audit_records(chain)
                if record["event.action"] == action}

    def taken(self):
        """What was admitted: the good ones, and the broken ones that came before a policy could judge them."""
        return [*self.flow.good, *self.late]

    def counted(self):
        self.late = self.names("delivery-dead", "isa")
        return len(self.names("message-delivered", "isa")) == len(self.flow.good) and \
            self.names("message-quarantined", "site") | self.late == self.flow.broken

    def check_source(self):
        back = self.flow.broken - self.late
        there = {path.name for path in (self.flow.folder / "rejected").glob("*")}
        wanted = {*back, *(f"{name}.reason.txt" for name in back)}
        assert there == wanted, f"too many: {sorted(there - wanted)}, missing: {sorted(wanted - there)}"
