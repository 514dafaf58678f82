"""Stow plans by mail: to Exim as Debian ships it, and to the rehearsal server for what Exim cannot be made to do wrong."""
import email
import email.policy
import hashlib

import pytest

from exim import Exim
from harness import ROOT, wait_for
from mail_partner import MailPartner
from traffic import AGREEMENT as SFTP_AGREEMENT
from traffic import SITE, conf, plan, write_site

from authority import Authority

SERVER = ROOT / "build/servers-mail"
AGREEMENT = {
    "agreement": SFTP_AGREEMENT["agreement"],
    "endpoint mail": {"host": "localhost", "port": None},
    "link mail": {"connector": "smtp", "endpoint": "mail", "tls": "starttls", "user": "acme", "password": "mail.password",
                  "trust": "root.pem", "timeout": "3 s", "connect-timeout": "5 s"},
    "service stow-plan": {"type": "stow-plan", "direction": "send", "link": "mail", "mail-from": "plans@acme.example",
                          "mail-to": "stow@cbp.example", "subject": "Stow plan {name}", "body": "Message {id} of {date}.",
                          "from": "site/stow-plans", "retry-first": "300 ms", "retry-longest": "1 s"},
    "policy encryption": {},
    "policy content": {},
}


class Plans:
    """An agent with the agreement `isa`, and a mail server. Nothing runs yet."""

    def __init__(self, agent, server, *changes):
        self.agent, self.server, self.plans = agent, server, 0
        agent.site_folder("plans")
        agent.secret("isa", "mail.password", b"open sesame\n")
        agent.secret("isa", "root.pem", server.authority.trust)
        write_site(agent, SITE)
        self.write_agreement(*changes)

    def write_agreement(self, *changes):
        self.agent.write_conf("isa.conf", conf(AGREEMENT, {"endpoint mail": {"port": self.server.port}}, *changes))

    def start(self):
        self.agent.start()

        def rows():
            return [row["state"] for row in self.agent.ask("agreements")["agreements"] if row["agreement"] == "isa"]
        wait_for(lambda: rows() == ["up"], lambda: f"isa to be up: {rows()}; the log ends:\n{self.agent.log_tail()}")
        return self

    def send(self, name, **options):
        self.plans += 1
        content = plan(f"MAIL{self.plans}", **options)
        self.agent.drop("plans", name, content)
        return content

    def wait(self, name, state):
        return self.agent.wait_message(name=name, state=state)

    def delivery(self, row):
        return self.agent.ask("show", row["id"])["deliveries"][0]

    def wait_reason(self, name, words):
        row = self.wait(name, "waiting")
        wait_for(lambda: words in self.delivery(row)["reason"], lambda: f"{words!r}: {self.delivery(row)} {self.link()}")

    def link(self):
        return next(row for row in self.agent.ask("status")["links"] if row["agreement"] == "isa")

    def wait_parked(self):
        wait_for(lambda: self.link()["state"] == "parked",
                 lambda: f"the link to be parked: {self.link()} {self.agent.ask('messages')}; the log ends:\n{self.agent.log_tail()}")
        return self.link()["reason"]

    def records(self, *actions):
        return [record for record in self.agent.audit_records("isa") if record["event.action"] in actions]


def attachment(mail):
    message = email.message_from_bytes(mail, policy=email.policy.default)
    part, = message.iter_attachments()
    return message, part.get_filename(), part.get_payload(decode=True)


@pytest.fixture(name="server")
def rehearsal_server():
    with MailPartner() as one:
        yield one
        assert not one.told("broken"), one.told("broken")


@pytest.fixture(scope="module")
def exim(installation):
    if not (SERVER / "complete").exists():
        pytest.skip("Exim could not be fetched (see build/logs/servers-mail.log)")
    authority = Authority()
    one = Exim(SERVER, installation.folder() / "exim", authority.server(key="RSA-3072"))
    one.authority = authority
    yield one
    one.stop()


# ---- a real mail server ----

@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_plan_arrives_whole_as_an_attachment(agent, exim, tls):
    """CBP-1a.2: by mail. The receipt is the server's line, the Message-ID is the message's own."""
    box = f"stow-{tls}"
    plans = Plans(agent, exim, {"service stow-plan": {"mail-to": f"{box}@cbp.example", "cc": "copy@acme.example"},
                                "link mail": {"tls": tls},
                                "endpoint mail": {"port": exim.port if tls == "starttls" else exim.tls_port}}).start()
    contents = {f"plan-{number}.edi": plans.send(f"plan-{number}.edi", containers=20) for number in range(3)}
    rows = {name: plans.wait(name, "delivered") for name in contents}
    wait_for(lambda: len(exim.mail(box)) >= 3, lambda: exim.said()[-2000:])
    for mail in exim.mail(box):
        message, name, content = attachment(mail)
        assert content == contents[name] and message["Subject"] == f"Stow plan {name}"
        row = rows[name]
        assert row["id"] in message["Message-ID"] and message["Cc"] and "TLS1.3" in message["Received"]
        assert "id=" in plans.delivery(row)["receipt"] or "250" in plans.delivery(row)["receipt"]
    wait_for(lambda: "'accord.details.sasl.mechanism': 'PLAIN'" in str(plans.records("session-authenticated", "session-allowed")),
             "the record of the session")
    assert "open sesame" not in agent.log() and "open sesame" not in str(agent.audit_records())


def test_what_exim_refuses_ends_or_waits(agent, exim):
    """550 for the recipient is a dead letter with the server's line; 451 waits; a wrong password parks the link."""
    plans = Plans(agent, exim, {"service stow-plan": {"mail-to": "refused@cbp.example"}}).start()
    plans.send("refused.edi")
    reason = plans.delivery(plans.wait("refused.edi", "dead"))["reason"]
    assert "550" in reason and "no such mailbox here" in reason
    plans.write_agreement({"service stow-plan": {"mail-to": "busy@cbp.example"}})
    assert agent.ask("reload").code == 0
    plans.send("busy.edi")
    plans.wait_reason("busy.edi", "greylisted")
    agent.secret("isa", "mail.password", b"wrong\n")
    plans.write_agreement()
    assert agent.ask("reload").code == 0
    plans.send("later.edi")
    assert "535" in plans.wait_parked()
    agent.secret("isa", "mail.password", b"open sesame\n")
    assert agent.ask("resume", "isa").code == 0
    plans.wait("later.edi", "delivered")


def test_a_probe_walks_the_session(agent, exim):
    plans, before = Plans(agent, exim).start(), len(exim.mail())
    answer = agent.ask("probe", "isa")
    steps = [(row["step"], row["result"]) for row in answer["steps"]]
    assert answer.code == 0 and {result for _, result in steps} == {"ok"}, answer
    assert {"dns", "tcp"} <= {step for step, _ in steps}, answer
    assert plans.link()["state"] != "parked" and len(exim.mail()) == before


# ---- faults ----

def test_it_waits_and_tries_again(agent, server):
    """Greylisting, a server that goes down in mid-transaction, a full mailbox, lost connections: the plan goes in the end,
    and once."""
    server.greylisted.add("stow@cbp.example")
    for fault, command in (("busy", "CONNECT"), ("cut", "MAIL"), ("busy", "DATA"), ("full", "RCPT"), ("cut", "DATA")):
        server.faults.play(fault, command, times=1)
    plans = Plans(agent, server).start()
    content = plans.send("patient.edi")
    row = plans.wait("patient.edi", "delivered")
    assert [fault for _, fault in server.faults.played] and not server.faults.due, server.faults.due
    assert len(server.mails) == 1 and attachment(server.mails[0].content)[2] == content
    assert int(plans.delivery(row)["attempts"]) >= 6


def test_a_connection_lost_after_the_data_is_uncertain(agent, server):
    """The server has it and could not say so: it is sent again under the same Message-ID, or held if that was asked for."""
    server.faults.play("take-and-cut", "BODY", times=1)
    plans = Plans(agent, server).start()
    plans.send("twice.edi")
    plans.wait("twice.edi", "delivered")
    assert len(server.mails) == 2 and len({mail.message["Message-ID"] for mail in server.mails}) == 1
    plans.write_agreement({"service stow-plan": {"on-uncertain": "hold"}})
    assert agent.ask("reload").code == 0
    server.faults.play("take-and-cut", "BODY", times=1)
    plans.send("held.edi")
    assert plans.delivery(plans.wait("held.edi", "held"))["rule"] == "hub.uncertain"
    assert len(server.mails) == 3


def test_a_final_no_is_a_dead_letter_with_its_line(agent, server):
    plans = Plans(agent, server).start()
    for number, (fault, command, line) in enumerate((("refuse", "RCPT", "550 5.1.1"), ("policy", "BODY", "554 5.7.1"))):
        server.faults.play(fault, command, times=1)
        plans.send(f"{number}.edi")
        assert line in plans.delivery(plans.wait(f"{number}.edi", "dead"))["reason"]
    assert not server.mails


@pytest.mark.parametrize("how", ["stripped", "refused", "injected", "stranger", "old"])
def test_nothing_is_said_outside_of_a_good_session(agent, server, how):
    """STARTTLS stripped from the offer, answered with no, followed by injected text; a certificate that nobody vouches for;
    TLS 1.1: no name, no password, no address and no plan leaves, and the link is parked."""
    plans = Plans(agent, server)
    if how == "stripped":
        server.starttls = False
    elif how == "refused":
        server.faults.play("reply", "STARTTLS", text="454 4.7.0 TLS not available")
    elif how == "injected":
        server.faults.play("inject", "STARTTLS")
    elif how == "stranger":
        agent.secret("isa", "root.pem", Authority("Stranger").trust)
    else:
        server.versions = ("1.1",)
    plans.start()
    plans.send("secret.edi")
    if how in ("refused", "injected", "old"):  # which may pass
        row = plans.wait("secret.edi", "waiting")
        wait_for(lambda: plans.link()["state"] == "parked" or plans.delivery(row)["reason"], "a reason")
    else:
        assert plans.wait_parked()
    said = {one["command"] for one in server.told("command")}
    assert said <= {"EHLO", "STARTTLS", "QUIT", "RSET", "NOOP", "HELO"}, said
    assert not server.told("login") and not server.mails
    server.faults.clear()
    server.starttls, server.versions = True, ("1.2", "1.3")
    agent.secret("isa", "root.pem", server.authority.trust)
    agent.ask("resume", "isa")
    plans.wait("secret.edi", "delivered")
    hashed = hashlib.sha256(attachment(server.mails[0].content)[2]).hexdigest()
    wait_for(lambda: hashed in str(plans.records("message-delivered")), "the record of its delivery")


def test_lines_that_are_too_long_or_no_smtp_end_the_session(agent, server):
    for fault in ("long-line", "garbage"):
        server.faults.play(fault, "EHLO", times=1)
    server.faults.play("silent", "DATA", times=1)
    plans = Plans(agent, server).start()
    plans.send("a.edi")
    plans.wait("a.edi", "delivered")
    assert len(server.mails) == 1 and not server.faults.due
