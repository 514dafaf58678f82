"""R1: processes are killed with signal 9 again and again, at named points and at random moments, under load."""
import os
import pathlib
import statistics

import pytest

from exact import Flow, Ledger, seeded
from harness import ROOT, Agent, Installation
from storm import Storm

KILLS = int(os.environ.get("ACCORD_KILLS", "50"))
RELEASE = pathlib.Path(os.environ.get("ACCORD_RELEASE", ROOT / "build/release"))
STARTS = 10


@pytest.mark.long
def test_storm_of_kills(agent, partner):
    """R1: 50 kills of hub, links, guard and inspect: every plan arrives exactly once, every broken one comes back,
    at most one window of bodies is sent again for each kill, and the trail, which verifies after each kill of the hub,
    tells of each message once."""
    ledger = Ledger()
    flow = Flow(agent, partner(server=ledger.server()))
    storm = Storm(flow, ledger, seeded("storm"))
    storm.rage(KILLS)
    storm.check()


@pytest.fixture
def released():
    """An agent as it is released: without sanitizers, optimised."""
    if not (RELEASE / "bin/accordd").exists():
        pytest.skip("there is no release build (make check makes it)")
    installation = Installation(RELEASE)
    agent = Agent(installation)
    yield agent
    agent.close()
    installation.remove()


@pytest.mark.alone
def test_first_delivery_after_a_kill(released, partner):
    """R1: after each of ten kills of the hub under load, the first delivery is made within a second of the start of the
    new process, measured at the partner, in the release build (the middle one of them: the machine may be busy; all
    are told)."""
    ledger = Ledger()
    storm = Storm(Flow(released, partner(server=ledger.server())), ledger, seeded("latency"))
    for _ in range(STARTS):
        storm.live(None)
    storm.flow.kills = sum(storm.kills.values())
    storm.begin(None)
    print(storm.latency())
    storm.check()
    assert statistics.median(storm.latencies) <= 1.0, storm.latency()
