"""What a partner, a key or a network can do to a session: nothing is sent that should not be, the operator is told what
to do, and every message arrives in the end."""
import os
import signal
from datetime import datetime

import pytest
from harness import Key, asyncssh, children_of, give, wait_for
from traffic import Traffic, plan

EXISTING = {"service stow-plan": {"if-exists": "same-content-is-delivered"}}


@pytest.fixture
def to_sshd(agent, sshd):
    """A function that makes the traffic to OpenSSH's server."""
    return lambda *changes: Traffic(agent, sshd, *changes)


def connections(server):
    """How many the agent made: each start of the server is followed by one of the harness."""
    return server.log().count("Connection from 127.0.0.1") - server.log().count("Server listening on")


def check_parked(traffic, rule, *words):
    """The operator's view of a link that waits for a person; everything that waits for it is kept."""
    link = traffic.wait_parked()
    assert link["rule"] == rule, link
    record = traffic.wait_record("link-parked")
    incident = traffic.wait_record("incident-opened")
    for text in (link["reason"], record["event.reason"], incident["event.reason"], traffic.agent.log()):
        for word in words:
            assert word in text, f"{word!r} is not in {text}"
    assert record["rule.name"] == incident["rule.name"] == rule
    assert int(traffic.agent.ask("status")["agent"][0]["incidents"]) == 1
    return link


# ---- who they are ----

def test_a_wrong_host_key_parks_the_link_before_anybody_logs_in(to_sshd):
    expected = Key().fingerprint
    traffic = to_sshd({"link sftp": {"host-key": expected}}).start()
    content = traffic.send("plan.edi")
    shown = traffic.server.host_key.fingerprint
    check_parked(traffic, "sftp.host-key-changed", shown, expected, "Ask the partner", "correct host-key")
    assert traffic.wait("plan.edi", "waiting")
    assert not traffic.records("secret-used", "session-allowed")
    wait_for(lambda: connections(traffic.server) == 1, "sshd to log the connection")
    assert not [word for word in ("Accepted", "Failed", "userauth", "publickey") if word in traffic.server.log()]
    # The operator has asked, and corrects the file.
    traffic.write_agreement()
    assert traffic.reload().code == 0
    traffic.delivered("plan.edi", content)
    assert traffic.link()["state"] == "open"


def test_a_refused_key_parks_the_link_and_the_server_is_not_asked_again(to_sshd):
    traffic = to_sshd()
    allowed = traffic.server.folder / "authorized_keys"
    allowed.write_text(Key().public)
    traffic.start()
    contents = {"first.edi": traffic.send("first.edi")}
    check_parked(traffic, "sftp.auth-refused", f"refuses user {traffic.server.user}", '"id"', "ask the partner")
    contents["second.edi"] = traffic.send("second.edi")
    for name in contents:
        traffic.wait(name, "waiting")
    assert traffic.agent.ask("resume", "isa/sftp").code == 0  # an operator who has mended nothing
    wait_for(lambda: len(traffic.records("link-parked")) == 2, "the link to be parked again")
    assert connections(traffic.server) == 2
    assert len(traffic.records("connection-attempted")) == 2
    allowed.write_text(traffic.server.user_key.public)
    assert traffic.agent.ask("resume", "isa").code == 0
    for name, content in contents.items():
        traffic.delivered(name, content)
    traffic.wait_record("link-resumed")


def test_no_session_comes_about_without_an_allowed_algorithm(to_sshd):
    traffic = to_sshd()
    traffic.server.stop()
    traffic.server.options["Ciphers"] = "aes128-ctr,chacha20-poly1305@openssh.com"
    traffic.server.start()
    traffic.start()
    content = traffic.send("plan.edi")
    check_parked(traffic, "sftp.no-common-algorithm", "[policy encryption]", "aes128-ctr")
    assert traffic.wait("plan.edi", "waiting")
    assert "Accepted" not in traffic.server.log() and not traffic.records("secret-used")
    traffic.server.stop()
    traffic.server.options["Ciphers"] = "aes128-ctr,aes256-ctr"
    traffic.server.start()
    assert traffic.agent.ask("resume", "isa").code == 0
    traffic.delivered("plan.edi", content)
    assert traffic.wait_record("session-allowed")["accord.details.ssh.cipher.out"] == "aes256-ctr"


# ---- our own secret ----

def make_open(path):
    path.chmod(0o644)
    return [f"run: chmod 600 {path}"]


def make_unreadable(path):
    path.chmod(0o000)
    return ["Permission denied", f"run: chmod 600 {path}"]


def make_missing(path):
    path.unlink()
    return [f"there is no file {path}", "put the secret there"]


def make_nonsense(path):
    path.write_bytes(b"-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n-----END OPENSSH PRIVATE KEY-----\n")
    return ['the private key "id" cannot be read', "not an OpenSSH or PEM key"]


@pytest.mark.parametrize("spoil", [make_open, make_unreadable, make_missing, make_nonsense])
def test_a_secret_that_is_spoilt_parks_the_link_with_the_remedy(to_sshd, spoil):
    traffic = to_sshd().start()
    words = spoil(traffic.agent.credentials / "isa/id")
    content = traffic.send("plan.edi")
    check_parked(traffic, "sftp.bad-key", *words)
    if spoil is not make_nonsense:
        refused = traffic.wait_record("secret-refused")
        assert refused["event.outcome"] == "failure" and words[-1] in refused["event.reason"]
    assert traffic.wait("plan.edi", "waiting")
    assert "Accepted" not in traffic.server.log()
    (traffic.agent.credentials / "isa/id").unlink(missing_ok=True)
    traffic.agent.secret("isa", "id", traffic.server.user_key.private)
    traffic.delivered("plan.edi", content)  # the hub has seen the new file
    assert "a file of its secrets has changed" in [record["event.reason"] for record in traffic.records("link-resumed")]


@pytest.mark.parametrize("spoil", [make_open, make_missing])
def test_an_agreement_with_a_spoilt_secret_does_not_start(to_sshd, spoil):
    traffic = to_sshd()
    word = spoil(traffic.agent.credentials / "isa/id")[0]
    checked = traffic.agent.ask("check")
    assert checked.code == 4 and word in str(checked.tables), checked
    traffic.agent.start()
    assert traffic.state() is None
    assert word in traffic.agent.log()
    traffic.agent.secret("isa", "id", traffic.server.user_key.private)
    assert traffic.reload().code == 0
    traffic.wait_up()
    traffic.delivered("plan.edi", traffic.send("plan.edi"))


# ---- a partner that goes away ----

class Vanishing(asyncssh.SFTPServer):
    """Cuts the first connection after a megabyte, and the next one in the moment that a file got its name."""
    cuts, seen = 0, None

    def write(self, file_obj, offset, data):
        if Vanishing.cuts == 0 and offset > 1_000_000:
            Vanishing.cuts = 1
            Vanishing.seen = os.listdir(os.fsdecode(self.map_path(b"/in")))
            self.channel.get_connection().abort()
            raise asyncssh.SFTPConnectionLost("gone")
        return super().write(file_obj, offset, data)

    def rename(self, oldpath, newpath):
        super().rename(oldpath, newpath)
        if Vanishing.cuts == 1:
            Vanishing.cuts = 2
            self.channel.get_connection().abort()
            raise asyncssh.SFTPConnectionLost("gone")


@pytest.fixture
def vanishing(agent, partner):
    Vanishing.cuts, Vanishing.seen = 0, None
    return lambda *changes: Traffic(agent, partner(server=Vanishing), *changes)


def test_a_partner_that_vanishes_in_mid_file_gets_it_whole_later(vanishing):
    traffic = vanishing().start()
    content = traffic.send("plan.edi", containers=16000)
    row = traffic.delivered("plan.edi", content)
    assert Vanishing.cuts == 2
    assert Vanishing.seen == [f".accord-{row['id']}.tmp"], "a partial file had the final name"
    assert [path.name for path in traffic.inbox.iterdir()] == ["plan.edi"]
    delivery = traffic.delivery(row)
    assert delivery["attempts"] == "3"
    # The second attempt lost only the answer: the third found this very file.
    assert delivery["receipt"].endswith("found=yes")
    wait_for(lambda: len(traffic.records("delivery-retried")) == 2, "two records of failed attempts")
    first, second = traffic.records("delivery-retried")
    assert "closed the connection" in first["event.reason"] or "broke" in first["event.reason"], first
    assert "before the answer to the rename" in second["event.reason"]


def test_an_uncertain_delivery_can_be_held_for_a_person(vanishing):
    traffic = vanishing({"service stow-plan": {"on-uncertain": "hold"}})
    Vanishing.cuts = 1
    traffic.start()
    traffic.send("plan.edi")
    row = traffic.wait("plan.edi", "held")
    delivery = traffic.delivery(row)
    assert delivery["rule"] == "hub.uncertain" and "rename" in delivery["reason"]
    assert traffic.wait_record("delivery-held", accord_message=row["id"])["rule.name"] == "hub.uncertain"


def test_a_partner_that_hangs_is_left_and_asked_anew(to_sshd):
    traffic = to_sshd({"link sftp": {"timeout": "1 s"}}).start()
    traffic.delivered("before.edi", traffic.send("before.edi"))
    sessions = children_of(traffic.server.process.pid)
    for pid in sessions:
        os.kill(pid, signal.SIGSTOP)
    content = traffic.send("plan.edi")
    row = traffic.delivered("plan.edi", content)
    assert traffic.delivery(row)["attempts"] == "2"
    assert "waited 1 s in vain" in traffic.wait_record("delivery-retried")["event.reason"]


def test_a_partner_that_is_down_is_asked_ever_less_often_and_then_served(to_sshd):
    traffic = to_sshd({"service stow-plan": {"retry-longest": "10 s"}}).start()
    traffic.server.stop()
    content = traffic.send("plan.edi")
    wait_for(lambda: len(traffic.records("connection-attempted")) >= 4, "four attempts")
    attempts = traffic.records("connection-attempted")
    times = [datetime.fromisoformat(record["@timestamp"].replace("Z", "+00:00")) for record in attempts]
    pauses = [(after - before).total_seconds() for before, after in zip(times, times[1:])]
    assert pauses == sorted(pauses) and pauses[0] > 0.2, pauses
    for record in attempts:
        assert record["event.outcome"] == "failure"
        assert record["event.reason"] == f"cannot connect to 127.0.0.1:{traffic.server.port}: Connection refused"
    row = traffic.wait("plan.edi", "waiting")
    delivery = traffic.delivery(row)
    assert int(delivery["attempts"]) >= 4 and delivery["next"] and "Connection refused" in delivery["reason"]
    assert traffic.link()["state"] == "open", "nobody needs a person for this"
    traffic.server.start()
    traffic.delivered("plan.edi", content)


def test_a_partner_that_stays_down_leaves_the_message_dead_and_kept(to_sshd):
    traffic = to_sshd({"service stow-plan": {"retry-for": "1 s"}}).start()
    traffic.server.stop()
    traffic.send("plan.edi")
    row = traffic.wait("plan.edi", "dead")
    delivery = traffic.delivery(row)
    assert delivery["rule"] == "hub.retry-for" and "Connection refused" in delivery["reason"]
    assert traffic.wait_record("delivery-dead", accord_message=row["id"])["rule.name"] == "hub.retry-for"
    assert traffic.agent.ask("explain", row["id"])["explanation"][-1]["next"]


# ---- what the partner has already, or lacks ----

def test_an_existing_file_is_never_overwritten(to_sshd):
    traffic = to_sshd()
    (traffic.inbox / "plan.edi").write_bytes(b"theirs")
    give(traffic.inbox, "daemon")
    traffic.start()
    traffic.send("plan.edi")
    row = traffic.wait("plan.edi", "dead")
    delivery = traffic.delivery(row)
    assert delivery["rule"] == "partner.refused"
    assert delivery["reason"] == "in/plan.edi exists already (if-exists = fail)"
    assert traffic.wait_record("delivery-dead", accord_message=row["id"])["event.reason"] == delivery["reason"]
    traffic.delivered("other.edi", traffic.send("other.edi"))
    assert {path.name: path.read_bytes() for path in traffic.inbox.iterdir()}["plan.edi"] == b"theirs"
    assert sorted(path.name for path in traffic.inbox.iterdir()) == ["other.edi", "plan.edi"]


def test_same_content_under_the_name_counts_as_delivered_and_other_content_does_not(to_sshd):
    traffic = to_sshd(EXISTING)
    same, other = plan("SAME"), plan("OTHER")
    (traffic.inbox / "same.edi").write_bytes(same)
    (traffic.inbox / "other.edi").write_bytes(other[:-1] + b"\r")
    give(traffic.inbox, "daemon")
    traffic.start()
    traffic.send("same.edi", same)
    row = traffic.delivered("same.edi", same)
    assert traffic.delivery(row)["receipt"].endswith("found=yes")
    traffic.send("other.edi", other)
    row = traffic.wait("other.edi", "dead")
    assert "exists with other content" in traffic.delivery(row)["reason"]
    assert (traffic.inbox / "other.edi").read_bytes() == other[:-1] + b"\r"
    assert len(list(traffic.inbox.iterdir())) == 2


def test_a_missing_folder_at_the_partner_is_waited_for(to_sshd):
    traffic = to_sshd({"service stow-plan": {"directory": "later"}}).start()
    content = traffic.send("plan.edi")
    retried = traffic.wait_record("delivery-retried")
    assert "the directory does not exist at the partner" in retried["event.reason"] and "later/" in retried["event.reason"]
    later = traffic.server.files / "later"
    later.mkdir()
    give(later, "daemon")
    traffic.wait("plan.edi", "delivered")
    assert (later / "plan.edi").read_bytes() == content


# ---- what cannot be proven ----

def test_an_endpoint_that_demands_a_tunnel_is_not_even_dialled(to_sshd):
    traffic = to_sshd({"endpoint sftp": {"tunnel": "ipsec"}}).start()
    content = traffic.send("plan.edi")
    wait_for(lambda: len(traffic.records("delivery-retried")) >= 2, "two attempts to be refused")
    refused = traffic.records("connection-attempted")
    for record in refused:
        assert record["event.outcome"] == "failure" and record["rule.name"] == "hub.tunnel-not-provable"
        assert "cannot prove" in record["event.reason"]
    assert traffic.wait("plan.edi", "waiting")
    assert connections(traffic.server) == 0
    assert "tunnel-not-provable" in traffic.agent.log()
    traffic.write_agreement()
    assert traffic.reload().code == 0
    traffic.delivered("plan.edi", content)


def test_a_host_that_cannot_be_resolved_is_said_to_be_one(to_sshd):
    traffic = to_sshd({"endpoint sftp": {"host": "sftp.partner.invalid", "port": 22}}).start()
    traffic.send("plan.edi")
    record = traffic.wait_record("connection-attempted")
    assert "cannot resolve sftp.partner.invalid" in record["event.reason"] and "check DNS" in record["event.reason"]
    assert traffic.wait("plan.edi", "waiting")
