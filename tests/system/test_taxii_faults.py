"""What a TAXII partner can do wrong, or an attacker in its place: each ends in a retry, a parked link or a dead letter with a
reason that an operator understands; nothing is lost, nothing is taken twice, no process dies or grows."""
import pathlib
import ssl
import time

import pytest

from harness import wait_for
from indicators import Indicators, feed_only, package, submit_only

from authority import Authority
from taxii_messages import now
from taxii_partner import TaxiiPartner

QUICK = {"link taxii": {"timeout": "2 s", "connect-timeout": "2 s", "longest": "8 s", "answer-limit": "16 MiB",
                        "idle-close": "100 ms"}}


@pytest.fixture
def partner():
    with TaxiiPartner() as one:
        yield one


def resident(pid):
    """MiB of memory that it had at most."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


# What a poll is answered with; words of the reason that is told. All are tried again.
POLL = {
    "an HTML page with status 200": ({"fault": "html"}, "not a TAXII"),
    "an empty body": ({"fault": "empty"}, ""),
    "another content type": ({"fault": "content-type"}, "not a TAXII"),
    "an answer to another request": ({"fault": "wrong-id"}, ""),
    "half a document": ({"fault": "cut-document"}, "cannot be read"),
    "malformed in mid-stream": ({"fault": "malformed"}, "cannot be read"),
    "error text in mid-stream": ({"fault": "malformed", "text": "Internal error: <br> & more"}, "cannot be read"),
    "an attribute twice": ({"fault": "duplicate-attribute"}, "cannot be read"),
    "a DOCTYPE": ({"fault": "doctype"}, "DOCTYPE"),
    "an external entity": ({"fault": "xxe"}, "DOCTYPE"),
    "a billion laughs": ({"fault": "entities"}, "DOCTYPE"),
    "a hundred thousand attributes": ({"fault": "attributes"}, "attributes"),
    "a hundred thousand levels": ({"fault": "depth"}, "deep"),
    "UTF-16": ({"fault": "utf16"}, "cannot be read"),
    "truncated": ({"fault": "truncated"}, ""),
    "truncated chunks": ({"fault": "truncated-chunks"}, ""),
    "endless blanks": ({"fault": "endless", "with": "blanks"}, ""),
    "endless blocks": ({"fault": "endless", "with": "blocks"}, ""),
    "endless text": ({"fault": "endless", "with": "text"}, ""),
    "an endless tag": ({"fault": "endless", "with": "attributes"}, ""),
    "an endless head": ({"fault": "endless-head"}, ""),
    "a slow body": ({"fault": "slow"}, ""),
    "silence": ({"fault": "silent"}, ""),
    "a gzip bomb": ({"fault": "gzip-bomb"}, ""),
    "no HTTP at all": ({"fault": "not-http"}, ""),
    "the connection dropped before the request was read": ({"fault": "drop-before", "service": None}, ""),
    "the connection dropped instead of an answer": ({"fault": "drop-after"}, ""),
    "a text that looks like an address": ({"fault": "body", "text": "http://127.0.0.1/"}, "cannot be read"),
    "a redirection": ({"fault": "http", "code": 302, "location": "https://elsewhere.example/"}, "HTTP 302"),
}


@pytest.mark.parametrize("what", POLL)
def test_a_bad_answer_to_a_poll_is_told_and_asked_for_again(agent, partner, what):
    fault, words = POLL[what]
    ais = Indicators(agent, partner, feed_only(), QUICK)
    blocks = ais.give(7)
    ais.start()
    ais.wait_came(blocks)
    partner.faults.play(**{"service": "poll", **fault})
    # Inside of time that is asked for again; of an endless body some whole blocks may well be taken and judged.
    more = ais.give(2, first=10, hours_ago=0, minutes=0)
    if what == "endless blocks":  # whose own lines in the log leave no room for others
        wait_for(lambda: len(partner.faults.played) > 1, lambda: f"it to be given up: {agent.log_tail()}", 60)
    else:
        wait_for(lambda: "taxii.poll-failed" in agent.log(), lambda: f"it to be told: {agent.log_tail()}", 60)
        ais.wait_log(words)
    link = agent.child("link-ais")
    assert not any(content in ais.came() for content in more) or what in ("truncated", "truncated chunks", "slow")
    assert resident(link) < 450, f"{resident(link)} MiB"  # with the sanitizer's own
    partner.faults.clear()
    if ais.link()["state"] == "parked":
        ais.resume()
    if what == "a redirection":
        agent.restart()  # asked again after minutes only, because a person has to change the paths first
        link = wait_for(lambda: agent.child("link-ais"), "the link's process")
    ais.wait_came(blocks + more, 60)
    assert "root:" not in str(ais.came())
    assert agent.child("link-ais") == link
    ais.sound()


PARTS = {name: POLL[name] for name in ("truncated", "malformed in mid-stream", "half a document", "silence",
                                       "the connection dropped instead of an answer", "an HTML page with status 200")}


@pytest.mark.parametrize("what", PARTS)
def test_a_part_that_fails_takes_nothing_twice(agent, partner, what):
    """The third of five parts, three times over; then the server forgets the result."""
    ais = Indicators(agent, partner, feed_only(), QUICK)
    blocks = ais.give(14)
    partner.faults.play(**{"service": "poll", "part": 3, "times": 3, **PARTS[what][0]})
    ais.start()
    wait_for(lambda: len(partner.faults.played) >= 2, lambda: f"it to be played: {agent.log_tail()}", 60)
    partner.forget_results()
    ais.wait_came(blocks, 60)
    ais.sound()


STATUSES = ["ASYNCHRONOUS_POLL_ERROR", "BAD_MESSAGE", "DENIED", "DESTINATION_COLLECTION_ERROR", "FAILURE",
            "INVALID_RESPONSE_PART", "NETWORK_ERROR", "NOT_FOUND", "PENDING", "POLLING_UNSUPPORTED", "RETRY", "UNAUTHORIZED",
            "UNSUPPORTED_MESSAGE", "UNSUPPORTED_CONTENT", "UNSUPPORTED_PROTOCOL", "UNSUPPORTED_QUERY", "SOMETHING_NEW"]
DETAILS = {"PENDING": {"ESTIMATED_WAIT": "1", "RESULT_ID": "r", "WILL_PUSH": "false"}, "RETRY": {"ESTIMATED_WAIT": "1"},
           "UNSUPPORTED_CONTENT": {"SUPPORTED_CONTENT": ["urn:a", "urn:b"]}, "NOT_FOUND": {"ITEM": "AIS"},
           "DESTINATION_COLLECTION_ERROR": {"ACCEPTABLE_DESTINATION": ["ONE", "TWO"]}}
DEAD, PARKED = {"BAD_MESSAGE", "UNSUPPORTED_CONTENT"}, {"DENIED", "UNAUTHORIZED"}
# Tried again after minutes only, because a person has to change something first.
PATIENT = {"DESTINATION_COLLECTION_ERROR", "NOT_FOUND", "POLLING_UNSUPPORTED", "UNSUPPORTED_MESSAGE", "UNSUPPORTED_PROTOCOL",
           "UNSUPPORTED_QUERY"}


@pytest.mark.parametrize("kind", STATUSES)
def test_every_status_of_an_inbox_has_its_end(agent, partner, kind):
    ais = Indicators(agent, partner, submit_only())
    partner.faults.play("status", "inbox", type=kind, details=DETAILS.get(kind, {}), message="So the server said.")
    ais.start()
    content = ais.submit("a.xml")
    row = ais.wait("a.xml", "dead" if kind in DEAD else "waiting")
    if kind in PARKED:
        reason = str(ais.wait_parked())
    else:
        wait_for(lambda: ais.delivery(row)["reason"], lambda: f"a reason: {ais.delivery(row)}")
        reason = str(ais.delivery(row))
    assert kind in reason and "So the server said." in reason, reason
    for values in DETAILS.get(kind, {}).values() if kind not in ("PENDING", "RETRY") else ():
        assert values in reason if isinstance(values, str) else all(value in reason for value in values), reason
    assert partner.received() == []
    partner.faults.clear()
    if kind in PARKED:
        ais.resume()
    elif kind in DEAD:
        assert agent.ask("retry", row["id"]).code == 0
    if kind in PATIENT:
        ais.wait("a.xml", "waiting")
    else:
        ais.wait_taken([content], 60)
    ais.sound()


@pytest.mark.parametrize("kind", [*STATUSES, "SUCCESS"])
def test_every_status_of_a_poll_has_its_end(agent, partner, kind):
    ais = Indicators(agent, partner, feed_only(poll="300 ms"))
    partner.faults.play("status", "poll", type=kind, details=DETAILS.get(kind, {}))
    blocks = ais.give(2)
    ais.start()
    if kind in PARKED:
        ais.wait_parked(kind)
    else:
        ais.wait_log(kind)
        assert ais.link()["state"] != "parked"
    assert ais.came() == []
    partner.faults.clear()
    if kind in PARKED:
        ais.resume()
    else:
        agent.restart()  # some are asked again after minutes only, because a person has to change something first
    ais.wait_came(blocks, 60)
    ais.sound()


CODES = [300, 301, 307, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423,
         425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 599]


def test_every_http_status_ends_without_a_loss(agent, partner):
    """One message for each; those that were told no go when the server has come to its senses."""
    ais = Indicators(agent, partner, submit_only(), {"link taxii": {"connections": "1"}})
    ais.start()
    contents = {}
    for code in CODES:
        name = f"{code}.xml"
        partner.faults.clear()
        partner.faults.play("http", "inbox", code=code, title="Somehow no")
        contents[name] = ais.submit(name)

        def told():
            row = next((one for one in agent.ask("messages", "--limit", 256)["messages"] if one["name"] == name), None)
            if ais.link()["state"] == "parked":
                return True
            return row and f"HTTP {code}" in str(ais.delivery(row))
        wait_for(told, lambda: f"HTTP {code} to be told: {agent.ask('messages')}; {agent.log_tail()}", 60)
        parked = ais.link()["state"] == "parked"
        assert parked == (code in (401, 403, 407)), f"{code}: {ais.link()}"
        if parked:
            ais.resume()
    partner.faults.clear()
    assert partner.received() == []
    if ais.link()["state"] == "parked":
        ais.resume()
    for row in agent.ask("messages", "--limit", 256)["messages"]:
        if row["state"] != "delivered":
            agent.ask("retry", row["id"])
    ais.wait_taken(contents.values(), 90)
    ais.sound()


def test_a_server_says_how_long_to_wait(agent, partner):
    ais = Indicators(agent, partner, submit_only(retry_longest="10 s"))
    partner.faults.play("http", "inbox", times=1, code=503, **{"retry-after": 4})
    ais.start()
    content = ais.submit("a.xml")
    wait_for(lambda: partner.faults.played, "the answer")
    began = time.monotonic()
    ais.wait_taken([content])
    assert time.monotonic() - began > 3, "it did not wait"


INBOX = ["html", "empty", "content-type", "wrong-id", "cut-document", "malformed", "xxe", "entities", "attributes", "truncated",
         "silent", "slow", "gzip-bomb", "not-http", "drop-after", "endless", "endless-head"]


@pytest.mark.parametrize("fault", INBOX)
def test_a_bad_answer_to_an_inbox_message_is_not_taken_for_success(agent, partner, fault):
    """Whether the partner has taken it cannot be told: it goes again under the same message id."""
    ais = Indicators(agent, partner, submit_only(), QUICK)
    partner.faults.play(fault, "inbox", times=1, acted=True)
    ais.start()
    content = ais.submit("a.xml")
    ais.wait("a.xml", "delivered")
    assert len(partner.submissions) == 2 and len({one.message_id for one in partner.submissions}) == 1
    assert partner.received() == [content]
    ais.wait_record("delivery-retried")
    ais.sound()


def test_what_is_uncertain_can_be_held(agent, partner):
    ais = Indicators(agent, partner, submit_only(on_uncertain="hold"))
    partner.faults.play("drop-after", "inbox", times=1)
    ais.start()
    ais.submit("a.xml")
    ais.wait("a.xml", "held")
    assert len(partner.submissions) == 1


def test_parts_that_never_end_are_given_up(agent, partner):
    ais = Indicators(agent, partner, feed_only(max_parts="20"))
    blocks = ais.give(4)
    partner.faults.play("parts-forever", "poll")
    ais.start()
    ais.wait_log("the same blocks", "is not its last one")
    wait_for(lambda: len(ais.came()) == 4, lambda: f"what there was: {len(ais.came())}; {agent.log_tail()}")
    partner.faults.clear()
    ais.wait_came(blocks + ais.give(1, first=9, hours_ago=0), 60)


def test_a_clock_in_the_future_skips_nothing(agent, partner):
    """The answer ends its window a day ahead: the next one begins where ours ended all the same."""
    ais = Indicators(agent, partner, feed_only())
    blocks = ais.give(3)
    partner.faults.play("future", "poll")
    ais.start()
    ais.wait_came(blocks)
    ais.wait_came(blocks + ais.give(3, first=5, hours_ago=0, minutes=0))
    assert all(poll["end"] < now().isoformat() for poll in partner.told("poll"))


def test_labels_out_of_order_and_in_the_future_skip_nothing(agent, partner):
    ais = Indicators(agent, partner, feed_only())
    blocks = ais.give(2)
    partner.feed.blocks[0].label, partner.feed.blocks[1].label = (block.label for block in reversed(partner.feed.blocks))
    partner.faults.play("extension", "poll")
    ais.start()
    ais.wait_came(blocks)
    ais.sound()


# ---- sessions ----

def expired(partner, _ais):
    partner.identity = partner.authority.server(days=-1)


def other_name(partner, _ais):
    partner.identity = partner.authority.server(names=["elsewhere.example"])


def not_trusted(partner, _ais):
    partner.identity = Authority("Stranger").server()


def without_intermediate(partner, _ais):
    partner.identity.chain = partner.identity.certificate


def for_clients(partner, _ais):
    partner.identity = partner.authority.issue("taxii partner", names=["localhost"], use="client")


def short_key(partner, _ais):
    partner.identity = partner.authority.server(key="RSA-1024")


def sha1(partner, _ais):
    partner.identity = partner.authority.server(signature="SHA1")


def tls_1_1(partner, _ais):
    partner.versions = ("1.1",)


def tls_1_0(partner, _ais):
    partner.versions = ("1.0",)


def weak_suites(partner, _ais):
    partner.versions, partner.ciphers = ("1.2",), "AES128-SHA:@SECLEVEL=0"


def our_expired(partner, ais):
    ais.credentials(partner.authority.client(days=-1))


def our_stranger(_partner, ais):
    ais.credentials(Authority("Stranger").client())


def our_stranger_1_2(partner, ais):
    partner.versions = ("1.2",)
    our_stranger(partner, ais)


def our_stranger_nginx(partner, ais):
    stranger = Authority("Stranger")
    partner.like_nginx, partner.strangers = True, stranger.trust
    ais.credentials(stranger.client())


def our_expired_nginx(partner, ais):
    partner.like_nginx = True
    our_expired(partner, ais)


def our_key_of_another(partner, ais):
    ais.credentials(partner.authority.client(), partner.authority.client().key)


def garbage(_partner, ais):
    ais.agent.secret("ais", "client.pem", b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")


# What is wrong with the session, and words that the parked link says.
SESSIONS = {
    "an expired server certificate": (expired, "expired"),
    "a certificate of another name": (other_name, "name"),
    "a certificate that nobody trusts": (not_trusted, "trust"),
    "a chain without its intermediate": (without_intermediate, "trust"),
    "a certificate that is not for servers": (for_clients, ""),
    "a key that is too short": (short_key, ""),
    "SHA-1": (sha1, ""),
    "TLS 1.1": (tls_1_1, "TLS"),
    "TLS 1.0": (tls_1_0, "TLS"),
    "a weak suite": (weak_suites, ""),
    "an expired certificate of ours": (our_expired, "expired"),
    "a certificate of ours that it does not know, TLS 1.3": (our_stranger, "certificate"),
    "the same, TLS 1.2": (our_stranger_1_2, "certificate"),
    "the same, told by nginx": (our_stranger_nginx, "certificate"),
    "an expired certificate of ours, told by nginx": (our_expired_nginx, "expired"),
    "a key that is not the certificate's": (our_key_of_another, "key"),
    "a certificate file with nonsense": (garbage, "certificate"),
}


@pytest.mark.parametrize("service", ["inbox", "poll"])
@pytest.mark.parametrize("what", SESSIONS)
def test_a_session_that_must_not_be_parks_the_link(agent, partner, what, service):
    spoil, words = SESSIONS[what]
    ais = Indicators(agent, partner, submit_only() if service == "inbox" else feed_only())
    identity = partner.identity
    chain, good = identity.chain, partner.authority.client()
    sent, blocks = ([ais.submit("a.xml")], []) if service == "inbox" else ([], ais.give(2))
    try:
        spoil(partner, ais)
        ais.start()
        told = ais.wait_parked(words)
        assert "rule" not in told or told["rule"], told
        assert partner.submissions == [] and ais.came() == [] and not partner.told("poll")
        if service == "inbox":
            ais.wait("a.xml", "waiting")
    finally:
        identity.chain, partner.identity, partner.versions, partner.ciphers = chain, identity, ("1.2", "1.3"), None
        partner.like_nginx = False
    ais.credentials(good)
    ais.resume()
    ais.wait_taken(sent)
    ais.wait_came(blocks)
    ais.sound()


def test_nobody_listens(agent, partner):
    """The server is away: what is to be submitted waits, and goes when it is back."""
    port, authority = partner.port, partner.authority
    ais = Indicators(agent, partner, submit_only())
    partner.stop()
    ais.start()
    content = ais.submit("a.xml")
    row = ais.wait("a.xml", "waiting")
    wait_for(lambda: "refused" in str(ais.delivery(row)), lambda: f"{ais.delivery(row)}")
    with TaxiiPartner(authority, port) as back:
        ais.partner = back
        ais.wait_taken([content])


def test_a_listener_that_never_shakes_hands(agent, partner):
    """Connected, and silent: the deadline of the handshake ends it."""
    ais = Indicators(agent, partner, submit_only(), QUICK)
    partner.context = lambda: (partner.closing.wait(30), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))[1]
    ais.start()
    content = ais.submit("a.xml")
    row = ais.wait("a.xml", "waiting")
    wait_for(lambda: ais.delivery(row)["reason"], lambda: f"a reason: {ais.delivery(row)}")
    del partner.context
    ais.wait_taken([content], 60)


def test_pins_are_held(agent, partner):
    ais = Indicators(agent, partner, submit_only(), {"link taxii": {"pin": "A" * 43 + "="}}).start()
    content = ais.submit("a.xml")
    assert "pin" in str(ais.wait_parked())
    assert partner.submissions == []
    ais.write_agreement(submit_only())
    agent.ask("reload")
    agent.ask("resume", "ais")
    ais.wait_taken([content])


def test_packages_that_are_too_large_for_the_service_stay(agent, partner):
    ais = Indicators(agent, partner, feed_only(max_size="20 KiB")).start()
    partner.feed.add(package("large", size=60000), now())
    small = ais.give(1, hours_ago=0)
    ais.wait_came(small)
    ais.wait_log("large", "size")
    ais.sound()
