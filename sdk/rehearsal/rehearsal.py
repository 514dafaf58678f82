"""A rehearsal: an agent with its own folders on this machine, and waiting for what it does. The demonstration and
the system tests are made of it.

Everything that is started is a child of the caller and is ended by its process id. As root, agents become nobody.
"""
import contextlib
import functools
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import asyncssh

PATIENCE = 30.0  # seconds; the machine may be busy


def wait_for(question, what, patience=PATIENCE):
    """Asks until the answer is true, and returns it. `what` says what was waited for when time is up; a function
    is asked then, so that it can show how things stand. Asked less often the longer it takes: a question is often a
    process, and what is waited for needs the processor too."""
    began = time.monotonic()
    while True:
        answer = question()
        if answer:
            return answer
        waited = time.monotonic() - began
        if waited > patience:
            raise AssertionError(f"waited {patience:.0f} s for {what() if callable(what) else what}")
        time.sleep(min(max(0.02, waited / 10), 0.1))


AGENT, SERVER = "nobody", "daemon"  # users of the base system that agents and servers become when root tests


def account(name):
    return pwd.getpwnam(name) if os.getuid() == 0 else pwd.getpwuid(os.getuid())


def give(path, name=AGENT):
    """Hands a file or a tree to a user."""
    if os.getuid() != 0:
        return
    user = account(name)
    for folder, _, names in os.walk(path):
        os.chown(folder, user.pw_uid, user.pw_gid)
        for name in names:
            os.chown(os.path.join(folder, name), user.pw_uid, user.pw_gid, follow_symlinks=False)
    if not os.path.isdir(path):
        os.chown(path, user.pw_uid, user.pw_gid)


def account_of_child(name):
    """Arguments of Popen that start a child as that user."""
    if os.getuid() != 0:
        return {}
    user = account(name)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def alive(pid):
    """Runs; a process that has ended and whom nobody has waited for does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def end(process, patience=10):
    """Ends a child: asks, then insists."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def children_of(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += [int(child)] + children_of(int(child))
    return found


def name_of(pid):
    """The name that the hub gave to a child; None: it has none, or is gone."""
    with contextlib.suppress(OSError):
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        return next((word.removeprefix("--name=") for word in words if word.startswith("--name=")), None)
    return None


class Installation:
    """The build, installed below a folder that everyone may read even when the sources lie in /root."""

    def __init__(self, build, environment=None, below="/tmp"):
        self.environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **(environment or {})}
        self.prefix = pathlib.Path(tempfile.mkdtemp(prefix="rehearsal-", dir=below))
        self.prefix.chmod(0o755)
        done = subprocess.run(["cmake", "--install", build, "--prefix", self.prefix / "usr"], capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, f"cannot install {build}: {done.stderr}"
        self.daemon = self.prefix / "usr/bin/accordd"
        self.command = self.prefix / "usr/bin/accord"
        self.plugins = self.prefix / "usr/lib/accord/plugins"
        self.described = self.prefix / "described"  # what the plugins have said of themselves to an agent before

    def folder(self):
        """A fresh folder for one test; short, so that a socket's path fits."""
        path = pathlib.Path(tempfile.mkdtemp(prefix="t", dir=self.prefix))
        path.chmod(0o755)
        return path

    def remove(self):
        shutil.rmtree(self.prefix, ignore_errors=True)


class Answer:
    """What the accord command said."""

    def __init__(self, done):
        self.code, self.error = done.returncode, done.stderr
        try:
            self.tables = json.loads(done.stdout) if done.stdout.strip() else {}
        except ValueError as problem:
            raise AssertionError(f"not JSON ({problem}): {done.stdout!r}, {done.stderr!r}") from None
        self.line = self.tables.pop("line", "")

    def __getitem__(self, table):
        return self.tables[table]

    def __repr__(self):
        return f"<exit {self.code}: {self.line!r} {self.tables!r}>"


class Agent:
    """One accordd with its own conf.d, credentials, state and site folders."""

    def __init__(self, installation):
        self.installation = installation
        self.home = installation.folder()
        self.conf, self.state = self.home / "conf.d", self.home / "state"
        self.credentials, self.site = self.home / "credentials", self.home / "site"
        for folder in (self.conf, self.state, self.credentials, self.site):
            folder.mkdir()
        self.state.chmod(0o700)
        if installation.described.exists():  # as after its first start, which is the slow one
            shutil.copytree(installation.described, self.state / "cache/plugins")
        self.credentials.chmod(0o700)
        self.log_path = self.home / "log"
        self.process = None
        self.plugins = installation.plugins
        self.settings = {}  # more sections for agent.conf: {"store": {"segment-size": "1 MiB"}}
        self.write_agent_conf()

    # ---- configuration ----

    def write_conf(self, name, text):
        """Writes a file of conf.d whole, as an editor does."""
        path = self.conf / name
        new = path.with_suffix(".new")
        new.write_text(text)
        give(new)
        new.rename(path)

    def write_agent_conf(self):
        lines = ["[agent]", f"state = {self.state}", f"plugins = {self.plugins}",
                 f"credentials = {self.credentials}"]
        if os.getuid() == 0:
            lines.append(f"user = {AGENT}")
        for section, values in self.settings.items():
            lines += ["", f"[{section}]"] + [f"{key} = {value}" for key, value in values.items()]
        self.write_conf("agent.conf", "\n".join(lines) + "\n")

    def own_plugins(self, *more):
        """A copy of the plugin folder with these in it, for a test to add to or to spoil."""
        self.plugins = self.home / "plugins"
        shutil.copytree(self.installation.plugins, self.plugins)
        for path in more:
            shutil.copy(path, self.plugins)
        self.write_agent_conf()
        return self.plugins

    def secret(self, agreement, name, content):
        folder = self.credentials / agreement
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        give(self.credentials)
        return path

    def site_folder(self, name):
        """A folder of a dir link; drop files into it with drop()."""
        path = self.site / name
        path.mkdir(exist_ok=True)
        give(path)
        return path

    def drop(self, folder, name, content):
        """A file appears whole, as from a careful neighbour."""
        hidden = self.site / f".{name}.part"
        hidden.write_bytes(content)
        give(hidden)
        hidden.rename(self.site / folder / name)

    # ---- life ----

    def start(self, environment=None, ready=True, first=False):
        """`first`: before other processes of this machine, where we may say so: what is measured is the agent."""
        assert self.process is None or self.process.poll() is not None, "it is running already"
        give(self.home)
        self.process = subprocess.Popen(
            [self.installation.daemon, "--conf", self.conf], stdin=subprocess.DEVNULL,
            stdout=self.log_path.open("ab"), stderr=subprocess.STDOUT, cwd="/",
            env={**self.installation.environment, **(environment or {})},
            preexec_fn=functools.partial(os.nice, -10) if first and os.getuid() == 0 else None)
        if ready:
            wait_for(self.answers, lambda: f"the agent to answer; its log ends:\n{self.log_tail()}", 2 * PATIENCE)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the agent ended with {self.process.returncode}:\n{self.log_tail()}")
        return self.ask("status").code == 0

    def stop(self):
        if self.process is not None:
            end(self.process, 20)
            return self.process.returncode
        return None

    def kill(self):
        """As a power cut does it to a process. Its children must follow."""
        children = self.children()
        self.process.kill()
        self.process.wait()
        wait_for(lambda: not any(alive(pid) for pid in children),
                 f"the children {children} to follow their hub")

    def restart(self, **how):
        self.stop()
        return self.start(**how)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def children(self):
        return children_of(self.process.pid)

    def child(self, name):
        """The process of this name ("link-isa"); None: there is none at the moment."""
        return next((pid for pid in self.children() if name_of(pid) == name), None)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines=30):
        return "\n".join(self.log().splitlines()[-lines:])

    # ---- looking ----

    def ask(self, *arguments, conf=None):
        """Runs `accord --json`."""
        done = subprocess.run([self.installation.command, "--conf", conf or self.conf, "--json", *map(str, arguments)],
                              capture_output=True, text=True, timeout=120, check=False,
                              env=self.installation.environment)
        return Answer(done)

    def audit_records(self, agreement=None):
        """The exported records, oldest first in each chain."""
        records = []
        for path in sorted((self.state / "audit").glob(f"{agreement or '*'}/*.jsonl")):
            lines = path.read_text().split("\n")[:-1]  # the last may be in the middle of being written
            records += [json.loads(line) for line in lines]
        return records

    def wait_message(self, **cells):
        """The first message whose row in `accord messages` has these cells."""
        def found():
            for row in self.ask("messages")["messages"]:
                if all(row.get(key.replace("_", "-")) == value for key, value in cells.items()):
                    return row
            return None
        return wait_for(found, lambda: f"a message with {cells}; there are {self.ask('messages')}; the log ends:\n"
                                       f"{self.log_tail()}")

    def close(self):
        self.stop()
        said = self.state / "cache/plugins"
        if said.exists() and not self.installation.described.exists():
            shutil.copytree(said, self.installation.described)
        report = [line for line in self.log().splitlines()
                  if "ERROR: AddressSanitizer" in line or "runtime error:" in line]
        assert not report, f"sanitizer report in the agent's log:\n{self.log_tail(60)}"
        shutil.rmtree(self.home, ignore_errors=True)


# ---- keys ----

class Key:
    """A key pair in OpenSSH's forms."""

    def __init__(self, algorithm="ecdsa-sha2-nistp256", **how):
        self.key = asyncssh.generate_private_key(algorithm, **how)
        self.private = self.key.export_private_key()
        self.public = self.key.export_public_key().decode()
        self.fingerprint = self.key.get_fingerprint()  # SHA256:...
