"""What a TAXII partner can answer a poll with, or an attacker in its place: each is told in words that an operator
understands and asked for again; nothing is lost, nothing is taken twice, no process dies or grows."""

import pytest

from harness import memory, wait_for
from indicators import QUICK, Indicators, feed_only, package, taxii_partner  # noqa: F401

from taxii_messages import now


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
    # What stands whole before the fault may be taken.
    assert not any(content in ais.came() for content in more) or what.startswith(("truncated", "slow", "endless"))
    assert memory(link, most=True) < 450 << 10, f"{memory(link, most=True)} KiB"  # with the sanitizer's own
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


@pytest.mark.long
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


def test_packages_that_are_too_large_for_the_service_stay(agent, partner):
    ais = Indicators(agent, partner, feed_only(max_size="20 KiB")).start()
    partner.feed.add(package("large", size=60000), now())
    small = ais.give(1, hours_ago=0)
    ais.wait_came(small)
    ais.wait_log("large", "size")
    ais.sound()
