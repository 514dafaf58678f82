"""What a TAXII partner can say to a request, in statuses, HTTP codes and answers that are none: each ends in a retry, a parked
link or a dead letter with a reason that an operator understands; nothing is lost, nothing is sent twice without telling."""
import time

import pytest

from harness import wait_for
from indicators import QUICK, Indicators, feed_only, submit_only, taxii_partner  # noqa: F401


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


@pytest.mark.long
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
