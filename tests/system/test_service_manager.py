"""What systemd is told, and what it is given: the notify protocol against a socket of the test's own, secrets as
credentials, and the unit file as systemd-analyze sees it. No unit is started."""
import os
import re
import shutil
import socket
import subprocess

import pytest
from harness import BUILD, ROOT, wait_for
from traffic import Traffic

UNIT = BUILD / "core/systemd/accordd.service"
ANALYZE = shutil.which("systemd-analyze")


class Manager:
    """The service manager's end."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        self.path.chmod(0o777)
        self.said = []

    def hear(self):
        while True:
            try:
                self.said.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return self.said

    def wait(self, start, count=1):
        wait_for(lambda: sum(text.startswith(start) for text in self.hear()) >= count,
                 lambda: f"{count} x {start!r}; heard {self.said}")

    def environment(self, **more):
        return {"NOTIFY_SOCKET": str(self.path), **more}


@pytest.fixture
def manager(installation):
    one = Manager(installation.folder())
    yield one
    one.socket.close()


def test_systemd_hears_of_start_reload_state_and_end(agent, partner, manager):
    traffic = Traffic(agent, partner())
    agent.start(environment=manager.environment())
    manager.wait("READY=1")
    manager.wait("STATUS=2 of 2 up")
    assert agent.ask("suspend", "isa").code == 0
    manager.wait("STATUS=1 of 2 up; isa suspended")
    ready = manager.said.count("READY=1")
    assert traffic.reload().code == 0
    manager.wait("RELOADING=1\nMONOTONIC_USEC=")
    manager.wait("READY=1", ready + 1)
    assert manager.said.index("READY=1") < next(
        i for i, text in enumerate(manager.said) if text.startswith("RELOADING=1"))
    assert agent.stop() == 0
    manager.wait("STOPPING=1")


def test_broken_configuration_is_never_ready(agent, manager):
    agent.settings["agent"] = {"no-such-key": "1"}
    agent.write_agent_conf()
    agent.start(environment=manager.environment(), ready=False)
    assert agent.process.wait(30) != 0
    assert not [text for text in manager.hear() if text.startswith("READY")]


def test_watchdog_is_fed(agent, partner, manager):
    Traffic(agent, partner())
    agent.start(environment=manager.environment(WATCHDOG_USEC="600000"))
    manager.wait("WATCHDOG=1", 3)


def test_children_are_not_given_the_managers_socket(agent, partner, manager):
    traffic = Traffic(agent, partner())
    agent.start(environment=manager.environment())
    traffic.wait_up()
    children = agent.children()
    assert children
    for pid in children:
        try:
            environment = open(f"/proc/{pid}/environ", "rb").read()
        except PermissionError:
            continue  # not dumpable, not root
        assert b"NOTIFY_SOCKET" not in environment


def test_secret_may_come_as_a_credential(agent, partner):
    server = partner()
    traffic = Traffic(agent, server)
    folder = agent.home / "given"
    folder.mkdir()
    (agent.credentials / "isa/id").rename(folder / "isa.id")
    if os.getuid() == 0:
        agent.start(environment={"CREDENTIALS_DIRECTORY": str(folder)}, ready=False)
        # As systemd leaves them: root's, with an access list, whose mask shows as the group's right to read.
        os.chown(folder / "isa.id", 0, agent_group())
        (folder / "isa.id").chmod(0o440)
        wait_for(agent.answers, "the agent to answer")
    else:
        agent.start(environment={"CREDENTIALS_DIRECTORY": str(folder)})
    traffic.wait_up()
    traffic.delivered("plan.edi", traffic.send("plan.edi"))


def agent_group():
    from harness import account
    return account("nobody").pw_gid


# ---- the unit ----

def unit_with_programs_that_exist(folder):
    text = UNIT.read_text()
    text = re.sub(r"^(Exec\w+)=\S+/(accordd?)\b", lambda found: f"{found[1]}={BUILD}/bin/{found[2]}", text, flags=re.M)
    path = folder / "accordd.service"
    path.write_text(re.sub(r"^(User|Group)=accord$", r"\1=root", text, flags=re.M))
    return path


@pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not here")
def test_unit_is_sound(installation):
    path = unit_with_programs_that_exist(installation.folder())
    done = subprocess.run([ANALYZE, "verify", "--man=no", path], capture_output=True, text=True, check=False, timeout=60)
    ours = [line for line in done.stderr.splitlines() if "accordd" in line]
    assert not ours, done.stderr


@pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not here")
def test_unit_is_hardened(installation):
    path = unit_with_programs_that_exist(installation.folder())
    done = subprocess.run([ANALYZE, "security", "--offline=yes", "--threshold=30", path], capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_unit_leaves_the_agents_own_walls_standing():
    """Each of these, set as is usual, would take a wall from the children (docs/OPERATIONS.md)."""
    settings = {}
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            settings.setdefault(name, []).append(value)
    filters = " ".join(settings["SystemCallFilter"]).split()
    assert {"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"} <= set(filters)
    assert not [word for word in filters if word.startswith("~")]
    assert set(settings["RestrictNamespaces"][0].split()) == {"user", "net", "ipc"}
    assert settings["Type"] == ["notify"] and settings["NotifyAccess"] == ["main"]
    assert "PrivateUsers" not in settings


def test_unit_is_installed_where_systemd_looks(installation):
    unit = installation.prefix / "usr/lib/systemd/system/accordd.service"
    assert unit.read_text() == UNIT.read_text()
    assert (installation.prefix / "usr/lib/sysusers.d/accord.conf").read_text().startswith("u accord")
    assert (ROOT / "docs/OPERATIONS.md").exists()
