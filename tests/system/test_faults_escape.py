"""The escape battery in the processes of a real agent: loaded by its link, guard and inspect, under an agreement,
by the hub's own hand. tests/unit/test_escape.c runs the same battery against each sandbox alone and, so that it
proves something, outside; here it is about what a real hub adds: its descriptors, its memory, its dialer."""
import collections
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from exact import Flow
from harness import BUILD, account_of_child, wait_for

SITE = "[site]\nname = Acme\n"

AGREEMENT = """
[agreement]
title        = Ways out
partner      = B
enabled      = yes
acknowledged = 2026-01-01
valid-for    = 30 years

[endpoint there]
host = 127.0.0.1
port = {listed}

[link outward]
connector = battery
endpoint  = there
{options}
{only}
[policy battery]
{options}

[policy battery-inspect]
{options}
"""

INSTANCES = {"outward": "link-isa", "battery": "guard-isa", "battery-inspect": "inspect-isa"}
ADDR_NO_RANDOMIZE, STACK_TOP = 0x0040000, 0x7ffffffff000
KNOWN = ("ZZ_KNOWN", "accord-1")  # the last variable in the hub's environment, where the battery looks for it
libc = ctypes.CDLL(None, use_errno=True)


class Listeners:
    """What the agreement lists, and what it does not."""

    def __init__(self, name):
        self.name = name
        self.listed, self.unlisted = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind("\0" + name)
        self.abstract.listen()
        self.accepted = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                self.accepted.append(self.listed.accept()[0])
            except OSError:
                return

    def reached(self):
        """Someone came where nobody may."""
        found = []
        for name in ("unlisted", "abstract"):
            listener = getattr(self, name)
            listener.setblocking(False)
            try:
                listener.accept()
                found.append(name)
            except BlockingIOError:
                pass
        return found

    def close(self):
        for one in [self.listed, self.unlisted, self.abstract, *self.accepted]:
            one.close()


def known_address(program):
    """Where KNOWN's value stands in a process that was started without address randomisation."""
    name, value = KNOWN
    return STACK_TOP - 8 - (len(os.fsencode(program)) + 1) - (len(value) + 1)


def not_randomised(start):
    libc.personality(ADDR_NO_RANDOMIZE)
    try:
        return start()
    finally:
        libc.personality(0)


def address_is_known():
    """The computation holds here, shown on a process that lets itself be looked at."""
    program = shutil.which("sleep")
    process = not_randomised(lambda: subprocess.Popen([program, "60"], env=dict([("A", "b"), KNOWN]),
                                                      **account_of_child("nobody")))
    try:
        def read():
            if pathlib.Path(f"/proc/{process.pid}/comm").read_text().strip() != "sleep":
                return None
            with open(f"/proc/{process.pid}/mem", "rb") as memory:
                memory.seek(known_address(program))
                return memory.read(8)
        return wait_for(read, "a process to look at") == KNOWN[1].encode()
    except OSError:
        return False
    finally:
        process.kill()
        process.wait()


class Battery:
    def __init__(self, agent, listeners, address):
        self.agent, self.listeners = agent, listeners
        self.outside, self.inside = agent.home / "outside", agent.home / "inside"
        for folder, names in ((self.outside, ["canary", "victim"]), (self.inside, ["own"])):
            folder.mkdir()
            for name in names:
                (folder / name).write_text("outside\n")
        (self.outside / "empty").mkdir()
        agent.own_plugins(*(BUILD / "lib/accord/faults").glob("*-battery*.so"))
        agent.write_conf("site.conf", SITE)
        self.options = {"outside": self.outside, "inside": self.inside, "abstract": listeners.name,
                        "port": listeners.unlisted.getsockname()[1], "address": f"{address:x}"}
        self.before = self.contents()

    def write(self, link_only=None):
        options = "\n".join(f"{name} = {value}" for name, value in self.options.items())
        only = f"only = {link_only}\n" if link_only else ""
        self.agent.write_conf("isa.conf", AGREEMENT.format(listed=self.listeners.listed.getsockname()[1],
                                                           options=options, only=only))

    def start(self):
        not_randomised(lambda: self.agent.start(dict([KNOWN])))

    def contents(self):
        return {path: path.read_text() if path.is_file() else None
                for folder in (self.outside, self.inside) for path in folder.rglob("*")}

    def results(self):
        """What each probe came to, by the instance that ran it; `end` comes last."""
        found = collections.defaultdict(dict)
        line = re.compile(r" isa/(\S+): (.*) \[battery\.(\S+)\]$", re.MULTILINE)
        for instance, result, probe in line.findall(self.agent.log()):
            found[instance][probe] = result
        return found

    def wait_ends(self):
        wait_for(lambda: all("end" in self.results()[name] for name in INSTANCES),
                 lambda: f"the batteries to come to their ends; the log ends:\n{self.agent.log_tail()}")


@pytest.fixture
def battery(agent, not_run):
    address = known_address(agent.installation.daemon)
    if not address_is_known():
        not_run("escape-hub-memory", "the hub's memory cannot be laid out so that its addresses are known")
    listeners = Listeners("accord-battery-" + agent.home.name)
    yield Battery(agent, listeners, address)
    listeners.close()


def escaped(results):
    return {probe: result for probe, result in results.items() if result.startswith("ESCAPED")}


def check_shut(battery):
    """Nothing came of any probe: neither in its own eyes nor in ours."""
    results = battery.results()
    common = set(results["battery"])
    for instance in INSTANCES:
        assert not escaped(results[instance]), f"out of {INSTANCES[instance]}: {escaped(results[instance])}"
        assert set(results[instance]) >= common and len(common) > 80, "not every probe was tried"
    assert len(results["outward"]) > len(common), f"no session was probed: {results['outward']['end']}"
    assert not battery.listeners.reached()
    assert battery.contents() == battery.before


def test_no_way_out(battery):
    """Every probe of the escape battery is blocked in the link, guard and inspect of a real agent."""
    battery.write()
    battery.start()
    battery.wait_ends()
    check_shut(battery)
    states = {row["process"]: row["state"] for row in battery.agent.ask("status")["processes"]}
    assert states == {process: "ready" for process in INSTANCES.values()}


def test_no_descriptor_of_the_hub_is_inherited(agent, partner):
    """A child of a real hub has its channel, the log, its folder, and what it made itself; a link its session."""
    if os.getuid() != 0:
        pytest.skip("only root may look at the descriptors of the agent's processes")
    flow = Flow(agent, partner())
    agent.start()
    flow.wait_up()
    flow.drop(1)
    flow.wait_settled()
    own = re.compile(rf"/dev/null|anon_inode:.*|pipe:.*|socket:.*|{agent.log_path}|{flow.folder}(/.*)?")
    for row in agent.ask("status")["processes"]:
        links = [os.readlink(path) for path in pathlib.Path(f"/proc/{row['pid']}/fd").iterdir()]
        assert all(own.fullmatch(link) for link in links), f"{row['process']}: {links}"
        sockets = sum(link.startswith("socket:") for link in links)
        assert sockets == (2 if row["process"] == "link-isa" else 1), f"{row['process']}: {links}"


def test_death_by_the_filter(battery):
    """A call that nobody makes by mistake, such as exec, ends the process by SIGSYS. The hub says so and starts it
    again; the others go on."""
    battery.write(link_only="exec-program")
    battery.start()
    agent = battery.agent
    wait_for(lambda: agent.log().count(f"ended by signal {signal.SIGSYS.value}") >= 2,
             lambda: f"the link to be ended twice; the log ends:\n{agent.log_tail()}")
    states = {row["process"]: row["state"] for row in agent.ask("status")["processes"]}
    assert states["guard-isa"] == states["inspect-isa"] == "ready"
    agent.stop()
    failed = {record["accord.module"] for record in agent.audit_records("isa")
              if record["event.action"] == "process-failed"}
    assert failed == {"link-isa"}
    assert not escaped(battery.results()["outward"])
