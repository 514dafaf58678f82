"""Partners that offer only one weak algorithm: refused before authentication, the link parked, no secret asked for."""
import subprocess

import pytest

from harness import SERVERS, Key, wait_for
from traffic import Traffic

KEX = ["diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group14-sha256",
       "diffie-hellman-group-exchange-sha1", "diffie-hellman-group-exchange-sha256",
       "sntrup761x25519-sha512@openssh.com"]
CIPHERS = ["3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"]
MACS = ["hmac-sha1", "hmac-sha1-96", "hmac-md5", "hmac-md5-96", "umac-64@openssh.com", "umac-128@openssh.com",
        "hmac-sha1-etm@openssh.com", "hmac-md5-etm@openssh.com", "umac-128-etm@openssh.com"]
NOTHING_IN_COMMON = "sftp.no-common-algorithm"

MATRIX = {
    "kex": [({"KexAlgorithms": name}, None, name, NOTHING_IN_COMMON) for name in KEX],
    "ciphers": [({"Ciphers": name}, None, name, NOTHING_IN_COMMON) for name in CIPHERS],
    "macs": [({"Ciphers": "aes256-ctr", "MACs": name}, None, name, NOTHING_IN_COMMON) for name in MACS],
    "host-keys": [
        ({"HostKeyAlgorithms": "ssh-rsa"}, ("ssh-rsa", 3072), "ssh-rsa", NOTHING_IN_COMMON),
        ({"HostKeyAlgorithms": "ssh-dss"}, ("ssh-dss", None), "ssh-dss", NOTHING_IN_COMMON),
        ({}, ("ssh-rsa", 2048), "ssh-rsa key has 2048 bits, at least 3072", "encryption.ssh-host-key-bits"),
    ],
}
# The lists as they are when the file says nothing.
DEFAULTS = {"policy encryption": {"ssh-ciphers": None}}


class Weak:
    """One partner after another, and a link that is asked to try each."""

    def __init__(self, agent, sshd):
        self.agent, self.server, self.parked = agent, sshd, 0
        self.key, self.options = sshd.host_key, dict(sshd.options)
        self.traffic = None

    def become(self, options, key):
        self.server.stop()
        self.server.options = {**self.options, **options}
        self.server.host_key = key
        self.server.write_host_key()
        self.server.start()

    def tries(self):
        """The agreement pins the key that this partner shows."""
        if self.traffic is None:
            self.traffic = Traffic(self.agent, self.server, DEFAULTS).start()
            self.content = self.traffic.send("plan.edi")
        else:
            self.traffic.write_agreement(DEFAULTS)
            assert self.traffic.reload().code == 0
            self.agent.ask("resume", "isa")

    def is_parked(self, rule, word):
        self.parked += 1
        wait_for(lambda: len(self.traffic.records("link-parked")) >= self.parked,
                 lambda: f"the link to be parked for {word}: {self.traffic.link()}; {self.agent.log_tail()}")
        record = self.traffic.records("link-parked")[-1]
        assert record["rule.name"] == rule and word in record["event.reason"], record
        self.parked = len(self.traffic.records("link-parked"))

    def was_told_nothing(self):
        log = self.server.log()
        assert not [word for word in ("userauth", "Accepted", "Failed", "publickey", "invalid user") if word in log], log
        assert not self.traffic.records("secret-used", "session-allowed")


@pytest.mark.parametrize("kind", MATRIX)
def test_a_partner_with_only_a_weak_algorithm_gets_nothing(kind, agent, sshd):
    weak = Weak(agent, sshd)
    for options, key, word, rule in MATRIX[kind]:
        host_key = Key(key[0], **({"key_size": key[1]} if key[1] else {})) if key else weak.key
        weak.become(options, host_key)
        weak.tries()
        weak.is_parked(rule, word)
        weak.was_told_nothing()
    assert weak.traffic.wait("plan.edi", "waiting")
    # The partner is updated.
    weak.become({}, weak.key)
    weak.traffic.write_agreement(DEFAULTS)
    assert weak.traffic.reload().code == 0
    agent.ask("resume", "isa")
    weak.traffic.delivered("plan.edi", weak.content)
    facts = weak.traffic.wait_record("session-allowed")
    assert facts["accord.details.ssh.strict-kex"] == "yes"


def test_every_algorithm_of_openssh_is_known(agent, sshd):
    """What its own client lists, in our table: the check says of each that it is allowed, or why never."""
    client = SERVERS / "usr/bin/ssh"
    if not client.exists():
        pytest.skip("OpenSSH's client could not be fetched (see build/logs/servers.log)")
    libraries = ":".join(sorted({str(path.parent) for path in SERVERS.glob("**/lib/*/*.so*")}))
    options = {"kex": "ssh-kex", "cipher": "ssh-ciphers", "mac": "ssh-macs", "sig": "ssh-user-key-types",
               "key": "ssh-user-key-types"}
    traffic = Traffic(agent, sshd)
    for kind, option in options.items():
        listed = subprocess.run([client, "-Q", kind], capture_output=True, text=True, check=True,
                                env={"LD_LIBRARY_PATH": libraries}).stdout.split()
        assert listed
        page = (SERVERS.parents[1] / "docs/reference/ssh-algorithms.md").read_text()
        missing = [name for name in listed if f"| `{name}` |" not in page]
        assert not missing, f"{kind}: {missing} are not in the table of the policy"
        traffic.write_agreement({"policy encryption": {option: listed[0]}})
        text = str(agent.ask("check").tables)
        assert "no algorithm that is known here" not in text, text


def test_check_names_the_nearest_that_is_allowed(agent, sshd):
    Traffic(agent, sshd, {"policy encryption": {"ssh-macs": "hmac-sha2-256, hmac-sha1-etm@openssh.com"}})
    checked = agent.ask("check")
    text = str(checked.tables)
    assert checked.code != 0 and "ssh-macs: hmac-sha1-etm@openssh.com is never allowed: it is made with SHA-1" in text
    assert "the nearest that is: hmac-sha2-256-etm@openssh.com" in text
