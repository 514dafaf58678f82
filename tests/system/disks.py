"""File systems of their own, on loop devices, for the agent's state: small ones, read-only ones, and ones whose power
is cut. Only the thread that made one, and what it starts, can see it."""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess

from harness import give, wait_for

CLONE_FS, CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x200, 0x20000, 0x4000, 0x40000
GOING_DOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN
NO_LOG_FLUSH = 2
libc = ctypes.CDLL(None, use_errno=True)


class NotPossible(Exception):
    """This user may not do that here; says why."""


def call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


@contextlib.contextmanager
def own_mounts():
    """Mounts that are made in here go with it, whatever happens."""
    root, place = os.open("/", os.O_RDONLY | os.O_DIRECTORY), os.getcwd()
    with open("/proc/thread-self/ns/mnt", "rb") as before:
        call("unshare", CLONE_NEWNS)
        try:
            call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
            yield
        finally:
            call("unshare", CLONE_FS)  # no thread that was made meanwhile may share it
            call("setns", before.fileno(), CLONE_NEWNS)
            # That goes to the root of the machine, which is another one in a chroot.
            os.fchdir(root)
            os.chroot(".")
            os.close(root)
            os.chdir(place)


def run(*command):
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    except OSError as problem:
        raise NotPossible(f"{command[0]}: {problem}") from None
    if done.returncode:
        raise NotPossible(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


class Disk:
    """A file system in a file, mounted at a folder."""

    def __init__(self, folder, image, kind, size):
        self.folder, self.image, self.kind, self.size = pathlib.Path(folder), pathlib.Path(image), kind, size
        self.device = None

    def make(self):
        """Fresh and empty."""
        self.image.unlink(missing_ok=True)
        with self.image.open("wb") as file:
            file.truncate(self.size)
        options = {"ext4": ["-q", "-F", "-m", "0"], "xfs": ["-q", "-f"]}[self.kind]
        run(f"mkfs.{self.kind}", *options, self.image)
        return self

    def mount(self):
        self.device = run("losetup", "--find", "--show", self.image)
        try:
            run("mount", "-t", self.kind, self.device, self.folder)
        except NotPossible:
            self.detach()
            raise
        shutil.rmtree(self.folder / "lost+found", ignore_errors=True)
        give(self.folder)
        self.folder.chmod(0o700)
        return self

    def detach(self):
        if self.device:
            run("losetup", "--detach", self.device)
            self.device = None

    def unmount(self):
        """Waits for processes that still look at it to be gone."""
        def gone():
            with contextlib.suppress(NotPossible):
                run("umount", self.folder)
                return True
            return not os.path.ismount(self.folder)
        wait_for(gone, f"{self.folder} to be let go of")
        self.detach()

    def repair(self):
        """After it has found an error in itself."""
        self.unmount()
        done = subprocess.run([shutil.which("fsck.ext4", path="/usr/sbin:/sbin"), "-y", "-f", self.image], check=False,
                              capture_output=True)
        assert done.returncode in (0, 1), done
        self.mount()

    def cut_power(self):
        """What was not synced is gone; everything fails from here on."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, GOING_DOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def loop_disk(agent, kind, size):
    """The agent's state folder on such a disk; ended, with the agent, at the end. NotPossible says why not."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(own_mounts())
        except OSError as problem:
            raise NotPossible(f"this user may not mount: {problem}") from None
        disk = Disk(agent.state, agent.home / f"{kind}.image", kind, size)
        disk.make().mount()
        try:
            yield disk
        finally:
            agent.stop()
            if os.path.ismount(agent.state):
                disk.unmount()
