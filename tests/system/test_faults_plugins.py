"""R12: a plugin that misbehaves. Only its own process dies, it is started again ever more slowly, nothing is lost, and
the other agreement does not notice."""
import re

import pytest

from exact import Flow, Ledger
from harness import BUILD, wait_for

ROGUE = """
[agreement]
title        = One that misbehaves
partner      = C
enabled      = yes
acknowledged = 2026-01-01
valid-for    = 30 years

[link bad]
connector = rogue
how       = {how}

[service stow-plan]
type             = stow-plan
direction        = send
link             = bad
from             = site/plans
retry-first      = 100 ms
retry-longest    = 1 s
delivery-timeout = 1 s
"""

# What it does, and what the hub says of it. "never" breaks no promise of its process: its delivery is cut.
WAYS = {
    "crash": "link-rogue failed: .*signal 11",
    "crash-on-delivery": "link-rogue failed: .*signal 11",
    "garbage": "link-rogue failed",
    "flood-channel": "link-rogue failed",
    "flood-lines": "rogue.*(left out|too many)",
    "never": None,
    "hang": "link-rogue failed: .*(answer|hung)",
}


@pytest.fixture
def flow(agent, partner):
    """A flow to a partner who is sound, in an installation that has the rogue too."""
    ledger = Ledger()
    one = Flow(agent, partner(server=ledger.server()))
    one.ledger = ledger
    agent.settings["limits"] = {"answer-within": "2 s"}
    agent.own_plugins(BUILD / "lib/accord/faults/connector-rogue.so")
    return one


def pauses(agent):
    return [int(pause) for pause in re.findall(r"link-rogue failed: .*; starting it again in (\d+) ms", agent.log())]


def deliveries(agent, name):
    """The states of the messages' deliveries to the agreement."""
    found = {}
    for row in agent.ask("messages", "--agreement", name, "--limit", 256)["messages"]:
        for delivery in agent.ask("show", row["id"])["deliveries"]:
            if delivery["to"].startswith(f"{name}/"):
                found[row["name"]] = delivery["state"]
    return found


@pytest.mark.parametrize("how", WAYS)
def test_rogue_connector(how, flow, agent):
    """R12: a connector crashes every 100 ms, crashes at each delivery, hangs in one, never finishes one,
    floods the log or its channel, or sends what is no message: its process alone is ended and started again with
    back-off, what was for it is kept, and the other agreement delivers everything meanwhile."""
    agent.write_conf("rogue.conf", ROGUE.format(how=how))
    agent.start()
    flow.wait_up()
    flow.drop(9, broken=False)
    sound = {row["process"]: row["pid"] for row in agent.ask("status")["processes"] if "rogue" not in row["process"]}
    wait_for(lambda: len(flow.ledger.renamed) == 9, lambda: f"the sound one to deliver; {agent.log_tail()}")
    if WAYS[how]:
        wait_for(lambda: re.search(WAYS[how], agent.log()), lambda: f"{WAYS[how]}; {agent.log_tail()}", 40)
    if how == "crash":
        wait_for(lambda: len(pauses(agent)) >= 4, lambda: f"four failures; {agent.log_tail()}")
        found = pauses(agent)[:4]  # what is left of them when they are told
        assert all(100 * 2 ** nth - 90 <= pause <= 100 * 2 ** nth for nth, pause in enumerate(found)), found
    flow.drop(8, broken=False)
    wait_for(lambda: len(flow.ledger.renamed) == 17, lambda: f"it to go on delivering; {agent.log_tail()}")
    flow.check_partner()
    after = {row["process"]: row["pid"] for row in agent.ask("status")["processes"] if "rogue" not in row["process"]}
    assert after == sound, "a process that had done nothing was ended"
    states = wait_for(lambda: len(deliveries(agent, "rogue")) == 17 and deliveries(agent, "rogue"),
                      lambda: f"all of its deliveries to be there: {deliveries(agent, 'rogue')}")
    assert set(states) == set(flow.good) and set(states.values()) <= {"waiting", "sending", "dead", "held"}, states
    assert agent.ask("audit", "verify").code == 0


SMUGGLER = """
[agreement]
title        = One that smuggles
partner      = C
enabled      = yes
acknowledged = 2026-01-01
valid-for    = 30 years

[endpoint far]
host = 127.0.0.1
port = 9

[link bad]
connector = smuggler
endpoint  = far

[service in]
type      = opaque
direction = receive
link      = bad
"""


def test_no_message_comes_in_without_a_session_that_was_allowed(agent):
    """What a connector offers that has an endpoint came over a session which the guard has allowed, or it is not taken
    and the connector's process ends."""
    agent.own_plugins(BUILD / "lib/accord/faults/connector-smuggler.so")
    agent.write_conf("smuggler.conf", SMUGGLER)
    agent.start()
    wait_for(lambda: re.search("link-smuggler failed: .*over a session that may not carry it", agent.log()),
             lambda: f"the hub to refuse it; {agent.log_tail()}")
    assert not agent.ask("messages", "--limit", 10)["messages"]
