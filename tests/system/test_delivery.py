"""From a folder through the agreement's policies to OpenSSH's server, and what the audit trail says of it."""
import re
import shutil

import pytest
from harness import Agent, Sshd, wait_for
from traffic import Traffic, plan

# AIS-3.11a: event type, date and time, system identification, success or failure.
ALWAYS = {"@timestamp", "event.action", "event.category", "event.outcome", "host.name", "host.ip", "accord.agreement"}


@pytest.fixture(scope="module")
def traffic(installation):
    if Sshd.binary() is None:
        pytest.skip("OpenSSH's server could not be fetched (see build/logs/servers.log)")
    server, agent = Sshd(installation.folder()), Agent(installation)
    server.start()
    one = Traffic(agent, server, {"link sftp": {"idle-close": "500 ms"}})
    yield one.start()
    agent.close()
    server.stop()


def test_a_stow_plan_arrives_whole_under_its_name(traffic):
    content = traffic.send("whole.edi", containers=40)
    row = traffic.delivered("whole.edi", content)
    delivery = traffic.delivery(row)
    assert delivery["receipt"].startswith(f"path=in/whole.edi size={len(content)} sha256=")
    assert delivery["attempts"] == "1"
    assert not [path.name for path in traffic.inbox.iterdir() if path.name.startswith(".")], "a temporary name is left"
    assert not traffic.left_behind(), "the source still has files"


def test_a_large_plan_crosses_in_pieces(traffic):
    content = traffic.send("large.edi", containers=14000)
    assert len(content) > 10 * 128 * 1024
    traffic.delivered("large.edi", content)


def test_names_reach_the_partner_without_what_could_harm_there(traffic):
    content = traffic.send("two words \u00fc.edi")
    traffic.delivered("two words \u00fc.edi", content)
    content = plan("ESCAPES")
    traffic.agent.drop("plans", "a\nb\\c\x1b[31m.edi", content)
    row = traffic.delivered("a_b_c_[31m.edi", content)
    assert row["name"] == "a_b_c_[31m.edi"


def test_two_hundred_files_all_arrive_exactly_once(traffic):
    before = {path.name for path in traffic.inbox.iterdir()}
    sent = {f"many-{i:03}.edi": plan(f"MANY{i}", containers=1) for i in range(200)}
    for name, content in sent.items():
        traffic.agent.drop("plans", name, content)

    def arrived():
        return {path.name for path in traffic.inbox.iterdir() if path.name[0] != "."} - before
    wait_for(lambda: len(arrived()) >= 200, lambda: f"200 files, there are {len(arrived())}", 60)
    assert {name: (traffic.inbox / name).read_bytes() for name in arrived()} == sent

    def settled():
        rows = traffic.agent.ask("messages", "--limit", "256")["messages"]
        return [row["name"] for row in rows if row["name"].startswith("many-") and row["state"] == "delivered"]
    wait_for(lambda: len(settled()) == 200, lambda: f"200 deliveries to be settled, {len(settled())} are")
    assert sorted(settled()) == sorted(sent), "a file became two messages"
    wait_for(lambda: len([r for r in traffic.records("message-delivered") if r["accord.name"] in sent]) == 200,
             "200 records of deliveries")
    assert not traffic.left_behind()


def test_every_step_of_a_delivery_has_its_record(traffic):
    # An idle session is closed, so that this one begins its own.
    wait_for(lambda: len(traffic.records("session-ended")) == len(traffic.records("connection-attempted")),
             "the session to be closed when there is nothing to send")
    seen = len(traffic.records())
    content = traffic.send("recorded.edi")
    row = traffic.delivered("recorded.edi", content)
    wait_for(lambda: "session-ended" in [r["event.action"] for r in traffic.records()[seen:]], "the session's end")
    records = traffic.records()[seen:]
    steps = ["message-admitted", "connection-attempted", "session-allowed", "secret-used", "session-allowed",
             "message-delivered", "session-ended"]
    assert [record["event.action"] for record in records] == steps
    for record in records:
        assert set(record) > ALWAYS, record
        assert record["event.outcome"] == "success", record
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record["@timestamp"])
    admitted, connected, handshake, secret, authenticated, delivered, _ = records
    assert connected["destination.address"] == f"127.0.0.1:{traffic.server.port}"
    assert handshake["accord.details.ssh.host-key.sha256"] == traffic.server.host_key.fingerprint
    assert handshake["accord.details.ssh.cipher.out"] == "aes256-gcm@openssh.com"
    assert authenticated["accord.details.ssh.user"] == traffic.server.user
    assert secret["accord.details.option"] == "key"
    assert traffic.server.user_key.private.decode().split("\n")[1] not in str(records), "the key is in the trail"
    for record in (admitted, delivered):
        assert record["accord.message"] == row["id"]
        assert record["accord.size"] == len(content)
        assert record["accord.type"] == "stow-plan"
    assert delivered["accord.receipt"] == traffic.delivery(row)["receipt"]
    source = traffic.wait_record("message-admitted", chain="site", accord_message=row["id"])
    assert source["accord.details.verdict.isa/stow-plan"].startswith("allow")


def test_the_audit_trail_of_a_running_agent_is_unbroken_at_every_moment(traffic):
    for _ in range(8):
        traffic.agent.ask("submit", "site/nothing", __file__)  # makes a record that is not exported yet
        answer = traffic.agent.ask("audit", "verify")
        assert answer.code == 0, answer
        assert answer["trail"][0]["heads"] == "compared"
        assert answer["trail"][0]["signatures"] == "checked"


def change_byte(lines):
    lines[3] = lines[3].replace(b'"event.outcome":"success"', b'"event.outcome":"Success"')
    return 4


def cut_line(lines):
    del lines[4]
    return 5


def cut_end(lines):
    del lines[-2:]
    return 0


def swap_lines(lines):
    lines[2], lines[3] = lines[3], lines[2]
    return 4


@pytest.fixture(scope="module")
def stopped(installation):
    """The state folder of an agent that delivered something and has stopped."""
    if Sshd.binary() is None:
        pytest.skip("OpenSSH's server could not be fetched (see build/logs/servers.log)")
    server, agent = Sshd(installation.folder()), Agent(installation)
    server.start()
    one = Traffic(agent, server).start()
    one.delivered("last.edi", one.send("last.edi"))
    assert agent.stop() == 0
    yield agent
    agent.close()
    server.stop()


@pytest.mark.parametrize("damage,fault", [(change_byte, "changed"), (cut_line, "missing"), (cut_end, "cut"),
                                          (swap_lines, "swapped")])
def test_what_is_done_to_a_copy_of_the_trail_is_found_and_named(stopped, damage, fault):
    copy = stopped.home / damage.__name__
    shutil.copytree(stopped.state / "audit", copy)
    whole = stopped.ask("audit", "verify", copy)
    assert whole.code == 0, whole
    path = next(copy.glob("isa/*.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    line = damage(lines)
    path.write_bytes(b"".join(lines))
    answer = stopped.ask("audit", "verify", copy)
    assert answer.code == 1, answer
    problem = answer["problems"][0]
    assert problem["fault"] == fault, answer
    assert problem["file"].startswith("isa/")
    assert not line or problem["line"] == str(line), answer
    assert problem["text"]


def test_nothing_is_sent_where_nothing_is_configured_to_go(traffic):
    """The partner's own word: one user, one folder, no command but SFTP."""
    assert "Accepted publickey" in traffic.server.log()
    assert "Failed" not in traffic.server.log()
    assert {path.name for path in traffic.server.files.iterdir()} == {"in"}
