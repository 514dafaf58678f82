"""CBP's other files the whole way: container status, ACE transactions and AES commodity data (CBP-1a.1 to CBP-1a.3, CBP-1b);
and the password in an ACE batch, which nothing may show (CBP-2g)."""
import subprocess

import pytest
from harness import Agent, Sshd, give, wait_for
from traffic import Traffic, receiving

import make_records

TYPES = {"csm": "container-status", "ace": "ace-transaction", "aes": "aes-commodity"}
PASSWORD = "HUSHPW"  # in the place of the records' own, which other things are called as well


def batch(content):
    return content.replace(make_records.PASSWORD.encode(), PASSWORD.encode())


GOOD = {"csm": make_records.container_status(1), "ace": batch(make_records.ace_transaction()),
        "aes": batch(make_records.aes_commodity())}
BAD = {"csm": (make_records.container_status(2, break_="count"), "container-status.se-count"),
       "ace": (GOOD["ace"][:29] + b"X" + GOOD["ace"][30:], "ace-transaction.filler"),
       "aes": (GOOD["aes"].replace(b"SC1", b"SC2"), "aes-commodity.shipment")}


@pytest.fixture(scope="module")
def traffic(installation):
    if Sshd.binary() is None:
        pytest.skip("OpenSSH's server could not be fetched (see build/logs/servers.log)")
    server, agent = Sshd(installation.folder()), Agent(installation)
    server.start()
    site, services = {}, {}
    for folder, type_ in TYPES.items():
        agent.site_folder(folder)
        site |= receiving(folder, type_)
        services[f"service {folder}"] = {"type": type_, "direction": "send", "link": "sftp", "directory": "in",
                                         "from": f"site/{folder}"}
    one = Traffic(agent, server, services, site=site)
    yield one.start()
    agent.close()
    server.stop()


def test_each_type_arrives_whole_or_is_refused_by_its_rule(traffic):
    for folder in TYPES:
        traffic.send(f"{folder}-good", GOOD[folder], folder=folder)
        traffic.send(f"{folder}-bad", BAD[folder][0], folder=folder)
    for folder in TYPES:
        traffic.delivered(f"{folder}-good", GOOD[folder])
        row = traffic.wait(f"{folder}-bad", "quarantined")
        assert row["rule"] == BAD[folder][1], row
        assert row["reason"] in traffic.rejected(f"{folder}-bad", BAD[folder][0], folder)
        assert not (traffic.inbox / f"{folder}-bad").exists()


def test_a_control_number_of_x12_is_taken_once(traffic):
    content = make_records.container_status(7)
    traffic.send("csm-once", content, folder="csm")
    traffic.delivered("csm-once", content)
    traffic.send("csm-again", content + b"\n", folder="csm")
    row = traffic.wait("csm-again", "quarantined")
    assert row["rule"] == "hub.key-used" and "x12:ACME:000000007" in row["reason"], row


def test_validate_gives_the_verdict_that_the_agent_would(traffic):
    agent = traffic.agent
    path = agent.home / "file"
    for folder, (content, expected) in {**BAD, "aes": (GOOD["aes"], "allowed")}.items():
        path.write_bytes(content)
        give(path)
        answer = agent.ask("validate", TYPES[folder], path, "--agreement", "isa")
        assert answer.code == (expected != "allowed") and expected in answer.line, answer
        assert PASSWORD not in str(answer)


def test_no_command_no_log_no_trail_and_no_state_shows_the_password(traffic):
    """Batches that are refused before, in and behind the password, and one that is delivered; pieces of it count."""
    agent, good = traffic.agent, GOOD["ace"]
    spoilt = {"short": good[:8] + good[9:], "shifted": b"A" * 20 + good, "byte": good.replace(b"HUSH", b"HUS\x01H", 1),
              "sender": good[:5] + good[8:], "end": good[:13], "application": good[:25] + good[8:10] + good[27:]}
    traffic.send("hushed", good, folder="ace")
    for name, content in spoilt.items():
        traffic.send(name, content, folder="ace")
    traffic.delivered("hushed", good)
    rows = [agent.wait_message(name="hushed")] + [agent.wait_message(name=name) for name in spoilt]
    wait_for(lambda: all(traffic.agent.wait_message(name=name)["state"] in ("quarantined", "delivered")
                         for name in spoilt), "all to be settled")
    shown = [str(agent.ask(*words)) for row in rows for words in (("show", row["id"]), ("explain", row["id"]))]
    shown += [str(agent.ask(*words)) for words in (("messages",), ("status",), ("quarantine", "list"), ("metrics",))]
    plain = subprocess.run([agent.installation.command, "--conf", agent.conf, "messages"], capture_output=True, text=True,
                           timeout=120, check=False, env=agent.installation.environment)
    pieces = [PASSWORD[at:at + 4] for at in range(len(PASSWORD) - 3)]
    shown += [plain.stdout, plain.stderr, agent.log()]
    shown += [path.read_text() for path in (agent.site / "ace/rejected").glob("*.reason.txt")]
    assert len(rows) == 7 and "hushed" in plain.stdout
    assert not [text for text in shown for piece in pieces if piece in text]
    files = [path for path in agent.state.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 5
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
