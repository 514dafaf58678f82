#!/usr/bin/python3
"""How fast files reach an SFTP partner: P6 and P7 of docs/PERFORMANCE.md.

    tests/bench/sftp/run.py [--build build/release] [--only small|large] [--delays 0,20] [--repeat N] [--json FILE]

OpenSSH's sshd on this machine, and three that send to it, one after another, each the same files with the same cipher:
the agent (temporary name, fsync, rename, with SHA-256 and a settled record of each file), OpenSSH's `sftp` with `put -f`
(fsync, no temporary name), and lftp with four connections (neither). The agent has the files in its store, with the
agreement switched off; the time goes from `accord enable` to the last file under its own name, connecting included, as
it goes for the others from the start of the command to its end. With a delay all go through a proxy of our own
(delay.c). Whoever loses or spoils a file has no figures. Where a round trip of 20 ms makes the others slow, they get fewer
files (--peer-files), and the rates are compared.
"""
import contextlib
import hashlib
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
for folder in ("sdk/rehearsal", "tests/bench", "tests/system"):
    sys.path.insert(0, str(ROOT / folder))

import measure  # noqa: E402
from harness import SERVERS, Sshd  # noqa: E402
from rehearsal import SERVER, Agent, Installation, end, give, wait_for  # noqa: E402

CIPHER = "aes256-gcm@openssh.com"
MIB = 1 << 20
RATES = {"small": "files-a-second", "large": "mb-a-second"}
FLOORS = {("small", 0): (1.2, 2), ("small", 20): (5, 10), ("large", 0): (0.9, 1), ("large", 20): (0.8, 1)}


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Files:
    """What is sent: files of random bytes in a folder, and their hashes."""

    def __init__(self, folder, count, size):
        self.folder, self.count, self.size = folder, count, size
        folder.mkdir()
        for number in range(count):
            with open(folder / f"f{number:05}.bin", "wb") as file:
                for at in range(0, size, MIB):
                    file.write(os.urandom(min(MIB, size - at)))
        self.hashes = {path.name: digest(path) for path in sorted(folder.iterdir())}

    def first(self, count):
        """A folder with the first so many."""
        if count == self.count:
            return self.folder
        some = self.folder.with_name(f"{self.folder.name}-{count}")
        if not some.exists():
            some.mkdir()
            for name in list(self.hashes)[:count]:
                os.link(self.folder / name, some / name)
        return some

    def check(self, folder, count):
        """Every file is there and whole, and nothing else."""
        wanted = dict(list(self.hashes.items())[:count])
        found = {path.name: digest(path) for path in folder.iterdir()}
        missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
        spoilt = [name for name in wanted if name in found and found[name] != wanted[name]]
        assert found == wanted, f"{len(missing)} missing {missing[:5]}, {len(extra)} too many {extra[:5]}, " \
                                f"{len(spoilt)} with other content {spoilt[:5]}"

    def rates(self, count, seconds):
        return {"files": count, "seconds": round(seconds, 3), "files-a-second": round(count / seconds, 1),
                "mb-a-second": round(count * self.size / seconds / 1e6, 1)}


class Server:
    """sshd, and the proxies before it."""

    def __init__(self, folder, proxy):
        self.proxy, self.proxies = proxy, {}
        self.sshd = Sshd(folder, LogLevel="ERROR", Ciphers=CIPHER, MaxStartups="100")
        self.sshd.options["Subsystem"] = f"sftp internal-sftp -d {self.sshd.files}"
        self.inbox = self.sshd.files / "in"
        self.sshd.start()
        self.key = folder / "user_key"
        self.key.write_bytes(self.sshd.user_key.private)
        self.key.chmod(0o600)

    def port(self, delay):
        """Where to connect for a round trip of so many milliseconds."""
        if delay and delay not in self.proxies:
            child = subprocess.Popen([self.proxy, str(self.sshd.port), str(delay / 2)], stdout=subprocess.PIPE, text=True)
            self.proxies[delay] = child, int(child.stdout.readline())
        return self.proxies[delay][1] if delay else self.sshd.port

    def clear(self):
        shutil.rmtree(self.inbox, ignore_errors=True)
        self.inbox.mkdir()
        give(self.inbox, SERVER)

    def ssh_options(self, folder, port):
        known = folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {self.sshd.host_key.public}")
        options = {"BatchMode": "yes", "StrictHostKeyChecking": "yes", "UserKnownHostsFile": known,
                   "IdentitiesOnly": "yes", "IdentityFile": self.key, "User": self.sshd.user, "Ciphers": CIPHER}
        return ["-F", "none", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]

    def stop(self):
        for child, _ in self.proxies.values():
            end(child)
        self.sshd.stop()


# ---- the others ----

def tool(name):
    """The unpacked program, otherwise the installed one; None: there is none."""
    unpacked = SERVERS / "usr/bin" / name
    return str(unpacked) if unpacked.exists() else shutil.which(name)


def environment():
    libraries = sorted({str(path.parent) for path in SERVERS.glob("**/lib/*/*.so*")})
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}


def run(command, given=None):
    """Seconds, CPU seconds of all its processes, the largest one's MiB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, env=environment())
    took = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, f"{command[0]} failed: {done.stderr[-500:]}"
    return took, round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)


def openssh(server, folder, source, port):
    options = [*server.ssh_options(folder, port), "-P", str(port)]
    return run([tool("sftp"), "-S", tool("ssh"), "-q", *options, "-b", "-", "127.0.0.1"], f"put -f {source}/* in/\n")


def lftp(server, folder, source, port):
    options = " ".join(map(str, server.ssh_options(folder, port)))
    script = ["set cmd:fail-exit yes", "set net:max-retries 1", f"set sftp:connect-program {tool('ssh')} -a -x {options}",
              f"open sftp://{server.sshd.user}:none@127.0.0.1:{port}",
              f"mirror -R --parallel=4 --no-perms {source} in"]
    return run([tool("lftp"), "--norc", "-f", "/dev/stdin"], "\n".join(script) + "\n")


PEERS = {"sftp": openssh, "lftp": lftp}


def versions():
    found = {"openssh": subprocess.run([tool("ssh"), "-V"], capture_output=True, text=True, check=True,
                                       env=environment()).stderr.strip()}
    if tool("lftp"):
        found["lftp"] = subprocess.run([tool("lftp"), "--version"], capture_output=True, text=True, check=True,
                                       env=environment()).stdout.splitlines()[0]
    return found


# ---- the agent ----

SITE = """[site]
name = Bench
store-limit = 0

[link folders]
connector = dir
path = {site}

[service files]
type = opaque
direction = receive
link = folders
folder = out
settle = 100 ms
rescan = 1 s
max-size = 4 GB
"""

AGREEMENT = """[agreement]
title = Interconnection Security Agreement
partner = Partner
enabled = {enabled}
acknowledged = 2026-01-01
valid-for = 30 years
store-limit = 0

[endpoint sftp]
host = 127.0.0.1
port = {port}

[link sftp]
connector = sftp
endpoint = sftp
user = {user}
key = id
host-key = {pin}
{link}

[service files]
type = opaque
direction = send
link = sftp
directory = in
from = site/files
max-size = 4 GB
{service}

[policy encryption]
ssh-ciphers = {cipher}
"""


class Sender:
    """The agent with its files stored and the agreement switched off, then on."""

    def __init__(self, bench, files, count, port):
        self.bench, self.files, self.count, self.port = bench, files, count, port
        self.agent = Agent(bench.installation)

    def write(self, enabled):
        sshd = self.bench.server.sshd
        settings = {name: text.replace(",", "\n").replace("=", " = ")
                    for name, text in (("link", self.bench.options.link), ("service", self.bench.options.service))}
        self.agent.write_conf("isa.conf", AGREEMENT.format(
            enabled=enabled, port=self.port, user=sshd.user, pin=sshd.host_key.fingerprint, cipher=CIPHER, **settings))

    def prepare(self):
        """Seconds from the start of the agent until the store has every file."""
        self.agent.settings = {"type opaque": {"max-size": "4 GB"}}
        self.agent.write_agent_conf()
        self.agent.write_conf("site.conf", SITE.format(site=self.agent.site))
        self.agent.secret("isa", "id", self.bench.server.sshd.user_key.private)
        self.write("no")
        out = self.agent.site_folder("out")
        for path in self.files.first(self.count).iterdir():
            shutil.copy(path, out)
        began = time.monotonic()
        self.agent.start()
        wait_for(lambda: self.queued("held") == self.count, lambda: self.stand("stored"), 600)
        return time.monotonic() - began

    def queued(self, state):
        return sum(int(row[state]) for row in self.agent.ask("status").tables.get("queues", []) if row["agreement"] == "isa")

    def stand(self, word):
        return f"{self.count} files to be {word}: {self.agent.ask('status')}; the log ends:\n{self.agent.log_tail()}"

    def there(self):
        return sum(not entry.name.startswith(".") for entry in os.scandir(self.bench.server.inbox))

    def send(self):
        """Seconds from the switch to the last rename at the partner; CPU and memory of each process until all is
        settled."""
        hub = self.agent.process.pid
        before = measure.cpu(hub)
        self.write("yes")
        began = time.time()
        self.agent.reload()
        wait_for(lambda: self.there() == self.count, lambda: self.stand("at the partner"), 3600)
        last = max(entry.stat().st_ctime for entry in os.scandir(self.bench.server.inbox))
        wait_for(lambda: self.queued("delivered") == self.count, lambda: self.stand("delivered"), 60)
        pids = {name: pid for name, pid in measure.processes(self.agent).items() if "site/" not in name}
        spent = {name: round(measure.cpu(pid) - (before if pid == hub else 0), 2) for name, pid in pids.items()}
        return last - began, {"cpu": round(sum(spent.values()), 2), "cpu-of": spent,
                              "memory-of": {name: measure.peak(pid) for name, pid in pids.items()}}

    def measure(self):
        try:
            stored = self.prepare()
            took, cost = self.send()
        finally:
            self.agent.close()
        return {"stored-in": round(stored, 2), **self.files.rates(self.count, took), **cost}


# ---- all of it ----

class Bench:
    def __init__(self, options):
        self.options = options
        self.installation = Installation(options.build, options.environment, options.below)
        self.folder = self.installation.folder()
        self.server = Server(self.installation.folder(), options.build / "tests/delay-proxy")

    def close(self):
        self.server.stop()
        self.installation.remove()

    def one(self, who, files, count, delay):
        self.server.clear()
        port = self.server.port(delay)
        if who == "accord":
            figures = Sender(self, files, count, port).measure()
        else:
            took, cpu = PEERS[who](self.server, self.folder, files.first(count), port)
            figures = {**files.rates(count, took), "cpu": cpu}
        files.check(self.server.inbox, count)
        print(f"  {files.count} x {files.size}, {delay} ms, {who}: {figures['files-a-second']} files/s, "
              f"{figures['mb-a-second']} MB/s, CPU {figures['cpu']} s", file=sys.stderr, flush=True)
        return figures

    def counts(self, who, kind, files, delay):
        few = kind == "small" and delay and who != "accord"
        return min(files.count, self.options.peer_files) if few else files.count

    def compare(self, kind, files, delay):
        """Everyone in turn, `repeat` times: of each the run in the middle, and of the ratios of neighbours that in the middle,
        for a machine has slower and faster minutes."""
        everyone = [who for who in ("sftp", "lftp", "accord") if who in self.options.who]
        runs = {who: [] for who in everyone}
        for _ in range(1 if delay else self.options.repeat):
            for who in everyone:
                runs[who].append(self.one(who, files, self.counts(who, kind, files, delay), delay))
        middle = {who: sorted(found, key=lambda run: run[RATES[kind]])[len(found) // 2] for who, found in runs.items()}
        for who, found in runs.items():
            middle[who]["runs"] = [run[RATES[kind]] for run in found]
        if {"sftp", "accord"} <= set(middle):
            pairs = zip(middle["accord"]["runs"], middle["sftp"]["runs"])
            ratios = middle["ratios"] = [round(ours / theirs, 2) for ours, theirs in pairs]
            middle["ratio"] = round(statistics.median(ratios), 2)
        return middle

    def figures(self):
        found = {"machine": measure.machine(self.installation.prefix), "versions": versions(), "cipher": CIPHER}
        sizes = {"small": (self.options.small, self.options.small_size),
                 "large": (self.options.large, self.options.large_size)}
        for kind in self.options.only:
            files = Files(self.folder / kind, *sizes[kind])
            found[kind] = {str(delay): self.compare(kind, files, delay) for delay in self.options.delays}
            shutil.rmtree(files.folder)
        return found


def show(figures):
    machine = figures["machine"]
    print(f"{machine['processor']}, {machine['cores']} cores, {machine['file-system']}, load {machine['load-before']} before; "
          f"{figures['versions'].get('openssh')}")
    table = [("", "round trip", "accord", "sftp put -f", "lftp", "ratio", "floor", "target", "")]
    for kind, name in (("small", "P6 files/s"), ("large", "P7 MB/s")):
        for delay, row in figures.get(kind, {}).items():
            floor, target = FLOORS.get((kind, int(delay)), (0, 0))
            cells = [str(row[who][RATES[kind]]) if who in row else "not run" for who in ("accord", "sftp", "lftp")]
            ratio = row.get("ratio")
            table.append((name, f"{delay} ms", *cells, str(ratio or ""), f"{floor} x", f"{target} x",
                          "" if ratio is None else "target met" if ratio >= target else
                          "floor met" if ratio >= floor else "MISSED"))
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def number_list(text):
    return [int(word) for word in text.split(",")]


def arguments():
    parser = measure.parser(__doc__, "store and partner")
    parser.add_argument("--only", type=lambda text: text.split(","), default=["small", "large"], help="small, large")
    parser.add_argument("--who", type=lambda text: text.split(","), default=["sftp", "lftp", "accord"])
    parser.add_argument("--delays", type=number_list, default=[0, 20], help="round trips in milliseconds")
    parser.add_argument("--repeat", type=int, default=3, help="times without delay; those in the middle count")
    parser.add_argument("--small", type=int, default=10000, help="small files")
    parser.add_argument("--small-size", type=int, default=4096)
    parser.add_argument("--peer-files", type=int, default=300, help="small files that the others send with a delay")
    parser.add_argument("--large", type=int, default=5, help="large files")
    parser.add_argument("--large-size", type=int, default=200 * 1000 * 1000)
    parser.add_argument("--link", default="", help="options of our link, such as files=16,timeout=1 min")
    parser.add_argument("--service", default="", help="options of our service, likewise")
    options = measure.parsed(parser)
    for program in ("sftp", "lftp"):
        if program in options.who and not tool(program):
            print(f"{program} is not there; tests/tools/servers fetches it", file=sys.stderr)
            options.who.remove(program)
    return options


def main():
    options = arguments()
    if Sshd.binary() is None:
        sys.exit("OpenSSH's server is not there; tests/tools/servers fetches it")
    bench = Bench(options)
    with contextlib.closing(bench):
        figures = bench.figures()
    show(figures)
    measure.keep(figures, options)


if __name__ == "__main__":
    main()
