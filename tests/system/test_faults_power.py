"""R2: the power is cut: the file system forgets what was not synced and the agent is killed."""
import contextlib
import os
import time

import pytest

from disks import NotPossible, loop_disk
from exact import Flow, Ledger, gone_within, seeded
from harness import wait_for
from storm import Storm

CUTS = int(os.environ.get("ACCORD_CUTS", "10"))
SIZES = {"ext4": 64 << 20, "xfs": 320 << 20}


class Cuts(Storm):
    """The power goes at random moments, some of them in the first seconds of the store's life."""

    def __init__(self, disk, *others):
        super().__init__(*others)
        self.disk = disk

    def cut(self):
        children = self.agent.children()
        self.disk.cut_power()
        self.agent.process.kill()
        self.agent.process.wait()
        gone_within(children, 2)
        self.disk.unmount()
        self.disk.mount()
        self.kills["cut"] += 1

    def begin_and_cut(self):
        """Somewhere in the first second, whatever it is doing then."""
        self.feed()
        self.agent.start(ready=False)
        moment = time.monotonic() + self.random.random()
        wait_for(lambda: self.dead() or time.monotonic() > moment, "the moment")
        assert not self.dead(), self.agent.log_tail()
        self.cut()

    def renew(self):
        """Another disk, once all that was taken has arrived."""
        flow = self.flow
        wait_for(lambda: len(self.ledger.renamed) == len(flow.good) and not flow.left(), lambda: f"everything to "
                 f"arrive, after {self.kills['cut']} cuts; left: {flow.left()}; the log:\n{self.agent.log_tail()}")
        flow.check_partner()
        assert self.agent.ask("audit", "verify").code == 0
        self.agent.stop()
        self.disk.unmount()
        self.disk.make().mount()

    def live_and_cut(self):
        self.begin(None)
        self.feed_events(60)
        self.cut()


@contextlib.contextmanager
def cuts_on(kind, agent, partner, seed):
    ledger = Ledger()
    try:
        with loop_disk(agent, kind, SIZES[kind]) as disk:
            flow = Flow(agent, partner(server=ledger.server()))
            agent.settings = {"store": {"segment-size": "1 MiB", "reserve": "2 MiB"}}
            agent.write_agent_conf()
            yield Cuts(disk, flow, ledger, seeded(f"{seed} {kind}"))
    except NotPossible as problem:
        pytest.skip(str(problem))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_power_cuts(kind, agent, partner):
    """R2: the power is cut seven times on each of ext4 and xfs, under load: the agent starts every time, nothing that
    was taken from the source is lost, nothing arrives twice, and the trail is whole."""
    with cuts_on(kind, agent, partner, "power") as cuts:
        for _ in range(CUTS - 3):
            cuts.live_and_cut()
        cuts.flow.kills = CUTS
        cuts.begin(None)
        print(cuts.latency())
        cuts.check()


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_power_cut_in_the_first_second(kind, agent, partner):
    """R2: the power is cut within a second of the first start ever, three times on each of ext4 and xfs: the agent
    starts, makes what is missing of its store, and everything arrives."""
    with cuts_on(kind, agent, partner, "birth") as cuts:
        for _ in range(3):
            cuts.begin_and_cut()
            cuts.begin(None)
            cuts.renew()
