"""Ways to prove who we are, against real servers: each once, in the file's order, and no secret ever in a log."""
import datetime
import subprocess

import pytest

from harness import SERVERS, Key, asyncssh, give, wait_for
from traffic import Traffic

PASSWORD = "correct horse battery staple"
ALL = {"policy encryption": {"ssh-auth": "publickey, password, keyboard-interactive"}}


class Gate(asyncssh.SSHServer):
    """Lets in by what the test says, and counts what was tried."""

    def __init__(self, rules):
        self.rules = rules

    def connection_made(self, conn):
        self.conn = conn
        self.rules.connections += 1

    def begin_auth(self, username):
        return True

    def public_key_auth_supported(self):
        return "publickey" in self.rules.methods

    def validate_public_key(self, username, key):
        self.rules.tried.append("publickey")
        good = key.get_fingerprint() == self.rules.key.fingerprint
        return good and self.pass_on("publickey")

    def password_auth_supported(self):
        return "password" in self.rules.methods

    def validate_password(self, username, password):
        self.rules.tried.append("password")
        return password == PASSWORD

    def kbdint_auth_supported(self):
        return "keyboard-interactive" in self.rules.methods

    def get_kbdint_challenge(self, username, lang, submethods):
        self.rules.tried.append("keyboard-interactive")
        return "", "", "", self.rules.prompts

    def validate_kbdint_response(self, username, responses):
        self.rules.answers += responses
        if self.rules.again and len(self.rules.answers) < 2:
            return "", "", "", self.rules.prompts
        return responses == [PASSWORD]

    def pass_on(self, method):
        return True


class Rules:
    def __init__(self, *methods, prompts=(("Password: ", False),), again=False):
        self.methods, self.prompts, self.again = methods, list(prompts), again
        self.tried, self.answers, self.connections, self.key = [], [], 0, None


def to(agent, partner, rules, auth, *changes, password=PASSWORD):
    """Traffic to an asyncssh server that authenticates by the rules."""
    server = partner(server_factory=lambda: Gate(rules))
    rules.key = server.user_key
    server.authorized.write_text(Key().public)  # nobody's: the rules say who may come in
    uses_password = "password" in auth or "keyboard" in auth
    traffic = Traffic(agent, server, ALL, {"link sftp": {
        "auth": auth, "key": "id" if "publickey" in auth else None, "password": "pw" if uses_password else None}}, *changes)
    agent.secret("isa", "pw", (password + "\n").encode())
    return traffic.start()


def no_secret_anywhere(traffic, *others):
    traffic.agent.stop()
    places = [traffic.agent.log_path, *traffic.agent.state.rglob("*")]
    for secret in (PASSWORD, *others):
        for path in places:
            assert not path.is_file() or secret.encode() not in path.read_bytes(), f"{secret!r} is in {path}"


def parked(traffic, *words):
    link = traffic.wait_parked()
    assert link["rule"] == "sftp.auth-refused", link
    for word in words:
        assert word in link["reason"], link
    return link


def methods_of(traffic):
    wait_for(lambda: len(traffic.records("session-allowed")) >= 2, "the session's records")
    return traffic.records("session-allowed")[1]["accord.details.ssh.auth"]


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_a_password_lets_us_in(method, agent, partner):
    rules = Rules(method)
    traffic = to(agent, partner, rules, method)
    content = traffic.send("plan.edi")
    traffic.delivered("plan.edi", content)
    assert methods_of(traffic) == method and rules.tried == [method]
    assert [record["accord.details.option"] for record in traffic.records("secret-used")] == ["password"]
    no_secret_anywhere(traffic)


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_a_wrong_password_is_tried_once(method, agent, partner):
    rules = Rules(method, again=method == "keyboard-interactive")
    traffic = to(agent, partner, rules, method, password="wrong")
    traffic.send("plan.edi")
    parked(traffic, '"pw"')
    assert traffic.wait("plan.edi", "waiting")
    assert rules.connections == 1 and len(rules.tried) == 1 and len(rules.answers) <= 1
    no_secret_anywhere(traffic)


@pytest.mark.parametrize("prompts, word", [
    ((("Password: ", False), ("Token: ", False)), "several things at once"),
    ((("Your name: ", True),), "something that is no password"),
])
def test_questions_for_a_person_are_not_answered(prompts, word, agent, partner):
    rules = Rules("keyboard-interactive", prompts=prompts)
    traffic = to(agent, partner, rules, "keyboard-interactive")
    traffic.send("plan.edi")
    parked(traffic, word)
    assert not rules.answers
    no_secret_anywhere(traffic)


def test_what_the_partner_does_not_take_is_passed_over(agent, partner):
    rules = Rules("keyboard-interactive")
    traffic = to(agent, partner, rules, "password, keyboard-interactive")
    content = traffic.send("plan.edi")
    traffic.delivered("plan.edi", content)
    assert rules.tried == ["keyboard-interactive"]


def test_a_refused_key_is_followed_by_the_password(agent, partner):
    rules = Rules("publickey", "password")
    traffic = to(agent, partner, rules, "publickey, password")
    rules.key = Key()
    content = traffic.send("plan.edi")
    traffic.delivered("plan.edi", content)
    assert rules.tried[-1] == "password" and methods_of(traffic) == "password"


def test_no_password_leaves_without_the_policys_word(agent, partner):
    traffic = to(agent, partner, Rules("password"), "password")
    traffic.write_agreement({"policy encryption": {"ssh-auth": "publickey"}},
                            {"link sftp": {"auth": "password", "key": None, "password": "pw"}})
    checked = agent.ask("check")
    assert checked.code != 0 and "ssh-auth does not allow password, which link sftp has" in str(checked.tables)


def test_no_password_leaves_in_a_session_that_the_profile_forbids(agent, partner):
    rules = Rules("password")
    server = partner(server_factory=lambda: Gate(rules), encryption_algs=["aes128-ctr"])
    agent.secret("isa", "pw", PASSWORD.encode())
    traffic = Traffic(agent, server, ALL, {"link sftp": {"auth": "password", "key": None, "password": "pw"}}).start()
    traffic.send("plan.edi")
    assert traffic.wait_parked()["rule"] == "sftp.no-common-algorithm"
    assert not rules.tried and not traffic.records("secret-used")


def test_a_partner_that_wants_two_keys_is_told_of(agent, sshd):
    """OpenSSH's own: publickey, and another publickey, which we do not have: parked with what it wants."""
    sshd.stop()
    sshd.options["AuthenticationMethods"] = "publickey,publickey"
    sshd.start()
    traffic = Traffic(agent, sshd).start()
    traffic.send("plan.edi")
    parked(traffic, "has accepted user", "by publickey and wants more, one of: publickey")


# ---- certificates and kinds of keys ----

def ssh_keygen(*arguments):
    libraries = ":".join(sorted({str(path.parent) for path in SERVERS.glob("**/lib/*/*.so*")}))
    subprocess.run([SERVERS / "usr/bin/ssh-keygen", "-q", *map(str, arguments)], check=True, capture_output=True,
                   env={"LD_LIBRARY_PATH": libraries})


def certificate(folder, server, validity, *more):
    """Of the server's user key, by a CA that it trusts."""
    ca = folder / "ca"
    if not ca.exists():
        ssh_keygen("-t", "ed25519", "-N", "", "-f", ca)
    public = folder / "id.pub"
    public.write_text(server.user_key.public)
    ssh_keygen("-s", ca, "-I", "accord at acme", "-n", server.user, "-V", validity, "-z", "7", *more, public)
    return (folder / "id-cert.pub").read_bytes(), (folder / "ca.pub").read_text()


@pytest.fixture
def certified(agent, sshd, tmp_path):
    """sshd that trusts a CA and knows no key by itself."""
    def make(validity, *more):
        line, ca = certificate(tmp_path, sshd, validity, *more)
        sshd.stop()
        (sshd.folder / "ca.pub").write_text(ca)
        (sshd.folder / "authorized_keys").write_text("")
        sshd.options["TrustedUserCAKeys"] = sshd.folder / "ca.pub"
        sshd.start()
        agent.secret("isa", "cert", line)
        return Traffic(agent, sshd, {"link sftp": {"certificate": "cert"}}).start()
    return make


def test_a_certificate_lets_us_in(certified):
    traffic = certified("-1h:+1h")
    content = traffic.send("plan.edi")
    traffic.delivered("plan.edi", content)
    assert methods_of(traffic) == "publickey"
    facts = traffic.records("session-allowed")[1]
    assert facts["accord.details.ssh.user-key.certificate"] == "accord?at?acme"
    assert facts["accord.details.ssh.user-key.serial"] == "7"
    assert "renew it before" in traffic.agent.log()
    no_secret_anywhere(traffic)


def test_a_certificate_out_of_its_dates_is_not_sent(certified):
    traffic = certified("20200101:20200201")
    traffic.send("plan.edi")
    link = traffic.wait_parked()
    assert link["rule"] == "sftp.certificate-dates" and "was good until 2020-02-01" in link["reason"]
    assert "userauth" not in traffic.server.log() and "Failed" not in traffic.server.log()


def test_a_certificate_of_another_key_or_of_a_host_is_refused(certified, agent, tmp_path):
    traffic = certified("-1h:+1h")
    other = Key()
    (tmp_path / "other.pub").write_text(other.public)
    ssh_keygen("-s", tmp_path / "ca", "-I", "x", "-n", traffic.server.user, tmp_path / "other.pub")
    for file, word in (((tmp_path / "other-cert.pub").read_bytes(), "it is of another key"),
                       (b"ssh-ed25519-cert-v01@openssh.com AAAA nonsense", "no certificate of a user"),
                       (certificate(tmp_path, traffic.server, "-1h:+1h", "-h")[0], "no certificate of a user")):
        agent.secret("isa", "cert", file)
        agent.ask("resume", "isa")
        traffic.send(f"plan{len(file)}.edi")
        wait_for(lambda: word in str(traffic.link()["reason"]), lambda: f"{word}: {traffic.link()}")
        assert traffic.link()["rule"] == "sftp.bad-certificate"


@pytest.mark.parametrize("algorithm, how, type_", [
    ("ssh-rsa", {"key_size": 3072}, "ssh-rsa"), ("ecdsa-sha2-nistp384", {}, "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", {}, "ecdsa-sha2-nistp521"), ("ssh-ed25519", {}, "ssh-ed25519")])
def test_every_kind_of_key(algorithm, how, type_, agent, sshd, tmp_path):
    sshd.user_key = Key(algorithm, **how)
    (sshd.folder / "authorized_keys").write_text(sshd.user_key.public)
    give(sshd.folder, "daemon")
    file = tmp_path / "id"
    file.write_bytes(sshd.user_key.private)
    file.chmod(0o600)
    ssh_keygen("-p", "-N", "open sesame", "-f", file)
    traffic = Traffic(agent, sshd, {"link sftp": {"key-passphrase": "phrase"}})
    agent.secret("isa", "id", file.read_bytes())
    agent.secret("isa", "phrase", b"open sesame\n")
    traffic.start()
    content = traffic.send("plan.edi")
    traffic.delivered("plan.edi", content)
    wait_for(lambda: len(traffic.records("session-allowed")) >= 2, "the session's records")
    assert traffic.records("session-allowed")[1]["accord.details.ssh.user-key.type"] == type_
    no_secret_anywhere(traffic, "open sesame")


def test_a_short_rsa_key_carries_nothing(agent, sshd):
    sshd.user_key = Key("ssh-rsa", key_size=2048)
    (sshd.folder / "authorized_keys").write_text(sshd.user_key.public)
    traffic = Traffic(agent, sshd).start()
    traffic.send("plan.edi")
    link = traffic.wait_parked()
    assert link["rule"] == "encryption.ssh-user-key-bits" and "2048 bits, at least 3072" in link["reason"]
    assert not list(traffic.inbox.iterdir())
