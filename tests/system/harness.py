"""What the system tests are made of: agents (sdk/rehearsal/rehearsal.py) and partners on loopback. Ports are picked by the
kernel; nothing listens anywhere but on 127.0.0.1.
"""
import asyncio
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "sdk/rehearsal"))

from port import Port  # noqa: E402
from rehearsal import (PATIENCE, SERVER, Agent, Installation, Key, account, account_of_child, alive,  # noqa: E402,F401
                       asyncssh, children_of, end, give, wait_for)

BUILD = pathlib.Path(os.environ.get("ACCORD_BUILD", ROOT / "build/asan"))
SERVERS = ROOT / "build/servers"

# The sanitizers cannot look for leaks in a confined process.
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
# For what a process may grow by: what was freed is used again at once, and not kept until 256 MiB of it are there.
FORGETFUL = {"ASAN_OPTIONS": SANITIZERS["ASAN_OPTIONS"] + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}


def install():
    return Installation(BUILD, SANITIZERS)


def memory(pid, most=False):
    """Kilobytes that a process has in memory, or had at most."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmHWM:" if most else "VmRSS:")[1].split()[0])


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Sshd:
    """OpenSSH's sshd, as Debian ships it, on a port of its own, with SFTP only."""

    def __init__(self, folder, **options):
        self.folder = folder
        self.files = folder / "partner"
        self.files.mkdir()
        self.host_key, self.user_key = options.pop("host_key", None) or Key(), Key()
        self.user = account(SERVER).pw_name
        self.reserved = Port()
        self.port = self.reserved.number
        self.options = options
        self.process = None
        self.log_path = folder / "sshd.log"
        (folder / "authorized_keys").write_text(self.user_key.public)
        self.write_host_key()

    def write_host_key(self):
        path = self.folder / "host_key"
        path.write_bytes(self.host_key.private)
        path.chmod(0o600)

    @staticmethod
    def binary():
        """The unpacked server; None when it could not be fetched."""
        path = SERVERS / "usr/sbin/sshd"
        return path if (SERVERS / "complete").exists() else None

    def change_host_key(self):
        """What a partner that was replaced, or someone in between, looks like."""
        self.host_key = Key()
        self.write_host_key()

    def write_config(self):
        lines = {"ListenAddress": "127.0.0.1", "Port": self.port, "HostKey": self.folder / "host_key",
                 "AuthorizedKeysFile": self.folder / "authorized_keys", "PidFile": "none", "UsePAM": "no",
                 "StrictModes": "no", "PasswordAuthentication": "no", "LogLevel": "VERBOSE",
                 "KbdInteractiveAuthentication": "no", "Subsystem": f"sftp internal-sftp -d {self.files} -l VERBOSE",
                 **self.options}
        path = self.folder / "sshd_config"
        path.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        return path

    def start(self):
        config = self.write_config()
        give(self.folder, SERVER)
        machine = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()
        # A copy beside the test: the sources may lie where the server's user may not look. sshd runs itself again by
        # its absolute path.
        program = self.folder / "server"
        if not program.exists():
            (program / "lib").mkdir(parents=True)
            for library in SERVERS.glob(f"**/lib/{machine}/*.so*"):
                shutil.copy(library, program / "lib")
            shutil.copy(self.binary(), program / "sshd")
        self.process = subprocess.Popen(
            [program / "sshd", "-D", "-e", "-f", config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self.log_path.open("ab"), env={"LD_LIBRARY_PATH": str(program / "lib"), "PATH": "/usr/bin:/bin"},
            **account_of_child(SERVER))
        wait_for(lambda: self.process.poll() is not None or accepts(self.port), "sshd to listen")
        assert self.process.poll() is None, f"sshd ended: {self.log()}"
        return self

    def stop(self):
        """The listener and the sessions that it began."""
        if self.process is None:
            return
        sessions = children_of(self.process.pid)
        end(self.process)
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # A child that it had just begun has the listener, too, until it is dead.
        wait_for(lambda: not accepts(self.port), "sshd to listen no more")

    def cut_sessions(self):
        """Ends every session in mid-sentence; the server goes on."""
        for pid in children_of(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


class Partner:
    """An SFTP server in this process, for what OpenSSH cannot be made to do: subclass asyncssh.SFTPServer and
    pass it as `server`. Runs on an event loop of its own thread."""

    def __init__(self, folder, server=asyncssh.SFTPServer, **options):
        self.files = folder / "partner"
        self.files.mkdir(exist_ok=True)
        self.host_key, self.user_key = options.pop("host_key", None) or Key(), Key()
        self.user = "acme"
        self.authorized = folder / "authorized_keys"
        self.authorized.write_text(self.user_key.public)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.listener = self.run(self._listen(server, options))
        self.port = self.listener.sockets[0].getsockname()[1]

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    async def _listen(self, server, options):
        return await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[self.host_key.key], authorized_client_keys=str(self.authorized),
            sftp_factory=lambda channel: server(channel, chroot=str(self.files)), **options)

    async def _close(self):
        self.listener.close()
        await self.listener.wait_closed()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    def stop(self):
        self.run(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        self.loop.close()
