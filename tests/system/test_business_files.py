"""CBP's other files the whole way: container status, ACE transactions and AES commodity data (CBP-1a.1 to CBP-1a.3, CBP-1b);
and the password in an ACE batch, which nothing may show (CBP-2g)."""
import subprocess

import pytest
from harness import Agent, Sshd, give, wait_for
from traffic import Traffic, receiving

TYPES = {"csm": "container-status", "ace": "ace-transaction", "aes": "aes-commodity"}
PASSWORD = "HUSHPW"


def batch(application, *details, site="9999XXX", filler=" "):
    """80-column records in one block, each followed by LF."""
    lines = [f"A{site}{PASSWORD}011526     {application}{filler}", f"B  2704XXX{application}", *details,
             f"Y  2704XXX{application}", f"Z{site}      011526"]
    return "".join(f"{line:80}\n" for line in lines).encode()


def status(number, segments=4):
    """An X12 315 under this control number, which says that it has so many segments."""
    fields = ["ISA", "00", " " * 10, "00", " " * 10, "ZZ", f"{'ACME':15}", "ZZ", f"{'USCBP':15}", "260115", "1200", "U",
              "00401", f"{number:09}", "0", "P", ">"]
    return "~\n".join(["*".join(fields), "GS*QO*ACME*USCBP*20260115*1200*1*X*004010", "ST*315*0001",
                       "B4***VA*20260115*0807**ABCU*123456*L", "R4*L*UN*USNYC", f"SE*{segments}*0001", "GE*1*1",
                       f"IEA*1*{number:09}", ""]).encode()


GOOD = {"csm": status(1), "ace": batch("FT", "10A0010101"), "aes": batch("XP", "SC1")}
BAD = {"csm": (status(2, segments=5), "container-status.se-count"),
       "ace": (batch("FT", filler="   X"), "ace-transaction.filler"),
       "aes": (batch("XP", "SC2"), "aes-commodity.shipment")}


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
    traffic.send("csm-once", status(7), folder="csm")
    traffic.delivered("csm-once", status(7))
    traffic.send("csm-again", status(7) + b"\n", folder="csm")
    row = traffic.wait("csm-again", "quarantined")
    assert row["rule"] == "hub.key-used" and "x12:ACME:000000007" in row["reason"], row


def test_validate_gives_the_verdict_that_the_agent_would(traffic):
    agent = traffic.agent
    path = agent.home / "file"
    for folder, type_ in TYPES.items():
        for content, code, rule in ((GOOD[folder], 0, None), (BAD[folder][0], 1, BAD[folder][1])):
            path.write_bytes(content)
            give(path)
            answer = agent.ask("validate", type_, path, "--agreement", "isa")
            assert answer.code == code and (rule is None or rule in answer.line), answer
            assert PASSWORD not in str(answer)


def test_no_command_no_log_no_trail_and_no_state_shows_the_password(traffic):
    """Batches that are refused in front of, behind and in the password, and one that is delivered."""
    agent, good = traffic.agent, GOOD["ace"]
    spoilt = {"short": good[:8] + good[9:], "shifted": b"A" * 20 + good, "byte": good.replace(b"HUSH", b"HUS\x01H", 1),
              "sender": good.replace(b"A9999XXX", b"A9999", 1), "end": good[:13], "application": batch(PASSWORD[:2], "10")}
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
    assert not [path for path in files for piece in pieces if piece.encode() in path.read_bytes()]
