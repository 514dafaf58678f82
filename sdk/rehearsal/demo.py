#!/usr/bin/python3
"""make demo: an agreement with partners of SFTP, AMQP and mail and one with a TAXII partner, rehearsed on this machine. Everything shown is
read from the agent, from the partners' disks or from their own logs; the run fails when something is not as it should be."""
import argparse
import hashlib
import json
import pathlib
import subprocess
import sys
import time
import warnings

warnings.simplefilter("ignore")
from demo_ais import AisDemo  # noqa: E402
from demo_cbp import CbpDemo  # noqa: E402
from rehearsal import (SERVER, Agent, Installation, Key, account_of_child, end, give, wait_for)  # noqa: E402
from stage import require, show, title  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent

SITE = """
[site]
name = Acme Shipping Lines

[link stow-plans]
connector = dir
path      = {site}/stow-plans

[link ace]
connector = dir
path      = {site}/ace

[service stow-plans]
type      = stow-plan
direction = receive
link      = stow-plans

[service ace]
type      = ace-transaction
direction = receive
link      = ace
"""

AGREEMENT = """
[agreement]
title        = CBP Interconnection Security Agreement (rehearsal)
partner      = U.S. Customs and Border Protection
enabled      = yes
acknowledged = {today}
valid-for    = 3 years
sensitivity  = SBU
category     = high

[endpoint sftp]
host = 127.0.0.1
port = {port}

[link sftp]
connector = sftp
endpoint  = sftp
user      = acme
key       = id_ecdsa
host-key  = {host_key}

[service stow-plan]
type      = stow-plan
direction = send
link      = sftp
directory = /inbound/stow
from      = site/stow-plans
retry-first    = 500 ms
retry-longest  = 1 s
retry-attempts = 6

[policy encryption]
ssh-ciphers = {ciphers}

[policy content]
"""


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Partner:
    """sftp_partner.py as a process of its own, with its log of events."""

    def __init__(self, folder, user_key):
        self.folder, self.files = folder, folder / "files"
        (self.files / "inbound/stow").mkdir(parents=True)
        (folder / "authorized_keys").write_text(user_key.public)
        self.log, self.port, self.process = folder / "log", 0, None
        # Where the partner's process may read it, wherever the sources lie.
        self.program = folder / "sftp_partner.py"
        self.program.write_bytes((HERE / "sftp_partner.py").read_bytes())

    def start(self):
        self.log.unlink(missing_ok=True)
        give(self.folder, SERVER)
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-W", "ignore", self.program, "--port", str(self.port), "--root", self.files,
             "--host-key", self.folder / "host_key", "--authorized-keys", self.folder / "authorized_keys"],
            stdin=subprocess.DEVNULL, stdout=self.log.open("wb"), stderr=subprocess.STDOUT, cwd=self.folder,
            **account_of_child(SERVER))
        first = wait_for(lambda: self.events("listening"), lambda: f"the partner to listen: {self.log.read_text()}")[0]
        self.port, self.host_key = first["port"], first["host_key"]

    def events(self, name):
        if self.process.poll() is not None:
            raise AssertionError(f"the partner ended: {self.log.read_text()}")
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def change_host_key(self):
        self.stop()
        (self.folder / "host_key").rename(self.folder / "true_host_key")
        self.start()

    def restore_host_key(self):
        self.stop()
        (self.folder / "true_host_key").rename(self.folder / "host_key")
        self.start()

    def stop(self):
        if self.process:
            end(self.process)


class Demo:
    def __init__(self, build):
        self.installation = Installation(build)
        self.agent = Agent(self.installation)
        self.user_key = Key()
        self.plans = 0
        self.partner = Partner(self.installation.folder(), self.user_key)
        self.cbp, self.ais = CbpDemo(self.agent, self.plan), AisDemo(self.agent)

    def write_agreement(self, ciphers="aes256-gcm@openssh.com, aes256-ctr"):
        self.agent.write_conf("cbp-isa.conf", AGREEMENT.format(
            ciphers=ciphers, today=time.strftime("%Y-%m-%d", time.gmtime()), port=self.partner.port,
            host_key=self.host_key))

    def plan(self, name, folder="stow-plans", **options):
        """Drops a stow plan into a folder of the site's, and returns its SHA-256. Each has its own control reference: the
        agreement takes none twice."""
        self.plans += 1
        command = ["/usr/bin/python3", HERE / "make_stow_plan.py", "--reference", f"DEMO{self.plans}"]
        for option, value in options.items():
            command += ["--" + option, str(value)]
        content = subprocess.run(command, capture_output=True, check=True).stdout
        self.agent.drop(folder, name, content)
        return hashlib.sha256(content).hexdigest()

    # ---- the acts ----

    def begin(self):
        title("An agreement: what is listed may flow, nothing else")
        self.partner.start()
        self.host_key = self.partner.host_key
        for folder in ("stow-plans", "ace"):
            self.agent.site_folder(folder)
        self.agent.write_conf("site.conf", SITE.format(site=self.agent.site))
        self.agent.secret("cbp-isa", "id_ecdsa", self.user_key.private)
        self.write_agreement()
        checked = self.agent.ask("check")
        show("check", checked.line)
        require(checked.code == 0, f"conf.d was not sound: {checked}")
        self.agent.start()
        show("agreement", f"{self.agent.conf}/cbp-isa.conf")
        show("partner", f"sftp://127.0.0.1:{self.partner.port}, host key {self.host_key}")
        for row in self.agent.ask("status").tables.get("processes", []):
            show("process", f"{row['process']}, pid {row['pid']}: {row['walls']}")

    def deliver(self):
        title("A stow plan leaves a folder and arrives at the partner")
        hashed = self.plan("MVREHEARSAL-601W.edi", containers=400)
        row = self.agent.wait_message(name="MVREHEARSAL-601W.edi", state="delivered")
        delivery = self.agent.ask("show", row["id"])["deliveries"][0]
        there = self.partner.files / "inbound/stow/MVREHEARSAL-601W.edi"
        show("message", row["id"])
        show("receipt", delivery["receipt"])
        show("on its disk", f"{there.relative_to(self.partner.files)}, {there.stat().st_size} bytes")
        show("SHA-256", f"{sha256(there)} there, {hashed} here")
        require(sha256(there) == hashed, "the partner's copy differs")

    def refuse_type(self):
        title("An ACE transaction: the agreement has no such service over SFTP")
        self.agent.drop("ace", "entry.txt", (b"A" + b" " * 79 + b"\n") + (b"Z" + b" " * 79 + b"\n"))
        row = self.agent.wait_message(name="entry.txt", state="quarantined")
        show("rule", row["rule"])
        show("reason", row["reason"])

    def refuse_content(self):
        title("A stow plan that miscounts its segments")
        self.plan("broken.edi", containers=12, **{"break": "unt-count"})
        row = self.agent.wait_message(name="broken.edi", state="quarantined")
        show("rule", row["rule"])
        show("reason", row["reason"])
        require(row["rule"] == "stow-plan.unt-count", f"another rule than expected: {row}")

    def refuse_host(self):
        title("The partner's host key has changed: nobody logs in")
        self.partner.change_host_key()
        self.plan("later.edi", containers=12)
        row = self.agent.wait_message(name="later.edi", state="waiting")
        link = wait_for(lambda: [link for link in self.agent.ask("status").tables.get("links", [])
                                 if link.get("state") == "parked"], "the link to be parked")[0]
        show("link", f"{link['link']} is parked: {link['reason']}")
        show("partner saw", f"{len(self.partner.events('connected'))} connection, "
                            f"{len(self.partner.events('auth'))} log-ins")
        show("message", f"{row['id']} waits; it is not lost")
        require(not self.partner.events("auth"), "someone tried to log in")
        self.partner.restore_host_key()
        require(self.agent.ask("resume", "cbp-isa").code == 0, "the link could not be resumed")
        self.agent.wait_message(name="later.edi", state="delivered")
        show("then", "the right key is back, `accord resume cbp-isa` tries the link again, and the plan is delivered")

    def agreement_state(self):
        rows = self.agent.ask("agreements").tables.get("agreements", [])
        return next((row["state"] for row in rows if row["agreement"] == "cbp-isa"), "")

    def switch_off(self):
        title("The file renamed: the agreement's processes go; nobody has to tell the agent")
        self.partner.stop()
        self.plan("meanwhile.edi", containers=12)
        identity = self.agent.wait_message(name="meanwhile.edi", state="waiting")["id"]
        before = len(self.agent.children())
        path = self.agent.conf / "cbp-isa.conf"
        path.rename(path.with_suffix(".off"))
        wait_for(lambda: self.agreement_state() == "absent", "the agreement to be off")
        wait_for(lambda: len(self.agent.children()) < before, "its processes to end")
        show("processes", f"{before} before, {len(self.agent.children())} now")
        self.agent.wait_message(name="meanwhile.edi", state="held")
        show("message", f"{identity} was still to go, and is held")
        self.partner.start()
        path.with_suffix(".off").rename(path)
        self.agent.wait_message(name="meanwhile.edi", state="delivered")
        show("then", "the file has its name again: what was held is delivered")

    def mistake(self):
        title("A mistake in the file: it is named, and changes nothing")
        self.write_agreement(ciphers="aes256-gmc@openssh.com")
        answer = self.agent.ask("reload")
        for row in answer.tables["problems"]:
            show(f"{row['file']}:{row['line']}", row["text"])
        require(answer.code != 0 and answer.tables["problems"], f"the mistake should have been found: {answer}")
        self.plan("as-before.edi", containers=12)
        self.agent.wait_message(name="as-before.edi", state="delivered")
        show("meanwhile", "a plan is delivered under the version that runs")
        self.write_agreement()
        require(self.agent.ask("reload").code == 0, "the file is sound again")

    def retry(self):
        title("The partner is away: the plan waits, and goes when it is back")
        self.partner.stop()
        self.plan("patient.edi", containers=12)
        identity = self.agent.wait_message(name="patient.edi", state="waiting")["id"]
        tried = wait_for(lambda: [row for row in self.agent.ask("show", identity)["deliveries"]
                                  if int(row["attempts"]) >= 2], "two attempts")[0]
        show("attempts", f"{tried['attempts']}: {tried['reason']}")
        self.partner.start()
        self.agent.wait_message(name="patient.edi", state="delivered")
        there = self.agent.ask("show", identity)["deliveries"][0]
        show("then", f"delivered at attempt {int(there['attempts'])}: {there['receipt']}")

    def dead_letter(self):
        title("The partner refuses again and again: a dead letter, found, explained and retried")
        folder = self.partner.files / "inbound/stow"
        folder.chmod(0o555)
        self.plan("unwanted.edi", containers=12)
        row = self.agent.wait_message(name="unwanted.edi", state="dead")
        found = self.agent.ask("messages", "--state", "dead")["messages"]
        show("messages", f"--state dead: {', '.join(one['name'] for one in found)}")
        for step in self.agent.ask("explain", row["id"])["explanation"]:
            show("explain", "  ".join(str(cell) for cell in step.values() if cell))
        folder.chmod(0o755)
        show("retry", self.agent.ask("retry", row["id"]).line)
        self.agent.wait_message(name="unwanted.edi", state="delivered")
        show("then", "the folder may be written again, and the plan is delivered")

    def verify(self):
        title("The audit trail")
        good = self.agent.ask("audit", "verify")
        show("whole", good.line)
        require(good.code == 0, f"the trail should be unbroken: {good}")
        copy = self.agent.home / "copy"
        subprocess.run(["cp", "-r", self.agent.state / "audit", copy], check=True)
        path = max(copy.glob("cbp-isa/*.jsonl"), key=lambda one: one.stat().st_size)
        content = bytearray(path.read_bytes())
        at = content.index(b"delivered")
        content[at] = ord("D")
        path.write_bytes(content)
        bad = self.agent.ask("audit", "verify", copy)
        show("one byte", bad.line)
        for row in bad.tables["problems"]:
            show(row["fault"], f"{row['file']}:{row['line']}: {row['text']}")
        require(bad.code == 1, f"the change should be found: {bad}")

    def other_services(self):
        self.cbp.begin(self.partner.files)
        self.cbp.request()
        self.cbp.by_mail()
        self.cbp.by_sftp(self.partner.files)
        self.cbp.no_starttls()
        self.cbp.only_anonymous()

    def run(self):
        for act in (self.begin, self.deliver, self.refuse_type, self.refuse_content, self.refuse_host,
                    self.switch_off, self.mistake, self.retry, self.dead_letter, self.other_services,
                    *self.ais.acts(), self.cbp.tally, self.verify):
            act()
        print("\nAll of it as it should be. Next: docs/ARCHITECTURE.md, and conf.d/ for files to begin with.")

    def close(self):
        self.agent.stop()
        self.partner.stop()
        self.cbp.close()
        self.ais.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="a build folder")
    parser.add_argument("--keep", action="store_true", help="keep the folders and say where they are")
    options = parser.parse_args()
    demo = Demo(options.build)
    try:
        demo.run()
        return 0
    except (AssertionError, KeyError, IndexError, ValueError, OSError, subprocess.CalledProcessError) as problem:
        print(f"\nThe demonstration failed: {type(problem).__name__}: {problem}\n\nThe agent's log ends:\n"
              f"{demo.agent.log_tail()}", file=sys.stderr)
        return 1
    finally:
        demo.close()
        if options.keep:
            print(f"kept: {demo.installation.prefix}")
        else:
            demo.installation.remove()


if __name__ == "__main__":
    sys.exit(main())
