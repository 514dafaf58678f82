"""The journal's segments: the hub is killed while retention deletes them, and some are missing when the agent starts."""
import argparse
import collections
import signal

import asyncssh
import pytest

import make_stow_plan
from exact import Flow, Ledger, digest, gone_within, plan, seeded
from harness import Key, Partner, wait_for
from storm import Storm
from test_faults_clock import FAKETIME, Clock
from test_faults_store import Original, arrived, check_trail, data_end, start_with_partner

SEGMENTS = {"segment-size": "1 MiB", "message-retention": "1 min"}


def drop_big(flow, count):
    """Plans of which two fill a segment."""
    for _ in range(count):
        number = len(flow.good) + len(flow.broken) + 1
        name = f"plan-{number:04d}.edi"
        content = make_stow_plan.interchange(argparse.Namespace(
            containers=3800, seed=number, smdg="2.0", sender="ACME", recipient="USCBP", reference=f"FLOW{number}",
            voyage="601W", vessel="MV FAULTS", vessel_id="9999993", break_=None))
        flow.good[name] = digest(content)
        flow.agent.drop("plans", name, content)


def segments(agent):
    return sorted((agent.state / "store").glob("*.seg"))


# ---- killed while they are deleted ----

class Picky(Ledger):
    """Does not let these names be taken for now."""

    def __init__(self):
        super().__init__()
        self.unwanted, self.refusals = set(), collections.Counter()

    def server(self):
        ledger = self

        class Files(super().server()):
            def rename(self, oldpath, newpath):
                if newpath.rpartition(b"/")[2].decode() in ledger.unwanted:
                    ledger.refusals[oldpath] += 1
                    raise asyncssh.SFTPFailure("not now")
                return super().rename(oldpath, newpath)
        return Files


def fill(flow, ledger):
    """In the oldest segments: what is delivered, what is in quarantine, and what the partner does not want yet."""
    flow.drop(2, broken=True)
    first = len(flow.good) + len(flow.broken) + 1
    ledger.unwanted = {f"plan-{number:04d}.edi" for number in range(first, first + 3)}
    flow.drop(3, broken=False)
    drop_big(flow, 8)
    wait_for(lambda: set(ledger.renamed) == set(flow.good) - ledger.unwanted and not flow.left(),
             lambda: f"what is wanted to arrive; {flow.agent.log_tail()}")


@pytest.mark.long
@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
def test_killed_while_segments_are_deleted(agent, partner):
    """Before a segment's file is deleted, right after it, and once more, while plans flow: what was live in it is there,
    waits on and arrives exactly once, what is in quarantine stays, and each chain of the trail is whole after each."""
    ledger, clock = Picky(), Clock(agent)
    flow = Flow(agent, partner(server=ledger.server()))
    agent.settings["store"] = SEGMENTS
    agent.write_agent_conf()
    agent.start(clock.environment)
    flow.wait_up()
    fill(flow, ledger)
    old, early = segments(agent), set(flow.broken)
    assert len(old) > 3
    agent.stop()
    clock.set("+1d")
    for number in (1, 2, 3):
        agent.start({**clock.environment, "ACCORD_FAULT": f"compact:{number}"}, ready=False)
        children = flow.feed_until_dead(20)
        assert agent.process.returncode == -signal.SIGKILL, agent.log_tail()
        gone_within(children, 2)
        flow.kills += 1
        verified = agent.ask("audit", "verify")
        assert verified.code == 0, verified
    assert not old[0].exists() and not old[1].exists() and old[3].exists()
    agent.start(clock.environment)
    flow.wait_up()
    flow.drop(5)
    wait_for(lambda: not set(old[:-1]) & set(segments(agent)), lambda: f"the old ones to go; {agent.log_tail()}")
    states = flow.states()
    assert all(states[name] == "quarantined" for name in early), states
    assert all(states[name] not in ("dead", "delivered") for name in ledger.unwanted), states
    ledger.unwanted = set()
    ledger.begun.subtract(ledger.refusals)  # those bodies were to be sent again
    Storm(flow, ledger, seeded("segments")).check()
    assert any(record["event.action"] == "store-compacted" for record in agent.audit_records("host"))


# ---- missing at the start ----

class Many(Original):
    """As Original, with messages in several segments."""

    def fill(self, partner):
        self.flow, self.spans = Flow(self.agent, partner), {}
        self.agent.secret("isa", "id", Key().private)
        self.agent.start()
        self.flow.wait_up()
        for count in range(8):
            before = self.end()
            drop_big(self.flow, 1)
            wait_for(lambda: len(self.flow.states()) == count + 1 and not self.flow.left(), "the plan to be taken")
            newest = (set(self.flow.states()) - set(self.spans)).pop()
            self.spans[newest] = (before, self.end())
        self.agent.stop()
        return self

    def end(self):
        """The segment at hand, counted from the oldest, and where it ends."""
        found = segments(self.agent)
        return len(found) - 1, data_end(found[-1])

    def within(self, number):
        """Messages of which all is in this segment, and those of which some may be."""
        spans = self.spans.items()
        return ({name for name, (first, last) in spans if first[0] == number == last[0]},
                {name for name, (first, last) in spans if first[0] <= number <= last[0]})


@pytest.fixture(scope="module")
def many(installation):
    partner, one = Partner(installation.folder()), Many(installation)
    try:
        yield one.fill(partner)
    finally:
        one.agent.close()
        partner.stop()


@pytest.mark.parametrize("which", ["oldest", "middle"])
def test_segment_missing(which, many, agents):
    """The agent starts, tells of it with what is missing in an incident and in the trail, loses what was in that
    segment and nothing else, delivers the others and what comes then, and does not tell again."""
    agent = many.copy(agents, whole=True)
    files = segments(agent)
    number = 0 if which == "oldest" else len(files) // 2
    inside, touched = many.within(number)
    assert len(files) > 3 and inside
    files[number].unlink()
    states = start_with_partner(agent, many)
    print(f"{files[number].name} of {len(files)} is missing: {states}")
    delivered = {name for name, state in states.items() if state == "delivered"}
    assert set(many.flow.good) - touched <= delivered and not inside & delivered
    assert arrived(many) == delivered
    lines = [line for line in agent.log().splitlines() if "INCIDENT store.damaged" in line]
    assert len(lines) == 1 and int(agent.ask("status")["agent"][0]["incidents"]) >= 1, agent.log_tail()
    lost = len(many.flow.good) - len(delivered)
    assert files[number].name in lines[0] and f": {lost} messages" in lines[0], (lost, lines)
    check_trail(agent, damaged=True)
    new = plan(900)
    agent.drop("plans", "plan-0900.edi", new)
    wait_for(lambda: "plan-0900.edi" in {path.name for path in many.flow.there.iterdir()},
             lambda: f"a new plan to arrive; {agent.log_tail()}")
    agent.restart()
    assert agent.log().count("INCIDENT store.damaged") == 1
    check_trail(agent, damaged=True)
