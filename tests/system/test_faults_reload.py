"""R13: conf.d changes all the time while plans flow."""
import os
import time

import pytest

from exact import AGREEMENT, FOLDER, WINDOW, Flow, Ledger, seeded
from harness import FORGETFUL, descriptors, memory, wait_for

RELOADS = int(os.environ.get("ACCORD_RELOADS", "200"))
PACE = 0.06        # seconds for each
# KiB that the hub may have grown by. With sanitizers, which keep what was freed for a while and spread it; without them 200
# reloads make it 0.4 MiB larger, and 1,000 1 MiB. A configuration that is never freed has more than this for each.
MEMORY = (16 << 10) + 16 * RELOADS

MISTAKES = ["retry-first   = never", "direction     = sideways", "nonsense      = 1", "[section", "from = site/nothing",
            "directory     =", "type          = stow-plam"]


class Editor:
    """Writes the agreement's file, as an editor does: sound with another value each time, or with a mistake."""

    def __init__(self, flow, random):
        self.flow, self.random, self.edits = flow, random, 0
        partner = flow.partner
        self.text = AGREEMENT.format(port=partner.port, user=partner.user, folder=FOLDER,
                                     host_key=partner.host_key.fingerprint, window=WINDOW)

    def edit(self, sound):
        """What is sound carries its number as the agreement's title; what is not is marked as well."""
        self.edits += 1
        text = self.text.replace("A flow under faults", f"Edit {self.edits} {'sound' if sound else 'INVALID'}")
        if not sound:
            text = text.replace("retry-longest = 1 s", self.random.choice(MISTAKES))
        self.flow.agent.write_conf("isa.conf", text)
        self.flow.agent.reload()


def up(agent):
    return any(row["agreement"] == "isa" and row["state"] == "up" for row in agent.ask("agreements")["agreements"])


@pytest.mark.long
def test_reloads_under_load(agent, partner):
    """R13: 200 edits and reloads of the agreement's file within seconds, every other one with a mistake, while plans
    flow: no mistake is ever taken on, every plan arrives exactly once, no process is started anew for a mistake, and
    the hub's descriptors and memory stay as they were. The long form does 1,000 in 60 s."""
    ledger, random = Ledger(), seeded("reload")
    flow = Flow(agent, partner(server=ledger.server()))
    agent.start(FORGETFUL)
    flow.wait_up()
    editor, pid = Editor(flow, random), agent.process.pid

    def edits(count):
        for nth in range(count):
            due = time.monotonic() + PACE
            editor.edit(sound=nth % 2 == 0)
            if len(flow.good) + len(flow.broken) - len(ledger.renamed) - len(flow.broken) < 10 and \
                    len(flow.good) + len(flow.broken) < 240:
                flow.drop()
            wait_for(lambda: time.monotonic() >= due, "its time")

    edits(20)
    editor.edit(sound=True)
    wait_for(lambda: up(agent), lambda: f"the agreement to be up; {agent.log_tail()}")
    before = descriptors(pid), memory(pid)
    edits(RELOADS - 20)
    editor.edit(sound=True)
    wait_for(lambda: up(agent), lambda: f"the agreement to be up; {agent.log_tail()}", 60)
    flow.wait_settled(90)
    wait_for(lambda: up(agent), "the agreement to be up")
    after = descriptors(pid), memory(pid)
    print(f"descriptors and KiB before {before} and after {after}")
    flow.kills += editor.edits
    flow.check_all(ledger)
    records = [record for record in agent.audit_records() if "configuration" in record["event.action"]]
    assert records and not [record for record in records if "INVALID" in str(record.get("accord.details.title"))]
    assert "INVALID" not in str(agent.ask("agreements").tables)
    assert after[0] <= before[0] + 4, f"descriptors: {before[0]}, then {after[0]}"
    assert after[1] <= before[1] + MEMORY, f"KiB: {before[1]}, then {after[1]}"
    assert agent.process.pid == pid and agent.process.poll() is None
