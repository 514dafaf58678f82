"""Kills of the link and of the hub in the middle of a poll in ten parts: every block arrives exactly once."""
import os
import signal

import pytest

from exact import seeded
from harness import wait_for
from indicators import Indicators, feed_only, submit_only

from taxii_partner import TaxiiPartner

KILLS = int(os.environ.get("ACCORD_KILLS", 20))


def kill(agent, random):
    """The link or the hub, by chance."""
    link = agent.child("link-ais")
    if link and random.random() < 0.5:
        os.kill(link, signal.SIGKILL)
        return
    agent.kill()
    agent.start()


@pytest.mark.long
def test_every_block_arrives_exactly_once_over_kills(agent):
    random = seeded("taxii-kills")
    with TaxiiPartner() as partner:
        ais = Indicators(agent, partner, feed_only(poll="200 ms", start="6 hours"))
        blocks, number = [], 0
        ais.start()
        for round_ in range(KILLS):
            before = len(partner.told("part"))
            blocks += ais.give(30, first=number, minutes=0, hours_ago=0)  # ten parts of three
            number += 30
            part = random.randrange(1, 10)
            wait_for(lambda: len(partner.told("part")) >= before + part or len(ais.came()) >= len(blocks),
                     lambda: f"part {part} in round {round_}: {agent.log_tail()}", 60)
            kill(agent, random)
            if random.random() < 0.3:
                partner.forget_results()
            wait_for(lambda: len(ais.came()) >= len(blocks), lambda: f"round {round_}: {len(ais.came())} of {len(blocks)}; "
                     f"{agent.log_tail()}", 90)
        ais.wait_came(blocks)
        assert len(agent.ask("messages", "--limit", 1)["messages"]) == 1
        assert agent.ask("audit", "verify").code == 0


@pytest.mark.long
def test_every_package_is_taken_over_kills(agent):
    """A kill between the answer and its commit sends a package again, under its own message id: so the partner can tell."""
    random = seeded("taxii-kills-submitting")
    with TaxiiPartner() as partner:
        ais = Indicators(agent, partner, submit_only(batch="4"))
        ais.start()
        contents = []
        for round_ in range(KILLS // 2):
            contents += [ais.submit(f"{round_}-{number}.xml") for number in range(12)]
            wanted = len(contents) - random.randrange(1, 12)
            wait_for(lambda: len(set(partner.received())) >= wanted, lambda: f"round {round_}: {agent.log_tail()}", 60)
            kill(agent, random)
        wait_for(lambda: set(partner.received()) == set(contents), lambda: f"{len(set(partner.received()))} of "
                 f"{len(contents)}: {agent.log_tail()}", 90)
        assert agent.ask("audit", "verify").code == 0
