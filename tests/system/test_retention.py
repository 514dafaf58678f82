"""What has had its time goes by itself: messages, what nobody released from quarantine, segments of the journal."""
import pytest

from exact import Flow, Ledger
from harness import wait_for
from test_faults_clock import FAKETIME, Clock

pytestmark = pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")


def later(agent, clock, flow, offset):
    """The agent is away for that long."""
    agent.stop()
    clock.set(offset)
    agent.start(clock.environment)
    flow.wait_up()


def test_what_has_had_its_time_goes(agent, partner):
    """After message-retention what was delivered is forgotten; after quarantine-retention what is in quarantine is
    discarded, with a record; after message-retention again the journal's segments go, with a record."""
    ledger, clock = Ledger(), Clock(agent)
    server = partner(server=ledger.server())
    flow = Flow(agent, server, retention="90 days")
    agent.settings["store"] = {"segment-size": "1 MiB", "message-retention": "30 days"}
    agent.write_agent_conf()
    agent.start(clock.environment)
    flow.wait_up()
    flow.drop(9)
    flow.wait_settled()
    for number in range(6):
        agent.drop("plans", f"no-plan-{number}.edi", bytes([number]) * 500_000)
    wait_for(lambda: len([1 for row in flow.rows() if row["state"] == "quarantined"]) == 6,
             lambda: f"six to be in quarantine; {agent.log_tail()}")
    segments = {path.name for path in (agent.state / "store").glob("*.seg")}
    assert len(segments) > 2
    later(agent, clock, flow, "+40d")
    wait_for(lambda: {row["state"] for row in flow.rows()} == {"quarantined"},
             lambda: f"the delivered ones to be forgotten; {flow.states()} {agent.log_tail()}")
    assert len(flow.rows()) == 6
    later(agent, clock, flow, "+100d")
    wait_for(lambda: "quarantined" not in flow.states().values(), lambda: f"quarantine to be over; {agent.log_tail()}")

    def discards():
        return [record for record in agent.audit_records("site") if record.get("rule.name") == "hub.quarantine-retention"]
    wait_for(lambda: len(discards()) == 6, lambda: f"six to be recorded as discarded; {discards()}")
    later(agent, clock, flow, "+140d")
    wait_for(lambda: not flow.rows(), lambda: f"all to be forgotten; {flow.states()} {agent.log_tail()}")
    wait_for(lambda: any(record["event.action"] == "store-compacted" for record in agent.audit_records("host")),
             lambda: f"segments to go; {agent.log_tail()}")
    wait_for(lambda: not segments & {path.name for path in (agent.state / "store").glob("*.seg")},
             lambda: f"the last of them to go, too; {agent.log_tail()}")
    assert agent.ask("audit", "verify").code == 0
    flow.good.clear()
    flow.drop(3, broken=False)
    flow.wait_settled()
