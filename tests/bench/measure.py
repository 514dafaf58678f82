"""What the benches share: what they are told and what they run in, what they measure beside rates (the machine, and what
processes cost), and how they judge."""
import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "sdk/rehearsal"))

import load  # noqa: E402
from rehearsal import Installation, name_of  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICK = os.sysconf("SC_CLK_TCK")


def parser(description, below):
    """With the options that every bench has. `below`: what the folder of that option is to hold."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    made.add_argument("--below", default="/tmp", help=f"folder on the disk that is to hold {below}")
    made.add_argument("--json", type=pathlib.Path, help="also write the figures there")
    return made


def parsed(made):
    options = made.parse_args()
    options.environment = {name: value for name, value in os.environ.items() if name in ("ASAN_OPTIONS", "UBSAN_OPTIONS")}
    return options


class Bench:
    """An installation on the disk that is measured, with the connectors that make messages and count them."""

    def __init__(self, options):
        self.options = options
        self.installation = Installation(options.build, options.environment, options.below)
        load.add_plugins(self.installation, options.build)

    def close(self):
        self.installation.remove()


def middle(runs, by):
    """Of an even number of runs the greater one."""
    return sorted(runs, key=lambda run: run[by])[len(runs) // 2]


def verdict(ratio, floor, target):
    return "target met" if ratio >= target else "floor met" if ratio >= floor else "MISSED"


def keep(figures, options):
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def machine(folder):
    """The machine, and the file system that holds the folder."""
    model = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True).stdout.strip()
    return {"processor": model, "cores": os.cpu_count(), "kernel": platform.release(), "file-system": kind,
            "load-before": round(os.getloadavg()[0], 2)}


def show_machine(machine):
    print(f"{machine['processor']}, {machine['cores']} cores, {machine['file-system']}, load {machine['load-before']} before")


def warm_memory(folder, size):
    """Has the host of a virtual machine give memory now for so many bytes that are written next: a file that is written and removed
    again. Free memory goes back to the host after a second or so; then its first use costs 9 us a page here (2.3 s a GB)."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        piece = bytes(1 << 20)
        for _ in range(size // len(piece)):
            file.write(piece)


def processes(agent):
    return {"hub": agent.process.pid, **{name_of(pid) or str(pid): pid for pid in agent.children()}}


def cpu(pid):
    """Seconds in user and system mode, of all threads, also of those that have ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def spent(agent, before):
    """Seconds of each process, without those that `before` has by its name."""
    return {name: round(cpu(pid) - before.get(name, 0), 2) for name, pid in processes(agent).items()}


def queued(agent, agreement, state):
    """How many messages an agreement's queues have in this state."""
    return sum(int(row[state]) for row in agent.ask("status").tables.get("queues", []) if row["agreement"] == agreement)


def stand(agent, what):
    """For who waited for it in vain."""
    return f"{what}: {agent.ask('status')}; the log ends:\n{agent.log_tail()}"


def pss(pid):
    """MiB; what several processes share is counted once among them. None: this user may not look."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except PermissionError:
        pass
    return None


def peak(pid):
    """MiB of memory that the process had at most."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return None
