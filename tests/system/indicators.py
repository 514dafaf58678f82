"""The AIS link's traffic, as the system tests send it: packages from a folder of the site to a TAXII partner's inbox, its
feed into another folder."""
import datetime
import json

import pytest

from harness import give, wait_for
from traffic import FOLDERS, agreed, conf, receiving, sending, write_site

import make_indicator
from taxii_messages import now
from taxii_partner import TaxiiPartner

SITE = {**FOLDERS, **receiving("indicators", "stix-1", rescan="500 ms"), **sending("feed", "stix-1", "ais-feed")}
AGREEMENT = {
    "agreement": agreed("Automated Indicator Sharing", "CISA"),
    "endpoint taxii": {"host": "localhost", "port": None},
    "link taxii": {"connector": "taxii", "endpoint": "taxii", "version": "1.1", "discovery": "/flare/taxii11/discovery",
                   "certificate": "client.pem", "key": "client.key", "trust": "root.pem", "timeout": "3 s"},
    "service submit": {"type": "stix-1", "direction": "send", "link": "taxii", "collection": "AIS_INGEST",
                       "from": "site/indicators", "retry-first": "300 ms", "retry-longest": "1 s"},
    "service feed": {"type": "stix-1", "direction": "receive", "link": "taxii", "collection": "AIS", "poll": "1 s",
                     "window": "6 hours", "start": "4 hours", "to": "site/ais-feed"},
    "policy encryption": {},
    "policy content": {"require-marking": "ais"},
}


def package(seed, **how):
    return make_indicator.package(str(seed), **{"declaration": False, **how}).strip()


@pytest.fixture(name="partner")
def taxii_partner():
    """For the files that import it."""
    with TaxiiPartner() as one:
        yield one


# Deadlines that a test can wait for.
QUICK = {"link taxii": {"timeout": "2 s", "connect-timeout": "2 s", "longest": "8 s", "answer-limit": "16 MiB",
                        "idle-close": "100 ms"}}


class Indicators:
    """An agent with the agreement `ais`, and a partner. Nothing runs yet."""

    def __init__(self, agent, partner, *changes, site=None):
        self.agent, self.partner = agent, partner
        self.inbox, self.feed = agent.site_folder("indicators"), agent.site_folder("feed")
        self.credentials(partner.authority.client())
        agent.secret("ais", "root.pem", partner.authority.trust)
        write_site(agent, SITE, site or {})
        self.write_agreement(*changes)

    def credentials(self, identity, key=None):
        self.agent.secret("ais", "client.pem", identity.chain)
        self.agent.secret("ais", "client.key", key or identity.key)

    def write_agreement(self, *changes):
        self.agent.write_conf("ais.conf", conf(AGREEMENT, {"endpoint taxii": {"port": self.partner.port}}, *changes))

    def start(self, **how):
        self.agent.start(**how)
        self.wait_state("up")
        return self

    def wait_state(self, state):
        def rows():
            return [row["state"] for row in self.agent.ask("agreements")["agreements"] if row["agreement"] == "ais"]
        wait_for(lambda: rows() == [state], lambda: f"ais to be {state}: {rows()}; the log ends:\n{self.agent.log_tail()}")

    # ---- submitting ----

    def submit(self, name, content=None, **how):
        content = package(name, **how) if content is None else content
        self.agent.drop("indicators", name, content)
        return content

    def wait(self, name, state):
        return self.agent.wait_message(name=name, state=state)

    def delivery(self, row):
        return self.agent.ask("show", row["id"])["deliveries"][0]

    def wait_taken(self, contents, patience=30):
        """The partner has taken these, each once."""
        wanted = sorted(contents)
        wait_for(lambda: sorted(self.partner.received()) == wanted, lambda: f"{len(wanted)} to be taken, there are "
                 f"{len(self.partner.received())}; the log ends:\n{self.agent.log_tail()}", patience)

    # ---- the feed ----

    def give(self, count, first=0, minutes=1, hours_ago=2.0, **how):
        """Puts blocks into the partner's feed, some minutes apart; returns their contents."""
        begin = now() - datetime.timedelta(hours=hours_ago)
        contents = [package(f"feed {number}", **how) for number in range(first, first + count)]
        for number, content in enumerate(contents):
            self.partner.feed.add(content, begin + datetime.timedelta(minutes=minutes * number))
        return contents

    def came(self):
        return [path.read_bytes() for path in self.feed.iterdir() if not path.name.startswith(".")]

    def wait_came(self, contents, patience=30):
        """These have come from the feed, each once, byte for byte, and nothing else."""
        wanted = sorted(contents)
        wait_for(lambda: len(self.came()) >= len(wanted), lambda: f"{len(wanted)} to come, there are {len(self.came())}; "
                 f"the log ends:\n{self.agent.log_tail()}", patience)
        assert sorted(self.came()) == wanted

    # ---- the link ----

    def link(self):
        return next(row for row in self.agent.ask("status")["links"] if row["agreement"] == "ais")

    def wait_parked(self, *words):
        wait_for(lambda: self.link()["state"] == "parked" and all(word in str(self.link()) for word in words),
                 lambda: f"the link to be parked with {words}: {self.link()}; the log ends:\n{self.agent.log_tail()}")
        return self.link()

    def resume(self):
        """A link that is parked is also tried by itself, now and then: it may have been resumed already."""
        answer = self.agent.ask("resume", "ais")
        assert answer.code == 0 or self.link()["state"] != "parked", answer

    def wait_log(self, *words):
        """One of these stands in the log."""
        wait_for(lambda: any(word in self.agent.log() for word in words),
                 lambda: f"{words} in the log, which ends:\n{self.agent.log_tail()}")

    def records(self, *actions, **fields):
        wanted = {name.replace("_", ".", 1): value for name, value in fields.items()}
        return [record for record in self.agent.audit_records("ais")
                if (not actions or record["event.action"] in actions)
                and all(record.get(name) == value for name, value in wanted.items())]

    def wait_record(self, *actions, **fields):
        wait_for(lambda: self.records(*actions, **fields), lambda: f"a record {actions} {fields}; there are "
                 + json.dumps(self.agent.audit_records("ais")[-12:], indent=1))
        return self.records(*actions, **fields)[0]

    def sound(self):
        """No process has died of it, and the trail is whole."""
        assert "hub.child-failed" not in self.agent.log(), self.agent.log_tail()
        assert self.agent.ask("audit", "verify").code == 0


def feed_only(**keys):
    """Changes: nothing is submitted."""
    return {"service submit": None, "service feed": {key.replace("_", "-"): value for key, value in keys.items()}}


def submit_only(**keys):
    return {"service feed": None, "service submit": {key.replace("_", "-"): value for key, value in keys.items()}}


__all__ = ["AGREEMENT", "SITE", "Indicators", "feed_only", "give", "package", "submit_only"]
