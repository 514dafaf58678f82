"""The disk of the agent's state is full, fails, lies or turns read-only: sources stop, nothing is acknowledged, and it
goes on by itself as soon as that can be."""
import contextlib
import pathlib
import shutil
import signal

import pytest

from disks import NotPossible, loop_disk, run
from exact import Flow, Ledger
from harness import BUILD, SANITIZERS, give, wait_for

@contextlib.contextmanager
def disk_of(agent, kind, size):
    """The agent's state folder on a file system of its own."""
    with contextlib.ExitStack() as stack:
        try:
            disk = stack.enter_context(loop_disk(agent, kind, size))
        except (NotPossible, OSError) as problem:
            pytest.skip(f"this user may not mount a small file system: {problem}")
        yield disk


class Shim:
    """Stands between an agent and its disk (tests/faults/shim.c)."""

    def __init__(self, agent):
        self.folder = agent.home / "shim"
        self.folder.mkdir()
        self.environment = {"LD_PRELOAD": str(BUILD / "lib/accord/faults/shim.so"), "ACCORD_SHIM": str(self.folder),
                            "ASAN_OPTIONS": SANITIZERS["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}

    def set(self, name):
        (self.folder / name).touch()
        give(self.folder)
        return self.folder / name


def fill(folder):
    """Takes every byte that is left, and returns the file that has them."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    give(path)
    return path


def tries(agent):
    return agent.log().count("the store has no room")


def settled_flow(agent, partner, ledger, environment=None):
    """Nine plans have gone through."""
    flow = Flow(agent, partner(server=ledger.server()))
    agent.settings = {"store": {"segment-size": "1 MiB", "reserve": "2 MiB"}}
    agent.write_agent_conf()
    agent.start(environment)
    flow.wait_up()
    flow.drop(9)
    flow.wait_settled()
    return flow


@pytest.mark.long
def test_full_disk(agent, partner):
    """R5: sources are put off for as long as the disk is full, however long; within five seconds of there being room
    the plans are taken, and then delivered."""
    ledger = Ledger()
    with disk_of(agent, "ext4", 16 << 20):
        flow = settled_flow(agent, partner, ledger)
        filler = fill(agent.state)
        before, tried = flow.rows(), tries(agent)
        flow.drop(9)
        wait_for(lambda: tries(agent) >= tried + 9 * 4,
                 lambda: f"the plans to be put off four times; {agent.log_tail()}")
        assert flow.rows() == before and len(flow.left()) == 9
        assert agent.process.poll() is None and agent.ask("status").code == 0
        filler.unlink()
        wait_for(lambda: len(flow.left()) < 9, lambda: f"the agent to go on by itself; {agent.log_tail()}", 5)
        flow.wait_settled()
        flow.check_all(ledger)


def incidents(agent, rule):
    return [record for record in agent.audit_records("host")
            if record["event.action"] == "incident-opened" and record["rule.name"] == rule]


def test_sync_that_fails(agent, partner):
    """R6: one fdatasync fails, once. Nothing is acknowledged after it; the agent says so, starts itself anew in the
    same process to read back what the disk has, records an incident, and goes on: nothing is lost or sent twice."""
    ledger, shim = Ledger(), Shim(agent)
    flow = settled_flow(agent, partner, ledger, shim.environment)
    pid, children = agent.process.pid, set(agent.children())
    trap = shim.set("sync-fails")
    flow.drop(5)
    wait_for(lambda: not trap.exists(), "a sync to fail")
    wait_for(lambda: "Starting anew" in agent.log(), lambda: f"the agent to say so; {agent.log_tail()}")
    flow.kills += 1
    flow.wait_up()
    assert agent.process.poll() is None and agent.process.pid == pid
    flow.wait_settled()
    flow.check_all(ledger)
    assert not children & set(agent.children())
    assert len(wait_for(lambda: incidents(agent, "store.failed"), "the incident to be recorded")) == 1
    assert int(agent.ask("status")["agent"][0]["incidents"]) == 1


def test_what_was_begun_before_a_sync_failed_is_reaped(agent, partner):
    """A plugin that does not come back from being loaded is being described when the disk fails."""
    agent.own_plugins()
    ledger, shim = Ledger(), Shim(agent)
    flow = settled_flow(agent, partner, ledger, shim.environment)
    silent = agent.plugins / "connector-silent.so"

    def describing():
        return [pid for pid in agent.children() if "--role=describe" in command_of(pid)]
    try:
        shutil.copy(BUILD / "lib/accord/faults/connector-silent.so", silent)
        silent.chmod(0o755)
        agent.process.send_signal(signal.SIGHUP)
        wait_for(describing, "the plugin to be described")
        trap = shim.set("sync-fails")
        flow.drop(1)
        wait_for(lambda: not trap.exists(), "a sync to fail")
    finally:
        silent.unlink()
    flow.kills += 1
    flow.wait_up()
    assert not [pid for pid in agent.children() if state_of(pid) == "Z"]
    flow.wait_settled()
    flow.check_all(ledger)


def command_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def state_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def test_syncs_that_keep_failing(agent, partner):
    """R6: when the disk fails again soon after, the agent ends, and says what to do; nothing that it acknowledged is
    lost once it is started on a sound disk."""
    ledger, shim = Ledger(), Shim(agent)
    flow = settled_flow(agent, partner, ledger, shim.environment)
    shim.set("sync-fails")
    flow.drop(5)

    def ended():
        if agent.process.poll() is None:
            shim.set("sync-fails")
        return agent.process.poll() is not None
    wait_for(ended, lambda: f"the agent to end; {agent.log_tail()}")
    assert agent.process.returncode == 1 and "look at the disk" in agent.log().lower()
    flow.kills += 2
    (shim.folder / "sync-fails").unlink(missing_ok=True)
    agent.start(shim.environment)
    flow.wait_settled()
    flow.check_all(ledger)


def test_disk_that_turns_read_only(agent, partner):
    """R5: the file system finds an error in itself and turns read-only. Nothing is acknowledged, the agent ends and
    says which folder it cannot write; repaired and started again, it has everything."""
    ledger = Ledger()
    with disk_of(agent, "ext4", 32 << 20) as disk:
        flow = settled_flow(agent, partner, ledger)
        run("mount", "-o", "remount,errors=remount-ro", disk.folder)
        trigger = pathlib.Path("/sys/fs/ext4", pathlib.Path(disk.device).name, "trigger_fs_error")
        try:
            trigger.write_text("accord rehearsal")
        except OSError as problem:
            pytest.skip(f"no error can be made in a file system here: {problem}")
        flow.drop(5)
        wait_for(lambda: agent.process.poll() is not None, lambda: f"the agent to end; {agent.log_tail()}")
        assert agent.process.returncode == 1 and len(flow.left()) == 5
        assert str(agent.state) in agent.log_tail(3)
        flow.kills += 1
        disk.repair()
        agent.start()
        flow.wait_settled()
        flow.check_all(ledger)


def test_lying_disk_is_found_out(agent, partner):
    """That these tests can fail: on a disk whose syncs do nothing, a power cut does lose what was acknowledged."""
    ledger, shim = Ledger(), Shim(agent)
    with disk_of(agent, "ext4", 64 << 20) as disk:
        flow = settled_flow(agent, partner, ledger, shim.environment)
        shim.set("sync-lies")
        flow.drop(9)
        flow.wait_settled()
        disk.cut_power()
        agent.kill()
        disk.unmount()
        disk.mount()
        agent.start()
        assert len(flow.states()) < len(flow.good) + len(flow.broken)
