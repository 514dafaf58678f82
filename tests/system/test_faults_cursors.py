"""A source that is read by cursor alone: no message of it is lost and none comes twice, whoever is killed."""
import os
import signal
import time

import pytest

from exact import seeded
from harness import BUILD, wait_for
from test_metrics import metrics
from traffic import FOLDERS, agreed, conf, sending, write_site

COUNT = 200  # numbers; every tenth has no message
SITE = {**FOLDERS, **sending("numbers", "opaque", **{"from": "isa/numbers"})}
AGREEMENT = {
    "agreement": agreed(),
    "link in": {"connector": "counter", "count": COUNT},
    "service numbers": {"type": "opaque", "direction": "receive", "link": "in", "to": "site/numbers"},
}


class Counting:
    def __init__(self, agent):
        self.agent = agent
        agent.own_plugins(BUILD / "lib/accord/faults/connector-counter.so")
        self.folder = agent.site_folder("numbers")
        write_site(agent, SITE)
        agent.write_conf("isa.conf", conf(AGREEMENT))

    def there(self):
        return sorted(path.name for path in self.folder.iterdir() if path.name.startswith("n-"))

    def wait_more(self, count):
        target = min(len(self.there()) + count, len(EXPECTED))
        wait_for(lambda: len(self.there()) >= target,
                 lambda: f"{target} files, there are {len(self.there())}; the log ends:\n{self.agent.log_tail()}")

    def gauge(self, name):
        _, samples = metrics(self.agent).get("accord_plugin_metric", (None, {}))
        return samples.get((("agreement", "isa"), ("instance", "in"), ("name", name)))

    def at_end(self):
        return self.gauge("next") == COUNT + 1 and self.gauge("open") == 0


EXPECTED = [f"n-{number:06}" for number in range(1, COUNT + 1) if number % 10]


@pytest.fixture
def counting(agent):
    one = Counting(agent)
    agent.start()
    return one


def check(counting):
    wait_for(lambda: counting.there() == EXPECTED,
             lambda: f"every number once: lack {sorted(set(EXPECTED) - set(counting.there()))}, too many "
                     f"{sorted(set(counting.there()) - set(EXPECTED))}; log:\n{counting.agent.log_tail()}")
    rows = counting.agent.ask("messages", "--limit", 256)["messages"]
    assert sorted(row["name"] for row in rows) == EXPECTED
    wait_for(counting.at_end, "the source to be read to its end")
    counting.agent.restart()
    wait_for(counting.at_end, "it to go on from the cursor")
    assert not counting.gauge("offered"), "the cursor was not at the end"


@pytest.mark.long
def test_cursor_is_never_ahead_of_its_messages(counting):
    """Kills of the hub and of the link while a source is read by cursor: each message is admitted once, none is passed
    over, and after the last the cursor is at the end."""
    random = seeded("cursors")
    for _ in range(int(os.environ.get("ACCORD_KILLS", 8))):
        counting.wait_more(random.randrange(3, 25))
        time.sleep(random.random() * 0.03)
        link = counting.agent.child("link-isa")
        if random.random() < 0.5 and link:
            os.kill(link, signal.SIGKILL)
        else:
            counting.agent.kill()
            counting.agent.start()
    check(counting)


def test_cursor_goes_on_after_a_stop(counting):
    """A source that is read by cursor, and an agent that is stopped and started in the middle of it."""
    counting.wait_more(20)
    counting.agent.restart()
    check(counting)
