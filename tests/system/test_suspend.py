"""Suspending an agreement cuts it at once and for as long as a person wants; parked links come back in the ways that the
guide names."""
import threading

import asyncssh
import pytest

from harness import Key, alive, wait_for
from traffic import Traffic


class Slow(asyncssh.SFTPServer):
    """Takes the first bytes and then nothing until it may go on."""
    go_on = threading.Event()
    begun = threading.Event()

    async def write(self, file_obj, offset, data):
        Slow.begun.set()
        while not Slow.go_on.is_set():
            await asyncssh.sftp.asyncio.sleep(0.02)
        return super().write(file_obj, offset, data)


@pytest.fixture
def slow(agent, partner):
    Slow.go_on.clear()
    Slow.begun.clear()
    traffic = Traffic(agent, partner(server=Slow))
    yield traffic
    Slow.go_on.set()


def processes(agent, of):
    return [int(row["pid"]) for row in agent.ask("status")["processes"] if row["pid"] and row["process"].endswith(of)]


def row(traffic, name="isa"):
    return next(row for row in traffic.agent.ask("agreements")["agreements"] if row["agreement"] == name)


def test_suspend_cuts_in_mid_transfer_and_holds_until_resumed(slow):
    slow.start()
    content = slow.send("plan.edi")
    wait_for(Slow.begun.is_set, "the transfer to be under way")
    children = processes(slow.agent, "-isa")
    assert len(children) == 3
    answer = slow.agent.ask("suspend", "isa", "--reason", "the partner reports an intrusion")
    assert answer.code == 0, answer
    wait_for(lambda: not any(alive(pid) for pid in children), "its processes to be gone", 2)
    held = slow.wait("plan.edi", "held")
    assert "the partner reports an intrusion" in slow.delivery(held)["reason"]
    shown = row(slow)
    assert shown["state"] == "suspended" and "the partner reports an intrusion" in shown["reason"]
    record = slow.wait_record("agreement-suspended")
    assert record["event.reason"] == "the partner reports an intrusion" and record["user.name"]
    assert slow.wait_record("session-revoked")
    assert row(slow, "site")["state"] == "up"
    later = slow.send("later.edi")
    slow.wait("later.edi", "held")
    assert not list(slow.inbox.glob("*.edi"))
    Slow.go_on.set()
    assert slow.agent.ask("resume", "isa", "--reason", "all clear").code == 0
    slow.delivered("plan.edi", content)
    slow.delivered("later.edi", later)
    assert slow.wait_record("agreement-resumed")["event.reason"] == "all clear"
    assert slow.agent.ask("audit", "verify").code == 0


def test_suspension_outlives_the_agent_and_so_does_its_end(agent, partner):
    traffic = Traffic(agent, partner()).start()
    assert agent.ask("suspend", "isa", "--reason", "hold on").code == 0
    agent.kill()
    agent.start()
    assert row(traffic)["state"] == "suspended" and "hold on" in row(traffic)["reason"]
    traffic.send("plan.edi")
    traffic.wait("plan.edi", "held")
    traffic.write_agreement({"agreement": {"title": "Another title"}})
    assert traffic.reload().code == 0
    assert row(traffic)["state"] == "suspended"
    assert not processes(agent, "-isa")
    assert agent.ask("resume", "isa").code == 0
    traffic.wait("plan.edi", "delivered")
    agent.restart()
    traffic.wait_up()


def test_broken_or_disabled_agreement_can_be_suspended(agent, partner):
    traffic = Traffic(agent, partner(), {"agreement": {"enabled": "perhaps"}})
    agent.start()
    assert not [row for row in agent.ask("agreements")["agreements"] if row["agreement"] == "isa"]
    assert agent.ask("suspend", "isa").code == 0
    assert row(traffic)["state"] == "suspended"
    agent.restart()
    wait_for(lambda: row(traffic)["state"] == "suspended", "the suspension to be read")
    traffic.write_agreement({"agreement": {"enabled": "no"}})
    assert traffic.reload().code == 0
    assert row(traffic)["state"] == "suspended"
    traffic.write_agreement()
    assert traffic.reload().code == 0
    assert row(traffic)["state"] == "suspended" and not processes(agent, "-isa")
    assert agent.ask("resume", "isa").code == 0
    traffic.wait_up()


def test_suspension_goes_with_the_messages_when_the_file_is_renamed(agent, partner):
    traffic = Traffic(agent, partner()).start()
    assert agent.ask("suspend", "isa", "--reason", "hold on").code == 0
    traffic.send("plan.edi")
    traffic.wait("plan.edi", "held")
    agent.secret("isb", "id", traffic.server.user_key.private)
    (agent.conf / "isa.conf").unlink()
    traffic.write_agreement({"agreement": {"formerly": "isa"}}, name="isb")
    traffic.reload()
    traffic.wait_state("suspended", "isb")
    traffic.wait_record("agreement-adopted", chain="isb")
    assert row(traffic, "isb")["state"] == "suspended" and not processes(agent, "-isb")
    assert not traffic.records("agreement-up", chain="isb")
    wait_for(lambda: agent.ask("resume", "isb").code == 0, "the suspension to be the new agreement's")
    traffic.wait("plan.edi", "delivered")
    agent.restart()
    traffic.wait_up("isb")


def test_what_cannot_be_suspended_or_resumed_is_said(agent, partner):
    traffic = Traffic(agent, partner()).start()
    answer = agent.ask("suspend", "nobody")
    assert answer.code == 1 and "no agreement of that name" in answer.line
    answer = agent.ask("resume", "isa")
    assert answer.code == 1 and "not suspended" in answer.line
    answer = agent.ask("resume", "isa/sftp")
    assert answer.code == 1 and "no parked link 'sftp'" in answer.line
    assert traffic.state() == "up"


# ---- parked links ----

def refusing(agent, server, *changes):
    """Traffic whose partner knows another key: the link gets parked."""
    server.authorized.write_text(Key().public)
    return Traffic(agent, server, *changes)


def test_parked_link_is_tried_again_slowly_and_tells_of_no_new_incident(agent, partner):
    server = partner()
    traffic = refusing(agent, server)
    agent.settings["limits"] = {"parked-retry": "2 s"}
    agent.write_agent_conf()
    traffic.start()
    content = traffic.send("plan.edi")
    link = traffic.wait_parked()
    assert link["rule"] == "sftp.auth-refused" and link["since"] and link["next-try"].startswith("in "), link
    wait_for(lambda: len(traffic.records("link-parked")) >= 2, "the slow retry to be refused")
    assert len(traffic.records("incident-opened")) == 1
    server.authorized.write_text(server.user_key.public)
    traffic.delivered("plan.edi", content)
    assert traffic.link()["state"] == "open"


def test_one_link_is_resumed_by_name(agent, partner):
    server = partner()
    traffic = refusing(agent, server).start()
    content = traffic.send("plan.edi")
    traffic.wait_parked()
    server.authorized.write_text(server.user_key.public)
    assert agent.ask("resume", "isa/nothing").code == 1
    answer = agent.ask("resume", "isa/sftp", "--reason", "they let us in again")
    assert answer.code == 0 and "1 parked link" in answer.line
    traffic.delivered("plan.edi", content)
    record = traffic.wait_record("link-resumed")
    assert record["event.reason"] == "they let us in again" and record["user.name"]


def test_changed_agreement_resumes_its_parked_link_and_an_unchanged_one_does_not(agent, partner):
    server = partner()
    traffic = refusing(agent, server).start()
    traffic.send("plan.edi")
    traffic.wait_parked()
    assert traffic.reload().code == 0
    assert traffic.link()["state"] == "parked"
    traffic.write_agreement({"agreement": {"title": "Another title"}})
    assert traffic.reload().code == 0
    wait_for(lambda: len(traffic.records("link-parked")) == 2, "the link to be tried and parked again")


# ---- reload in mid-transfer ----

def test_reload_in_mid_transfer_lets_it_finish_and_settles_it_once(slow):
    slow.start()
    content = slow.send("plan.edi")
    wait_for(Slow.begun.is_set, "the transfer to be under way")
    before = processes(slow.agent, "-isa")
    slow.write_agreement({"agreement": {"title": "Another title"}})
    assert slow.reload().code == 0
    slow.wait_state("draining")
    Slow.go_on.set()
    delivered = slow.delivered("plan.edi", content)
    slow.wait_up()
    assert not set(before) & set(processes(slow.agent, "-isa"))
    assert slow.delivery(delivered)["attempts"] == "1"
    slow.wait_record("message-delivered")
    assert len(slow.records("message-delivered")) == 1


def test_transfer_that_does_not_finish_in_its_time_is_cut_and_made_again(agent, partner):
    Slow.go_on.clear()
    Slow.begun.clear()
    agent.settings["limits"] = {"drain-timeout": "1 s"}
    agent.write_agent_conf()
    traffic = Traffic(agent, partner(server=Slow)).start()
    content = traffic.send("plan.edi")
    wait_for(Slow.begun.is_set, "the transfer to be under way")
    traffic.write_agreement({"agreement": {"title": "Another title"}})
    assert traffic.reload().code == 0
    wait_for(lambda: len(traffic.records("agreement-up")) == 2, "the agreement to be up again")
    Slow.go_on.set()
    traffic.delivered("plan.edi", content)
