#!/usr/bin/python3
"""make demo: one whole interconnection on this machine, with a rehearsal partner. Every line shown is what the
agent, the partner or the disk really said. Ends 0 only when everything went as the text claims."""
import argparse
import hashlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
USER = "nobody"  # whom the agent becomes when this runs as root

AGENT_CONF = """[agent]
{user}state       = {top}/state
credentials = {top}/credentials
[log]
level = {level}
"""

SITE_CONF = """[link stow-plans]
connector = dir
path      = {top}/site/stow-plans
[link ace]
connector = dir
path      = {top}/site/ace

[service stow-plans]
type      = stow-plan
direction = receive
link      = stow-plans
settle    = 500 ms
[service ace]
type      = ace-transaction
direction = receive
link      = ace
settle    = 500 ms
"""

CBP_CONF = """[agreement]
title        = CBP Interconnection Security Agreement (rehearsal)
partner      = U.S. Customs and Border Protection
enabled      = yes
acknowledged = {day}
valid-for    = 3 years
sensitivity  = SBU
category     = high
incident-to  = csirc

[contact csirc]
name  = CBP Computer Security Incident Response Center
phone = +1-703-921-6507

[endpoint sftp]
host   = 127.0.0.1
port   = {port}
tunnel = none                       ; a rehearsal on one machine; the real file demands ipsec

[link sftp]
connector = sftp
endpoint  = sftp
user      = acme
key       = id_ecdsa
host-key  = {host_key}

[service stow-plan]                 ; CBP-1a.2, and nothing else is listed: nothing else can happen
type        = stow-plan
direction   = send
link        = sftp
directory   = /inbound/stow
from        = site/stow-plans
retry-first = 1 s

[policy content]
"""


class Failed(Exception):
    pass


def step(number, text):
    print(f"\n[{number}] {text}", flush=True)


def show(text):
    for line in text.rstrip("\n").splitlines():
        print(f"    {line}", flush=True)


def expect(condition, text):
    if not condition:
        raise Failed(text)
    show(f"ok: {text}")


def wait_for(what, probe, seconds=30):
    """The first true value of probe(), asked again until the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds} s in vain for: {what}")
        time.sleep(0.1)


class Partner:
    """The rehearsal SFTP server, as a child of this program."""

    def __init__(self, top):
        self.top, self.process, self.port = top, None, 0
        (top / "partner/inbound/stow").mkdir(parents=True)

    def start(self, host_key):
        self.log = open(self.top / "partner.log", "a+", encoding="utf-8")
        self.start_at = self.log.seek(0, os.SEEK_END)
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", HERE / "sftp_partner.py", "--port", str(self.port), "--root",
             self.top / "partner", "--host-key", self.top / host_key, "--authorized-keys", self.top / "id.pub"],
            stdout=self.log, stderr=subprocess.STDOUT)
        said = wait_for("the rehearsal partner", lambda: [e for e in self.events() if e["event"] == "listening"])
        self.port = said[0]["port"]
        return said[0]["host_key"]

    def events(self):
        """What it has said since it was started."""
        with open(self.top / "partner.log", encoding="utf-8") as log:
            log.seek(self.start_at)
            lines = log.readlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(10)
            self.process = None


class Agent:
    def __init__(self, top, build):
        self.top, self.process = top, None
        self.bin = self.install(build) if os.getuid() == 0 else build / "bin"

    def install(self, build):
        """The agent is never root: another user must be able to reach the program."""
        prefix = self.top / "installed"
        subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        return prefix / "bin"

    def start(self):
        self.log = open(self.top / "accordd.log", "a", encoding="utf-8")
        self.process = subprocess.Popen([self.bin / "accordd", "--conf", self.top / "conf.d"], stderr=self.log)
        wait_for("the agent", lambda: self.command("version").returncode == 0 and self.up("site"))

    def command(self, *words, json_output=False):
        options = ["--conf", self.top / "conf.d"] + (["--json"] if json_output else [])
        return subprocess.run([self.bin / "accord", *options, *words], capture_output=True, text=True,
                              timeout=60, env={**os.environ, "COLUMNS": "100"})

    def show(self, *words, code=0):
        print(f"    $ accord {' '.join(str(w) for w in words)}")
        result = self.command(*words)
        show(result.stdout + result.stderr)
        if result.returncode != code:
            raise Failed(f"that command ended with {result.returncode}, not {code}")

    def rows(self, table, *words):
        result = self.command(*words, json_output=True)
        return json.loads(result.stdout).get(table, []) if result.stdout.startswith("{") else []

    def up(self, name):
        return any(r["agreement"] == name and r["state"] == "up" for r in self.rows("agreements", "agreements"))

    def message(self, name, *states):
        """The message of this name once it is in one of these states."""
        for row in self.rows("messages", "messages"):
            if row["name"] == name and row["state"] in states:
                return row
        return None

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


def make_keys(top):
    import asyncssh
    key = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    folder = top / "credentials/cbp-isa"
    folder.mkdir(parents=True)
    key.write_private_key(folder / "id_ecdsa")
    key.write_public_key(top / "id.pub")
    (folder / "id_ecdsa").chmod(0o600)


def write_conf(top, partner, host_key):
    conf = top / "conf.d"
    conf.mkdir()
    user = f"user        = {USER}\n" if os.getuid() == 0 else ""
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
    (conf / "agent.conf").write_text(AGENT_CONF.format(top=top, user=user, level="info"))
    (conf / "site.conf").write_text(SITE_CONF.format(top=top))
    (conf / "cbp-isa.conf").write_text(CBP_CONF.format(day=day, port=partner.port, host_key=host_key))
    for folder in ("site/stow-plans", "site/ace", "state"):
        (top / folder).mkdir(parents=True)
    (top / "state").chmod(0o700)


def give_away(top):
    """As root, the agent's folders belong to the user that it becomes."""
    if os.getuid() != 0:
        return
    user = pwd.getpwnam(USER)
    top.chmod(0o755)
    for folder in ("site", "state", "credentials"):
        for path in [top / folder, *(top / folder).rglob("*")]:
            os.chown(path, user.pw_uid, user.pw_gid)


def drop(top, folder, name, content):
    """As any program would: the file appears in the folder and is left there."""
    path = top / "site" / folder / name
    path.write_bytes(content)
    if os.getuid() == 0:
        user = pwd.getpwnam(USER)
        os.chown(path, user.pw_uid, user.pw_gid)


def stow_plan(*options):
    return subprocess.run([sys.executable, HERE / "make_stow_plan.py", *options], check=True,
                          capture_output=True).stdout


def processes(name):
    """Children of the agent for one agreement, by their command lines."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(w.startswith(b"--name=") and w.endswith(name.encode()) for w in words):
            found.append(entry.parent.name)
    return found


def delivered(top, agent, partner):
    step(1, "A vessel stow plan leaves a folder, under the agreement, for the partner")
    plan = stow_plan("--containers", "800", "--reference", "DEMO1")
    drop(top, "stow-plans", "MAERSK-042W.edi", plan)
    show(f"dropped MAERSK-042W.edi, {len(plan)} bytes, into site/stow-plans")
    row = wait_for("delivery", lambda: agent.message("MAERSK-042W.edi", "delivered"))
    agent.show("show", row["id"])
    there = top / "partner/inbound/stow/MAERSK-042W.edi"
    digest = hashlib.sha256(there.read_bytes()).hexdigest()
    show(f"on the partner's disk: {there.relative_to(top)}, {there.stat().st_size} bytes, sha256 {digest}")
    expect(digest == hashlib.sha256(plan).hexdigest(), "the SHA-256 on the partner's disk is that of the file sent")


def not_listed(top, agent):
    step(2, "An ACE transaction is refused: the agreement lists no such service over SFTP")
    drop(top, "ace", "entry.txt", b"A".ljust(80) + b"\n" + b"Z".ljust(80) + b"\n")
    row = wait_for("quarantine", lambda: agent.message("entry.txt", "quarantined"))
    agent.show("explain", row["id"])
    expect(row["rule"] == "services.no-service", "refused by services.no-service, held in quarantine")
    reason = wait_for("the reason file", lambda: list((top / "site/ace/rejected").glob("*.reason.txt")))
    expect((top / "site/ace/rejected/entry.txt").exists(), f"its owner finds it in rejected/, with {reason[0].name}")


def broken(top, agent):
    step(3, "A broken stow plan is quarantined, with the rule and the segment")
    drop(top, "stow-plans", "broken.edi",
         stow_plan("--containers", "20", "--reference", "DEMO2", "--break", "unt-count"))
    row = wait_for("quarantine", lambda: agent.message("broken.edi", "quarantined"))
    agent.show("explain", row["id"])
    expect(row["rule"] == "stow-plan.unt-count", "refused by stow-plan.unt-count")


def changed_host_key(top, agent, partner):
    step(4, "The partner's host key changes: refused before we authenticate; nothing is lost")
    partner.stop()
    partner.start("other-host-key")
    drop(top, "stow-plans", "MAERSK-043W.edi", stow_plan("--containers", "50", "--reference", "DEMO3"))
    link = wait_for("the link to be parked",
                    lambda: [r for r in agent.rows("links", "status") if r["state"] == "parked"], 60)
    show(f"link {link[0]['agreement']}/{link[0]['link']} is parked: {link[0]['rule']}")
    show(f"{link[0]['why']}")
    said = [e["event"] for e in partner.events()]
    show(f"the partner saw: {', '.join(said)}")
    expect("connected" in said and "auth" not in said, "no authentication was attempted with the changed key")
    row = wait_for("the plan to wait", lambda: agent.message("MAERSK-043W.edi", "waiting"))
    partner.stop()
    partner.start("host-key")
    agent.show("reload")
    wait_for("delivery", lambda: agent.message("MAERSK-043W.edi", "delivered"), 60)
    expect(True, f"with the right key back and `accord reload`, {row['name']} was delivered")


def switched_off(top, agent):
    step(5, "The agreement is switched off by editing conf.d; its processes end; what comes now is held")
    before = processes("-cbp-isa")
    path = top / "conf.d/cbp-isa.conf"
    path.write_text(path.read_text().replace("enabled      = yes", "enabled      = no "))
    show("edited conf.d/cbp-isa.conf: enabled = no")
    agent.show("reload")
    wait_for("its processes to end", lambda: not processes("-cbp-isa"))
    agent.show("agreements")
    expect(len(before) == 3, "its link, guard and inspect processes were running, and are gone")
    drop(top, "stow-plans", "MAERSK-044W.edi", stow_plan("--containers", "10", "--reference", "DEMO4"))
    wait_for("the plan to be held", lambda: agent.message("MAERSK-044W.edi", "held"))
    expect(not (top / "partner/inbound/stow/MAERSK-044W.edi").exists(), "MAERSK-044W.edi is held, not sent")
    path.write_text(path.read_text().replace("enabled      = no ", "enabled      = yes"))
    agent.show("reload")
    wait_for("delivery", lambda: agent.message("MAERSK-044W.edi", "delivered"), 60)
    expect(True, "switched on again: the held plan was delivered")


def audit(top, agent):
    step(6, "The audit trail proves it, and shows that it was tampered with")
    agent.show("messages")
    agent.stop()
    agent.show("audit", "verify", top / "state/audit")
    copy = top / "audit-copy"
    shutil.copytree(top / "state/audit", copy)
    shutil.copy(top / "state/audit-key.pub.pem", top)
    line_file = sorted((copy / "cbp-isa").glob("*.jsonl"))[0]
    text = bytearray(line_file.read_bytes())
    at = text.index(b"message-delivered") + len("message-deliv")
    text[at] ^= 1
    line_file.write_bytes(text)
    show(f"changed one byte of a copy: {line_file.relative_to(top)} at {at}")
    agent.show("audit", "verify", copy, code=1)


def rehearse(top, build):
    partner, agent = Partner(top), None
    try:
        make_keys(top)
        host_key = partner.start("host-key")
        write_conf(top, partner, host_key)
        agent = Agent(top, build)
        give_away(top)
        step(0, f"A rehearsal partner listens on 127.0.0.1:{partner.port}; the agent starts")
        agent.show("check")
        agent.start()
        wait_for("the agreement", lambda: agent.up("cbp-isa"))
        agent.show("status")
        delivered(top, agent, partner)
        not_listed(top, agent)
        broken(top, agent)
        changed_host_key(top, agent, partner)
        switched_off(top, agent)
        audit(top, agent)
    finally:
        if agent:
            agent.stop()
        partner.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="build folder with bin/ and lib/")
    parser.add_argument("--keep", action="store_true", help="leave the rehearsal's folder behind, to look around")
    options = parser.parse_args()
    top = Path(tempfile.mkdtemp(prefix="accord-demo."))
    began = time.monotonic()
    try:
        rehearse(top, options.build.resolve())
    except Failed as error:
        print(f"\nFAILED: {error}\nThe agent's log and all else is in {top}", flush=True)
        return 1
    print(f"\nAll of it went as the agreement says, in {time.monotonic() - began:.0f} s. "
          "Next: README.md, \"Where to go next\".")
    if options.keep:
        print(f"left behind: {top}")
    else:
        shutil.rmtree(top)
    return 0


if __name__ == "__main__":
    sys.exit(main())
