"""Connector maildir: from a Maildir of the site to another one, through kills, each message once."""
import hashlib
import os

import pytest
from harness import give, wait_for
from traffic import conf

SITE = {"site": {"name": "Acme"}, "link mail": {"connector": "maildir", "folder": None},
        "service orders": {"type": "opaque", "direction": "receive", "link": "mail", "mailbox": ".Orders", "poll": "200 ms"}}
PARTNER = {"agreement": {"title": "Agreement", "partner": "Partner", "enabled": "yes", "acknowledged": "2026-01-01",
                         "valid-for": "30 years"},
           "link gateway": {"connector": "maildir", "folder": None},
           "service orders": {"type": "opaque", "direction": "send", "link": "gateway", "mailbox": ".", "mode": "0640",
                              "from": "site/orders", "retry-first": "200 ms", "retry-longest": "1 s"}}


class Mail:
    def __init__(self, agent, **service):
        self.agent = agent
        self.ours, self.theirs = agent.site_folder("ours"), agent.site_folder("theirs")
        for part in ("tmp", "new", "cur"):
            (self.ours / ".Orders" / part).mkdir(parents=True)
        self.box = self.ours / ".Orders"
        site = {"link mail": {"folder": self.ours}, "service orders": service}
        agent.write_conf("site.conf", conf(SITE, site))
        agent.write_conf("partner.conf", conf(PARTNER, {"link gateway": {"folder": self.theirs}}))
        give(agent.site)

    def put(self, name, content):
        """As a mail server does it."""
        path = self.box / "tmp/delivering"
        path.write_bytes(content)
        give(path)
        os.rename(path, os.path.join(os.fsencode(self.box / "new"), os.fsencode(name)))

    def arrived(self):
        return [path.read_bytes() for part in ("new", "cur") for path in (self.theirs / part).glob("*")]

    def left(self):
        return sorted(os.listdir(self.box / "new"))


@pytest.fixture
def mail(agent):
    return lambda **service: Mail(agent, **service)


def test_a_mail_goes_from_one_maildir_to_another(agent, mail):
    one = mail()
    content = os.urandom(3_000_000)
    one.put("1700000001.M5P6.host,S=3000000:2,", content)
    agent.start()
    wait_for(one.arrived, lambda: f"the mail; the log ends:\n{agent.log_tail()}")
    assert one.arrived() == [content]
    wait_for(lambda: not one.left(), "the mail to be moved")
    assert os.listdir(one.box / "cur") == ["1700000001.M5P6.host,S=3000000:2,S"]
    row = agent.wait_message(name="1700000001.M5P6.host,S=3000000", state="delivered")
    name = next((one.theirs / "new").iterdir())
    assert f".A{row['id']}.partner-orders" in name.name and name.stat().st_mode & 0o777 == 0o640
    assert agent.ask("show", row["id"])["deliveries"][0]["receipt"] == f"new/{name.name} size=3000000"
    assert not list((one.theirs / "tmp").iterdir())


def test_what_is_refused_is_set_aside_with_its_reason(agent, mail):
    one = mail(**{"max-size": "1 KiB", "after": "delete"})
    one.put("1700000001.large.host", b"x" * 5000)
    one.put("1700000002.small.host", b"small")
    agent.start()
    wait_for(one.arrived, lambda: f"the small one; the log ends:\n{agent.log_tail()}")
    rejected = one.ours / ".Rejected/new/1700000001.large.host"
    wait_for(rejected.exists, lambda: f"the large one to be set aside; the log ends:\n{agent.log_tail()}")
    assert rejected.read_bytes() == b"x" * 5000
    assert "size" in (one.ours / ".Rejected/reasons/1700000001.large.host.txt").read_text()
    wait_for(lambda: not one.left(), "the small one to be deleted")
    assert not os.listdir(one.box / "cur")


def test_hostile_names_are_carried_or_left_alone(agent, mail):
    one = mail()
    names = [b"1.\n\x1b[31m.host", b"2.\xff\xfe.host", b"3." + b"n" * 253, b"4. with blanks %2f", b"-rf", b"5.:2,:2,S"]
    for name in names:
        one.put(name, b"content of " + name)
    (one.box / "new" / "6.link").symlink_to("/etc/passwd")
    (one.box / "new" / "7.folder").mkdir()
    os.mkfifo(one.box / "new" / "8.pipe")
    agent.start()
    wait_for(lambda: len(one.arrived()) == len(names), lambda: f"all: {one.arrived()}; {agent.log_tail()}")
    assert sorted(one.arrived()) == sorted(b"content of " + name for name in names)
    wait_for(lambda: one.left() == ["6.link", "7.folder", "8.pipe"], lambda: f"the others to stay: {one.left()}")
    wait_for(lambda: "maildir.strange" in agent.log(), "a line about the strange ones")
    assert len(os.listdir(one.box / "cur")) == len(names)
    for row in agent.ask("messages")["messages"]:
        assert row["name"].isascii() and row["name"].isprintable()


def test_kills_lose_nothing_and_double_nothing(agent, mail):
    """The agent is killed again and again while mails go through; a mail is in one place at every moment."""
    one = mail()
    sent = {f"{1700000000 + n}.M{n}.host": f"mail {n} ".encode() * (1 + n % 3 * 9000) for n in range(160)}
    for name, content in list(sent.items())[:80]:
        one.put(name, content)
    agent.start()
    for round_ in range(4):
        before = 30 * round_
        wait_for(lambda: len(one.arrived()) >= before, lambda: f"{len(one.arrived())} of {before}; {agent.log_tail()}", 60)
        agent.kill()
        seen = one.arrived()
        assert len(seen) == len(set(seen)), "a mail arrived twice"
        for name in list(sent)[80 + 20 * round_:100 + 20 * round_]:
            one.put(name, sent[name])
        agent.start()
    wait_for(lambda: len(one.arrived()) >= len(sent) and not one.left(),
             lambda: f"{len(one.arrived())} of {len(sent)}, {len(one.left())} left; {agent.log_tail()}", 90)
    arrived = sorted(hashlib.sha256(content).hexdigest() for content in one.arrived())
    assert arrived == sorted(hashlib.sha256(content).hexdigest() for content in sent.values())
    assert sorted(os.listdir(one.box / "cur")) == sorted(f"{name}:2,S" for name in sent)
    assert agent.ask("audit", "verify").code == 0
