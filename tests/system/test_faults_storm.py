"""R1: processes are killed with signal 9 again and again, at named points and at random moments, under load."""
import os

from exact import Flow, Ledger, seeded
from storm import Storm

KILLS = int(os.environ.get("ACCORD_KILLS", "50"))


def test_storm_of_kills(agent, partner):
    """R1: 50 kills of hub, links, guard and inspect: every plan arrives exactly once, every broken one comes back,
    at most one window of bodies is sent again for each kill, and the trail tells of each message once, unbroken."""
    ledger = Ledger()
    flow = Flow(agent, partner(server=ledger.server()))
    storm = Storm(flow, ledger, seeded("storm"))
    storm.rage(KILLS)
    storm.check()
