"""Links, guards and inspect processes are killed or stopped under load. The hub starts them again; nothing is
lost and nothing arrives twice."""
import collections
import os
import re
import signal

from exact import Flow, Ledger, gone_within, seeded
from harness import alive, give, wait_for

BACK_OFF = 100  # milliseconds before the first new start; it doubles

POLLING = """
[service back]
type      = stow-plan
direction = receive
link      = sftp
directory = /back
poll      = 100 ms
"""


def processes(agent):
    """The ready ones, by name."""
    return {row["process"]: int(row["pid"]) for row in agent.ask("status")["processes"]
            if row["state"] == "ready" and row["pid"]}


def pauses(agent):
    """How long each process was left alone after each failure, in milliseconds."""
    found = collections.defaultdict(list)
    for name, pause in re.findall(r"(\S+) failed: .*; starting it again in (\d+) ms", agent.log()):
        found[name].append(int(pause))
    return found


def check_back_off(agent, failures):
    found = pauses(agent)
    assert {name: len(list_) for name, list_ in found.items()} == dict(failures), agent.log_tail()
    for name, list_ in found.items():
        for nth, pause in enumerate(list_):
            due = BACK_OFF * 2 ** nth
            assert due - 20 <= pause <= due, f"{name}: {list_}"
    records = agent.audit_records()
    failed = collections.Counter(record["accord.module"] for record in records
                                 if record["event.action"] == "process-failed")
    assert failed == failures, "each failure is in the audit trail"


def test_processes_killed_at_random(agent, partner):
    """Links, guard and inspect are killed ten times under load, each when the partner has seen a random number of
    further requests: they are started again with back-off, and every plan arrives exactly once."""
    random, ledger, failures = seeded("children"), Ledger(), collections.Counter()
    flow = Flow(agent, partner(server=ledger.server()))
    agent.start()
    flow.wait_up()
    names = sorted(processes(agent))
    assert names == ["guard-isa", "inspect-isa", "link-isa", "link-site/plans"]
    victims = names * 2 + random.sample(names, 2)
    random.shuffle(victims)
    print("killed:", victims)
    for name in victims:
        flow.feed_past(random.randint(1, 40), ledger)
        pid = wait_for(lambda: processes(agent).get(name), f"{name} to be ready")
        os.kill(pid, signal.SIGKILL)
        failures[name] += 1
        flow.kills += name == "link-isa"
    flow.wait_settled()
    flow.check_all(ledger)
    check_back_off(agent, failures)


def test_children_follow_a_killed_hub(agent, partner):
    """When the hub is killed, no child outlives it by two seconds, not even one that is stopped."""
    flow = Flow(agent, partner())
    agent.start()
    flow.wait_up()
    flow.drop(5)
    children = agent.children()
    assert len(children) == 4
    stopped = processes(agent)["guard-isa"]
    os.kill(stopped, signal.SIGSTOP)
    agent.process.kill()
    agent.process.wait()
    gone_within(children, 2)
    agent.start()
    flow.wait_settled()
    flow.check_all()


def test_hung_processes_are_killed(agent, partner):
    """A guard, a link and a site link that answer nothing any more are killed when `answer-within` is over, and
    started again; every plan arrives exactly once."""
    agent.settings["limits"] = {"answer-within": "3 s"}
    agent.write_agent_conf()
    ledger = Ledger()
    flow = Flow(agent, partner(server=ledger.server()))
    agent.start()
    flow.wait_up()
    flow.drop(5)
    flow.wait_settled()
    hung = [pid for name, pid in processes(agent).items() if name != "inspect-isa"]
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    flow.kills += 1
    flow.drop(5)
    wait_for(lambda: not any(alive(pid) for pid in hung), "the hub to kill what hangs", 8)
    flow.wait_settled()
    flow.check_all(ledger)
    assert agent.log().count("hub.hung") >= 3


def test_a_link_does_not_connect_without_its_guard(agent, partner):
    """A link that polls all the time, while its guard is killed again and again, connects only when the guard has said
    what a session may negotiate; it tries again, and is not parked."""
    flow = Flow(agent, partner())
    (flow.partner.files / "back").mkdir()
    give(flow.partner.files, "daemon")
    text = (agent.conf / "isa.conf").read_text()
    agent.write_conf("isa.conf", text.replace("connections = 1", "connections = 1\nidle-close = 0 s") + POLLING)
    agent.start()
    flow.wait_up()
    for _ in range(5):
        os.kill(wait_for(lambda: processes(agent).get("guard-isa"), "the guard to be ready"), signal.SIGKILL)
    flow.wait_up()
    flow.drop(2)
    flow.wait_settled()
    assert "link-parked" not in {record["event.action"] for record in agent.audit_records()}
