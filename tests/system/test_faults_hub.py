"""The hub is killed with signal 9 at each point where something has just become, or is about to become, durable.
Nothing is lost, nothing arrives twice, and the audit trail is whole."""
import signal

import pytest

from exact import Flow, Ledger, gone_within, seeded

# The later moment at which it is killed for a second time: somewhere in these many arrivals at the point.
POINTS = {"admit": (3, 9), "commit": (10, 30), "committed": (10, 30), "settle": (3, 9), "index": (3, 6),
          "dispatch": (6, 20), "export": (3, 6), "seal": (6, 20)}


def run_into(flow, point, number, most=40):
    flow.agent.start({"ACCORD_FAULT": f"{point}:{number}"}, ready=False)
    children = flow.feed_until_dead(most)
    assert flow.agent.process.returncode == -signal.SIGKILL, flow.agent.log_tail()
    gone_within(children, 2)
    flow.kills += 1


@pytest.mark.parametrize("point", POINTS)
def test_killed_at(point, agent, partner):
    """At this point the first time, and later once more, while plans flow: every plan arrives exactly once, every
    broken one comes back, no child outlives its hub by two seconds, and the audit trail tells of each once."""
    ledger = Ledger()
    flow = Flow(agent, partner(server=ledger.server()))
    later = seeded(f"hub {point}").randint(*POINTS[point])
    print(f"second kill at {point}:{later}")
    run_into(flow, point, 1)
    run_into(flow, point, later)
    agent.start()
    flow.drop(10)
    flow.wait_settled()
    flow.check_all(ledger)


def test_killed_between_quarantine_and_answer(agent, partner):
    """The file of a message that is quarantined already goes to rejected/ with its reason, not away as if it had been
    accepted."""
    flow = Flow(agent, partner())
    agent.start({"ACCORD_FAULT": f"committed:{seeded('quarantine').randint(34, 38)}"})
    flow.wait_up()
    flow.feed_until_dead(200, broken=True)  # from here on each commit is a quarantine
    flow.kills += 1
    agent.start()
    flow.wait_settled()
    flow.check_all()
