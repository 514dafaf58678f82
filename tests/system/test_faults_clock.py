"""R14: the clock jumps, by hours and by years, forwards and back."""
import glob
import json
import pathlib

import pytest

from exact import Flow, Ledger
from harness import SANITIZERS, give, wait_for

FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)
pytestmark = pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")


class Clock:
    """The wall clock of an agent, as far away from ours as its file says."""

    def __init__(self, agent):
        self.path = agent.home / "clock"
        self.environment = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(self.path), "FAKETIME_NO_CACHE": "1",
                            "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                            "ASAN_OPTIONS": SANITIZERS["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}
        self.set("+0")

    def set(self, offset):
        new = pathlib.Path(f"{self.path}.new")
        new.write_text(offset + "\n")
        give(new)
        new.rename(self.path)


def order_kept(agent):
    """Each day's file has its records in the order in which they were made, and together they have them all."""
    for chain in ("host", "site", "isa"):
        numbers = []
        for path in (agent.state / "audit" / chain).glob("*.jsonl"):
            found = [json.loads(line)["accord.sequence"] for line in path.read_text().splitlines()]
            assert found == sorted(found), path
            numbers += found
        assert sorted(numbers) == list(range(1, len(numbers) + 1)), chain


@pytest.mark.long
@pytest.mark.parametrize("jumps", [["-1d", "+0"], ["+400d", "-100d", "+0"], ["-30s", "+30s", "-3600s"]],
                         ids=["a-day-back", "years-both-ways", "small-ones"])
def test_clock_jumps(jumps, agent, partner):
    """R14: the wall clock jumps between deliveries, and once more while the partner is away: nothing is lost or
    delivered twice, what waits for its retry is not given up, the agreement does not expire before its day, and each
    chain of the trail stays in order and whole, over a restart too."""
    ledger, clock = Ledger(), Clock(agent)
    server = partner(server=ledger.server())
    flow = Flow(agent, server)
    agent.settings["store"] = {"message-retention": "10 years"}
    agent.write_agent_conf()
    agent.start(clock.environment)
    flow.wait_up()
    for offset in jumps:
        flow.drop(3)
        clock.set(offset)
        flow.drop(3)
        flow.wait_settled()
    for offset in jumps:
        ledger.refuses, seen = True, ledger.refused
        flow.drop(2, broken=False)
        wait_for(lambda: ledger.refused > seen + 2, lambda: f"plans to be refused; {agent.log_tail()}")
        clock.set(offset)
        wait_for(lambda: ledger.refused > seen + 6, lambda: f"it to be tried again; {agent.log_tail()}")
        ledger.refuses = False
        flow.wait_settled()
    flow.check_all(ledger)
    order_kept(agent)
    agent.restart(environment=clock.environment)
    flow.drop(2, broken=False)
    flow.wait_settled()
    flow.check_all(ledger)
    order_kept(agent)
