"""Answers of real servers (OpenTAXII 0.2, alone and behind nginx), captured and played to the link. They lie beside the project,
in ../shared, and are not part of it: without them this says so. What the link makes of each is stated here."""
import os
import pathlib

import pytest

from harness import ROOT, wait_for
from indicators import Indicators, feed_only, submit_only

from taxii_partner import TaxiiPartner

SHARED = pathlib.Path(os.environ.get("ACCORD_SHARED", ROOT.parent / "shared")) / "data/exchanges"
pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="../shared/data/exchanges is not here")

# What is submitted, answered as there: the state of the message, and words of its reason.
INBOX = {
    "t11-04-inbox-ais-ingest": ("delivered", "SUCCESS"),
    "t11-05-inbox-ais-5blocks": ("delivered", "SUCCESS"),
    "t11-06-inbox-no-dest": ("waiting", "DESTINATION_COLLECTION_ERROR"),
    "t11-07-inbox-unknown-dest": ("waiting", "Collection NO_SUCH was not found"),
    "t11-08-inbox-unsupported-binding": ("delivered", "SUCCESS"),  # it has dropped the block, and nothing tells
    "t11-09-inbox-nodest-service-with-dest": ("waiting", "`destination`"),
    "t11-21-malformed": ("dead", "Request was invalid XML"),
    "t11-22-xxe": ("dead", "BAD_MESSAGE"),
    "t11-24-inbox-not-permitted": ("waiting", "Collection AIS_INGEST was not found"),
    "t11-25-wrong-message-for-service": ("waiting", "Message not supported by this service"),
    "t11-26-bad-path": ("waiting", "HTTP 404"),
    "t11-27-bad-x-taxii-accept": ("waiting", "X-TAXII-Accept is not recognized"),
    "tls-06-body-too-large": ("dead", "HTTP 413"),
    "tls-07-inbox-mtls": ("delivered", "SUCCESS"),
}
# The same, and to polls: nobody tries again until a person resumes the link.
PARKS = {
    "t11-23-bad-credentials": "UNAUTHORIZED",
    "tls-03-no-client-cert": "No required SSL certificate was sent",
    "tls-04-untrusted-client-cert": "The SSL certificate error",
    "tls-05-leaf-without-intermediate": "The SSL certificate error",
}
# What is polled, answered as there: words in the log; the poll is asked again.
POLL = {
    "t11-14-poll-fulfillment-bad-result": "NOT_FOUND",
    "t11-16-poll-bad-binding": "it takes: urn:stix.mitre.org:xml:1.1.1",
    "t11-17-poll-unknown-collection": "Requested collection was not found",
    "t11-18-poll-begin-after-end": "begin timestamp label is later",
    "t11-19-subscribe": "",
    "t11-20-subscription-status": "",
    "t11-26-bad-path": "HTTP 404",
}
# Parts that belong together, and how many blocks they have in all.
PARTS = {
    "a result in parts": (["t11-10-poll-full-part1", "t11-11-poll-fulfillment-part2", "t11-12-poll-fulfillment-part3"], 5),
    "an empty part behind the last": (["t11-13-poll-fulfillment-part4"], 0),
    "TLS 1.2 behind nginx": (["tls-01-poll-mtls12"], 2),
    "TLS 1.3 behind nginx": (["tls-02-poll-mtls13"], 2),
}
CATALOGUE = ["t11-01-discovery", "t11-02-discovery-ext-headers", "t11-03-collection-info"]
ELSEWHERE = {"t11-15-poll-count-only", "tls-08-tls11-refused"}  # tests of their own below


def answer_of(name):
    """Head and body as they were sent, with plain line ends."""
    text = (SHARED / f"{name}.http").read_bytes().replace(b"\r\n", b"\n")
    if b"### RESPONSE\n" in text:
        return text.split(b"### RESPONSE\n", 1)[1]
    return text.split(b"\n", 1)[1]  # behind curl's command


@pytest.fixture
def partner():
    with TaxiiPartner() as one:
        yield one


def link(agent, partner, *changes):
    return Indicators(agent, partner, *changes)


def test_every_capture_has_its_outcome():
    stated = {*INBOX, *PARKS, *POLL, *CATALOGUE, *ELSEWHERE, *(name for names, _ in PARTS.values() for name in names)}
    there = {path.stem for path in SHARED.glob("*.http") if path.name.startswith(("t11-", "tls-"))}
    assert there == stated


@pytest.mark.parametrize("name", INBOX)
def test_what_is_submitted_ends_as_the_answer_says(agent, partner, name):
    state, words = INBOX[name]
    ais = link(agent, partner, submit_only()).start()
    partner.faults.play("replay", "inbox", text=answer_of(name))
    ais.submit("p")
    row = ais.wait("p", state)
    wait_for(lambda: words in str(ais.delivery(row)), lambda: f"{words}: {ais.delivery(row)}")
    if state == "waiting":
        assert ais.link()["state"] != "parked"
    ais.sound()


@pytest.mark.parametrize("name", PARKS)
@pytest.mark.parametrize("service", ["inbox", "poll"])
def test_who_is_not_let_in_is_told_and_waits(agent, partner, name, service):
    ais = link(agent, partner, submit_only() if service == "inbox" else feed_only())
    partner.faults.play("replay", service, text=answer_of(name))
    ais.start()
    blocks = [] if service == "inbox" else ais.give(1)
    sent = [ais.submit("p")] if service == "inbox" else []
    ais.wait_parked(PARKS[name])
    assert partner.received() == [] and ais.came() == []
    partner.faults.clear()
    ais.resume()
    ais.wait_taken(sent)
    ais.wait_came(blocks)


@pytest.mark.parametrize("name", POLL)
def test_polls_that_are_refused_are_told(agent, partner, name):
    ais = link(agent, partner, feed_only())
    partner.faults.play("replay", "poll", text=answer_of(name))
    ais.start()
    ais.wait_log("taxii.poll-failed")
    ais.wait_log(POLL[name])
    assert ais.came() == [] and ais.link()["state"] != "parked"
    ais.sound()


def contents_of(name):
    """What stands in its content blocks."""
    return [one.split(b"</taxii_11:Content>")[0].strip() for one in answer_of(name).split(b"<taxii_11:Content>")[1:]]


@pytest.mark.parametrize("what", PARTS)
def test_parts_are_received_whole(agent, partner, what):
    names, count = PARTS[what]
    wanted = [content for name in names for content in contents_of(name)]
    assert len(wanted) == count
    if "TLS" in what:
        partner.versions = (what.split()[1],)
    for number, name in enumerate(names, 1):
        text = answer_of(name)
        if name.startswith("tls-"):  # it said that there is more, and this is all that was captured
            text = text.replace(b'more="true"', b'more="false"', 1)
        if number == 1 and b'result_part_number="1"' not in text:
            text = text.replace(b'result_part_number="4"', b'result_part_number="1"', 1)
        partner.faults.play("replay", "poll", times=1, part=number, text=text)
    ais = link(agent, partner, feed_only(), {"policy content": {"unvalidated": "allow", "stix-incoming": "marking"}})
    ais.start()
    wait_for(lambda: len(partner.faults.played) >= len(names), lambda: f"the parts to be fetched: {agent.log_tail()}")
    ais.wait_came(wanted)
    wait_for(lambda: len(partner.told("request", path="/flare/taxii11/poll")) > len(names), "a poll of the next window")
    ais.sound()


def test_a_count_alone_brings_nothing(agent, partner):
    """A Poll_Response that says how much there would be, and that there is more of it."""
    ais = link(agent, partner, feed_only())
    partner.faults.play("replay", "poll", times=1, text=answer_of("t11-15-poll-count-only"))
    ais.start()
    wait_for(lambda: len(partner.told("request", path="/flare/taxii11/poll")) > 2, "it to be asked again")
    assert ais.came() == []
    ais.wait_came(ais.give(2, minutes=0, hours_ago=0))


@pytest.mark.parametrize("name", CATALOGUE)
def test_addresses_on_another_port_are_refused_and_others_are_used(agent, partner, name):
    """The captures name the port of a server of that time."""
    text, port = answer_of(name), partner.port
    service = "collections" if "collection" in name else "discovery"
    partner.faults.play("replay", service, text=text)
    ais = link(agent, partner, submit_only()).start()
    sent = ais.submit("p")
    row = ais.wait("p", "waiting")
    wait_for(lambda: "19000" in str(ais.delivery(row)) or "address" in str(ais.delivery(row)),
             lambda: f"the refused address to be told: {ais.delivery(row)}")
    assert partner.received() == []
    partner.faults.clear()
    partner.faults.play("replay", service, text=text.replace(b"127.0.0.1:19000", b"localhost:%d" % port))
    agent.restart()
    ais.wait_taken([sent])


def test_an_old_tls_is_refused_on_our_side(agent, partner):
    """tls-08: their server refuses TLS 1.1; so do we."""
    partner.versions = ("1.1",)
    ais = link(agent, partner, submit_only()).start()
    ais.submit("p")
    ais.wait("p", "waiting")
    ais.wait_parked("TLS")
    assert partner.received() == [] and not partner.told("request")
