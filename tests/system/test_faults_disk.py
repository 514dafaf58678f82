"""The disk of the agent's state is full: sources stop, nothing is acknowledged, and it goes on by itself."""
import contextlib
import ctypes
import os

import pytest

from exact import Flow, Ledger
from harness import account, give, wait_for

CLONE_FS, CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x200, 0x20000, 0x4000, 0x40000
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


@contextlib.contextmanager
def small_disk(folder, size):
    """A small file system in `folder`, which only this thread and what it starts can see."""
    root, place = os.open("/", os.O_RDONLY | os.O_DIRECTORY), os.getcwd()
    with open("/proc/thread-self/ns/mnt", "rb") as before:
        call("unshare", CLONE_NEWNS)
        try:
            call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
            owner = account("nobody")
            call("mount", b"tmpfs", bytes(folder), b"tmpfs", 0,
                 f"size={size},mode=0700,uid={owner.pw_uid},gid={owner.pw_gid}".encode())
            yield
        finally:
            call("unshare", CLONE_FS)  # no thread that was made meanwhile may share it
            call("setns", before.fileno(), CLONE_NEWNS)
            # That goes to the root of the machine, which is another one in a chroot.
            os.fchdir(root)
            os.chroot(".")
            os.close(root)
            os.chdir(place)


@pytest.fixture
def small_state(agent):
    """The agent's state folder on a file system of 16 MiB."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(small_disk(agent.state, "16m"))
        except OSError as problem:
            pytest.skip(f"this user may not mount a small file system: {problem}")
        yield agent.state
        agent.stop()


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


def test_full_disk(agent, partner, small_state):
    """Sources are put off for as long as the disk is full, however long; within five seconds of there being room the
    plans are taken, and then delivered."""
    ledger = Ledger()
    flow = Flow(agent, partner(server=ledger.server()))
    agent.settings = {"store": {"segment-size": "1 MiB", "reserve": "2 MiB"}}
    agent.write_agent_conf()
    agent.start()
    flow.wait_up()
    flow.drop(9)
    flow.wait_settled()
    filler = fill(small_state)
    before = flow.rows()
    flow.drop(9)
    wait_for(lambda: tries(agent) >= 9 * 4, lambda: f"the plans to be put off four times; {agent.log_tail()}")
    assert flow.rows() == before and len(flow.left()) == 9
    assert agent.process.poll() is None and agent.ask("status").code == 0
    filler.unlink()
    wait_for(lambda: len(flow.left()) < 9, lambda: f"the agent to go on by itself; {agent.log_tail()}", 5)
    flow.wait_settled()
    flow.check_all(ledger)
