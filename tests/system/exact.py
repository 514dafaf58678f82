"""A flow of small stow plans from a folder of the site's to an SFTP partner, and exact accounting at both ends."""
import argparse
import asyncssh
import collections
import functools
import hashlib
import os
import random
import time

import make_stow_plan
from harness import alive, give, wait_for

WINDOW = 4  # files that the link has on their way at the same time
FOLDER = "stow"

SITE = """
[site]
name = Acme Shipping Lines
quarantine-retention = {retention}

[link plans]
connector = dir
path      = {site}

[service plans]
type      = stow-plan
direction = receive
link      = plans
settle    = 100 ms
rescan    = 1 s
"""

AGREEMENT = """
[agreement]
title        = A flow under faults
partner      = B
enabled      = yes
acknowledged = 2026-01-01
valid-for    = 30 years

[endpoint sftp]
host = 127.0.0.1
port = {port}

[link sftp]
connector = sftp
endpoint  = sftp
user      = {user}
key       = id
host-key  = {host_key}
timeout   = 20 s
connections = 1
files     = {window}

[service stow-plan]
type          = stow-plan
direction     = send
link          = sftp
directory     = /{folder}
from          = site/plans
retry-first   = 100 ms
retry-longest = 1 s

[policy encryption]
ssh-ciphers = aes256-gcm@openssh.com, aes256-ctr

[policy content]
"""


def seeded(name):
    """The same numbers in each run, unless ACCORD_SEED is set."""
    seed = os.environ.get("ACCORD_SEED", "") + name
    print(f"seed {seed!r}")  # pytest shows it when the test fails
    return random.Random(seed)


def digest(content):
    return hashlib.sha256(content).hexdigest()


@functools.lru_cache(maxsize=None)
def plan(number, fault=None):
    arguments = argparse.Namespace(containers=6, seed=number, smdg="2.0", sender="ACME", recipient="USCBP",
                                   reference=f"FLOW{number}", voyage="601W", vessel="MV FAULTS", vessel_id="9999993",
                                   break_=fault)
    return make_stow_plan.interchange(arguments)


class Ledger:
    """What a partner saw, by name."""

    def __init__(self):
        self.renamed = collections.Counter()  # final names that a file was renamed to
        self.begun = collections.Counter()    # temporary names that were opened for writing
        self.writes = 0
        self.refuses = False                  # whoever wants to write is told to come back
        self.refused = 0
        self.last = 0.0                       # when the last of those names was taken

    def server(self):
        """The class of SFTP server that keeps this ledger."""
        ledger = self

        class Files(asyncssh.SFTPServer):
            def open(self, path, pflags, attrs):
                if pflags & asyncssh.FXF_WRITE and ledger.refuses:
                    ledger.refused += 1
                    raise asyncssh.SFTPFailure("not now")
                if pflags & asyncssh.FXF_WRITE:
                    ledger.begun[path] += 1
                return super().open(path, pflags, attrs)

            def write(self, file_obj, offset, data):
                ledger.writes += 1
                return super().write(file_obj, offset, data)

            def rename(self, oldpath, newpath):
                result = super().rename(oldpath, newpath)
                ledger.renamed[newpath.rpartition(b"/")[2].decode()] += 1
                ledger.last = time.monotonic()
                return result
        return Files

    def events(self):
        return self.writes + sum(self.renamed.values()) + sum(self.begun.values())


class Flow:
    """An agent with an agreement for stow plans, and a partner: harness.Sshd or harness.Partner. `retention`: of what is
    in quarantine; by default it stays there whatever the clock says meanwhile."""

    def __init__(self, agent, partner, retention="10 years"):
        self.agent, self.partner = agent, partner
        self.good, self.broken = {}, set()
        self.kills = 0
        self.folder = agent.site_folder("plans")
        self.there = partner.files / FOLDER
        self.there.mkdir(exist_ok=True)
        give(partner.files, "daemon")
        agent.write_conf("site.conf", SITE.format(site=self.folder, retention=retention))
        agent.write_conf("isa.conf", AGREEMENT.format(
            port=partner.port, user=partner.user, host_key=partner.host_key.fingerprint, folder=FOLDER, window=WINDOW))
        agent.secret("isa", "id", partner.user_key.private)

    def wait_up(self):
        def up():
            rows = {row["agreement"]: row["state"] for row in self.agent.ask("agreements")["agreements"]}
            return rows.get("isa") == "up" and rows.get("site") == "up"
        wait_for(up, lambda: f"the agreement to be up; the log ends:\n{self.agent.log_tail()}")

    # ---- traffic ----

    def drop(self, count=1, broken=None):
        """Plans appear in the folder; every tenth is broken, and must come back."""
        for _ in range(count):
            number = len(self.good) + len(self.broken) + 1
            fault = "unt-count" if broken or (broken is None and number % 10 == 0) else None
            name, content = f"plan-{number:04d}.edi", plan(number, fault)
            if fault:
                self.broken.add(name)
            else:
                self.good[name] = digest(content)
            self.agent.drop("plans", name, content)

    def feed_until_dead(self, most, broken=None):
        """Drops plans, a few whenever the folder is empty, until the hub has ended; returns its children."""
        children, first = set(), len(self.good) + len(self.broken)

        def ended():
            if self.agent.process.poll() is not None:
                return True
            children.update(self.agent.children())
            dropped = len(self.good) + len(self.broken) - first
            if dropped < most and not self.left():
                self.drop(1 + dropped % 5, broken)
            return False
        wait_for(ended, lambda: f"the hub to be killed; its log ends:\n{self.agent.log_tail()}")
        return children

    def feed_past(self, events, ledger, most=400):
        """Drops plans until the partner has seen so many more events."""
        target, first = ledger.events() + events, len(self.good) + len(self.broken)

        def seen():
            if ledger.events() < target and len(self.good) + len(self.broken) - first < most:
                self.drop()
            return ledger.events() >= target
        wait_for(seen, lambda: f"the partner to see more; the log ends:\n{self.agent.log_tail()}")

    # ---- accounting ----

    def rows(self):
        rows = self.agent.ask("messages", "--limit", 256)["messages"]
        assert len(rows) < 256, "more messages than a page shows"
        return rows

    def states(self):
        return {row["name"]: row["state"] for row in self.rows()}

    def settled(self):
        states = self.states()
        return len(states) == len(self.good) + len(self.broken) and not self.left() and \
            all(state in ("delivered", "quarantined", "dead") for state in states.values())

    def left(self):
        """Files that the site's folder still holds, the rejected ones apart."""
        return [path for path in self.folder.rglob("*") if path.is_file() and "rejected" not in path.parts]

    def wait_settled(self, patience=60):
        def stand():
            open_ones = {name: state for name, state in self.states().items() if state != "delivered"}
            return f"every message to be settled; not delivered: {open_ones}; in the folder: {self.left()}; " \
                   f"the log ends:\n{self.agent.log_tail()}"
        wait_for(self.settled, stand, patience)

    def check_partner(self):
        found = {path.name: digest(path.read_bytes()) for path in self.there.iterdir()}
        assert found == self.good, f"missing: {sorted(set(self.good) - set(found))}, too many: " \
                                   f"{sorted(set(found) - set(self.good))}, or other content"

    def late(self):
        """Broken plans that were admitted before the agreement could judge them, and denied when they were due."""
        return {row["name"] for row in self.rows() if row["state"] == "dead"}

    def check_source(self):
        back = self.broken - self.late()
        rejected = sorted(path.name for path in (self.folder / "rejected").glob("*"))
        assert rejected == sorted([*back, *(f"{name}.reason.txt" for name in back)])
        assert not self.left()

    def check_states(self):
        rows = collections.Counter((row["name"], row["state"]) for row in self.rows())
        late = self.late()
        wanted = collections.Counter([(name, "delivered") for name in self.good] +
                                     [(name, "dead" if name in late else "quarantined") for name in self.broken])
        assert rows == wanted, f"not as it should be: {(rows - wanted) + (wanted - rows)}"

    def check_trail(self):
        verified = self.agent.ask("audit", "verify")
        assert verified.code == 0, verified
        trail = verified["trail"][0]
        assert trail["heads"] == "compared" and trail["signatures"] == "checked"
        records = self.agent.audit_records()
        for chain in ("site", "isa"):
            once(records, "message-admitted", chain, [*self.good, *self.late()])
        once(records, "message-delivered", "isa", self.good)
        once(records, "delivery-dead", "isa", self.late())
        once(records, "message-quarantined", "site", self.broken - self.late())

    def check_ledger(self, ledger):
        assert ledger.renamed == collections.Counter(list(self.good)), "a name was taken twice, or never"
        repeated = sum(ledger.begun.values()) - len(ledger.begun)
        assert repeated <= WINDOW * self.kills, f"{repeated} bodies were sent again after {self.kills} kills"

    def check_all(self, ledger=None):
        self.check_states()
        self.check_partner()
        self.check_source()
        self.check_trail()
        if ledger:
            self.check_ledger(ledger)


def once(records, action, chain, names):
    """Each name stands in exactly one such record of the chain."""
    found = collections.Counter(record["accord.name"] for record in records
                                if record["event.action"] == action and record["accord.chain"] == chain)
    wanted = collections.Counter(list(names))
    assert found == wanted, f"{action} in {chain}: too many {found - wanted}, missing {wanted - found}"


def gone_within(pids, seconds):
    """The children of a hub that was killed follow it."""
    wait_for(lambda: not any(alive(pid) for pid in pids), f"the children {sorted(pids)} to follow their hub", seconds)
