"""The AIS link both ways, against the rehearsal's TAXII server: what is submitted arrives whole with a receipt, the feed comes in
once, and what is left behind of it in the audit trail and on the network."""
import ctypes
import datetime
import hashlib
import os
import pathlib
import re
import shutil

import pytest

from harness import ROOT, wait_for
from indicators import Indicators, feed_only, package, submit_only

from authority import Authority
from taxii_messages import STIX, now
from taxii_partner import Feed, TaxiiPartner

SHARED = pathlib.Path(os.environ.get("ACCORD_SHARED", ROOT.parent / "shared")) / "data/xsd"


@pytest.fixture
def partner():
    with TaxiiPartner() as one:
        yield one
        assert not one.errors, one.errors


@pytest.fixture
def ais(agent, partner):
    return Indicators(agent, partner)


# ---- submitting ----

def test_a_marked_package_arrives_whole_with_a_receipt(ais, partner):
    ais.start()
    content = ais.submit("a.xml", indicators=20)
    row = ais.wait("a.xml", "delivered")
    ais.wait_taken([content])
    delivery = ais.delivery(row)
    message = partner.submissions[0]
    assert "SUCCESS" in delivery["receipt"] and message.message_id in delivery["receipt"], delivery
    assert message.collections == ["AIS_INGEST"] and message.subject == "acme"
    assert [content.binding for content in message.contents] == [STIX]
    record = ais.wait_record("message-delivered")
    assert hashlib.sha256(content).hexdigest() in str(record), record
    ais.sound()


def test_a_declaration_and_a_byte_order_mark_do_not_get_into_the_message(ais, partner):
    ais.start()
    content = package("declared", declaration=True)
    ais.submit("a.xml", b"\xef\xbb\xbf" + content)
    ais.wait_taken([content[content.index(b"<stix:"):]])


REFUSED = {
    "unmarked": ({"marked": False}, "marking"),
    "red": ({"color": "RED"}, "RED"),
    "proprietary with consent NONE": ({"proprietary": True, "consent": "NONE"}, "consent"),
    "proprietary with consent USG": ({"proprietary": True, "consent": "USG"}, "consent"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_must_not_leave_does_not(ais, partner, what):
    how, words = REFUSED[what]
    ais.start()
    ais.submit("bad.xml", **how)
    row = ais.wait("bad.xml", "quarantined")
    assert words in row["reason"] and row["rule"].startswith("stix-1."), row
    good = ais.submit("good.xml")
    ais.wait_taken([good])
    assert len(partner.submissions) == 1


def test_many_go_one_by_one_or_as_blocks_of_one_message(agent, partner):
    ais = Indicators(agent, partner, submit_only(batch="10"))
    contents = [ais.submit(f"{number}.xml", size=2000 * (number % 7)) for number in range(60)]
    ais.start()
    ais.wait_taken(contents, 60)
    sizes = [len(message.contents) for message in partner.submissions]
    assert max(sizes) > 1 and max(sizes) <= 10, sizes
    receipts = [ais.delivery(ais.wait(f"{number}.xml", "delivered"))["receipt"] for number in (0, 30, 59)]
    assert all("SUCCESS" in receipt for receipt in receipts)


def test_one_bad_block_does_not_take_the_others_along(agent, partner):
    """A server that refuses a whole message for one of its blocks."""
    ais = Indicators(agent, partner, submit_only(batch="10"))
    partner.judge = lambda contents: ("BAD_MESSAGE", "not that one") if any(b"host-bad" in one.bytes for one in contents) else None
    contents = {f"{number}.xml": package(number) for number in range(12)}
    bad = package("bad").replace(b'timestamp="', b'xmlns:host-bad="urn:host-bad" timestamp="', 1)
    for name, content in contents.items():
        ais.submit(name, content)
    ais.submit("bad.xml", bad)
    ais.start()
    ais.wait_taken(contents.values(), 60)
    row = ais.wait("bad.xml", "dead")
    assert "not that one" in str(ais.delivery(row))


@pytest.mark.long
@pytest.mark.parametrize("form", ["xml", "escaped"])
def test_a_large_package_is_streamed(agent, partner, form):
    agent.settings = {"type stix-1": {"max-size": "64 MiB"}}
    agent.write_agent_conf()
    ais = Indicators(agent, partner, submit_only(form=form)).start()
    partner.keep_bodies = 0
    content = ais.submit("large.xml", size=24_000_000)
    ais.wait_taken([content], 120)
    assert [one.escaped for one in partner.submissions[0].contents] == [form == "escaped"]
    ais.sound()


def test_a_destination_may_be_left_out(agent, partner):
    partner.destination = "prohibited"
    ais = Indicators(agent, partner, submit_only(destination="no")).start()
    ais.wait_taken([ais.submit("a.xml")])
    assert partner.submissions[0].collections == []


def test_a_binding_that_would_be_dropped_is_not_sent(agent, partner):
    """The server says which bindings it takes, and would say SUCCESS to any other."""
    ais = Indicators(agent, partner, submit_only(binding="urn:stix.mitre.org:xml:1.2")).start()
    ais.submit("a.xml")
    row = ais.wait("a.xml", "waiting")
    wait_for(lambda: "1.2" in str(ais.delivery(row)), lambda: f"the binding to be told: {ais.delivery(row)}")
    assert not partner.told("request", path="/flare/taxii11/inbox")


def test_message_ids_are_stable_over_retries(ais, partner):
    """So that a partner which took it and could not say so knows it again."""
    partner.faults.play("drop-after", "inbox", times=2)
    ais.start()
    content = ais.submit("a.xml")
    ais.wait("a.xml", "delivered")
    assert len({message.message_id for message in partner.submissions}) == 1
    assert [message.again for message in partner.submissions] == [False, True, True]
    assert partner.received() == [content]


# ---- the feed ----

def test_the_feed_comes_in_parts_each_block_once(ais, partner):
    blocks = ais.give(10)
    ais.start()
    ais.wait_came(blocks)
    more = ais.give(4, first=10, hours_ago=0, minutes=0)
    ais.wait_came(blocks + more)
    ais.agent.restart()
    last = ais.give(1, first=20, hours_ago=0, minutes=0)
    ais.wait_came(blocks + more + last)
    ais.sound()


def test_windows_follow_each_other_without_a_gap(agent, partner):
    ais = Indicators(agent, partner, feed_only(window="30 min", start="5 hours"))
    blocks = ais.give(24, minutes=10, hours_ago=4.5)
    ais.start()
    ais.wait_came(blocks, 60)
    polls = partner.told("poll")
    for before, after in zip(polls, polls[1:]):
        assert after["begin"] == before["end"], (before, after)
    assert all(poll["end"] > poll["begin"] for poll in polls)


def test_a_server_that_narrows_windows_is_followed(agent, partner):
    partner.narrow = 1200
    ais = Indicators(agent, partner, feed_only())
    blocks = ais.give(12, minutes=10, hours_ago=3)
    ais.start()
    ais.wait_came(blocks, 60)


def test_escaped_content_is_unescaped_once(agent, partner):
    partner.escaped = True
    ais = Indicators(agent, partner, feed_only())
    blocks = ais.give(3)
    ais.start()
    ais.wait_came(blocks)


def test_a_result_that_was_forgotten_is_asked_for_again(agent, partner):
    ais = Indicators(agent, partner, feed_only())
    blocks = ais.give(9)
    partner.faults.play("drop-after", "poll", times=1, part=2)
    partner.faults.play("status", "poll", times=1, part=2, type="NOT_FOUND", details={"ITEM": "gone"})
    ais.start()
    ais.wait_came(blocks)
    assert partner.told("part", part=3)


def test_a_data_set_has_no_times(agent, partner):
    """All of it at each poll; what is known is not taken again."""
    partner.feeds["AIS"] = Feed("AIS", "DATA_SET")
    ais = Indicators(agent, partner, feed_only())
    blocks = ais.give(5)
    ais.start()
    ais.wait_came(blocks)
    wait_for(lambda: len(partner.told("poll")) > 2, "it to be polled again")
    ais.wait_came(blocks + ais.give(1, first=9, hours_ago=0))


def test_unmarked_packages_of_the_feed_are_quarantined(agent, partner):
    ais = Indicators(agent, partner, feed_only())
    partner.feed.add(package("unmarked", marked=False), now() - datetime.timedelta(hours=1))
    good = ais.give(1)
    ais.start()  # not sooner: a poll that was quicker would be past their time
    ais.wait_came(good)
    wait_for(lambda: [row for row in ais.agent.ask("messages")["messages"] if row["state"] == "quarantined"],
             lambda: f"it to be quarantined: {ais.agent.ask('messages')}")


def test_a_feed_that_says_nothing_is_reported(agent, partner):
    Indicators(agent, partner, feed_only(silent_after="2 s")).start()
    wait_for(lambda: "taxii.feed-silent" in agent.log(), lambda: agent.log_tail())


# ---- sessions ----

def test_nothing_is_held_open_when_idle(agent, partner):
    """AIS-3.5a: connected only when submitting or receiving."""
    ais = Indicators(agent, partner, {"link taxii": {"idle-close": "300 ms"}, "service feed": {"poll": "1 h"}})
    blocks = ais.give(5)
    ais.start()
    ais.wait_came(blocks)
    ais.wait_taken([ais.submit("a.xml")])
    wait_for(lambda: not partner.open, lambda: f"the connections to be closed: {partner.open}")
    connected = len(partner.connections)
    ais.wait_record("session-ended")
    assert len(partner.connections) == connected, "it connected with nothing to do"


def test_what_a_session_was_is_in_the_trail(ais, partner):
    ais.start()
    ais.wait_taken([ais.submit("a.xml")])
    record = str(ais.wait_record("session-allowed"))
    for words in ("'accord.details.tls.version': '1.3'", "taxii partner", "localhost"):
        assert words in record, record
    assert partner.connections[0]["version"] == "TLSv1.3"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("key", ["P-384", "RSA-3072"])
def test_both_versions_and_both_kinds_of_keys(agent, partner, version, key):
    partner.versions, partner.identity = (version,), partner.authority.server(key=key)
    ais = Indicators(agent, partner)
    ais.credentials(partner.authority.client(key=key))
    blocks = ais.give(4)
    ais.start()
    ais.wait_taken([ais.submit("a.xml")])
    ais.wait_came(blocks)


def test_a_key_may_have_a_passphrase(agent, partner):
    ais = Indicators(agent, partner, submit_only(), {"link taxii": {"key-passphrase": "client.pass"}})
    identity = partner.authority.client()
    ais.credentials(identity, identity.key_with(b"correct horse"))
    agent.secret("ais", "client.pass", b"correct horse\n")
    ais.start()
    ais.wait_taken([ais.submit("a.xml")])
    assert "correct horse" not in agent.log() and "correct horse" not in str(agent.audit_records())


def test_a_certificate_is_renewed_without_a_restart(agent, partner):
    ais = Indicators(agent, partner, submit_only(), {"link taxii": {"idle-close": "200 ms"}}).start()
    sent = [ais.submit("a.xml")]
    ais.wait_taken(sent)
    wait_for(lambda: not partner.open, "the first connection to be closed")
    link = agent.child("link-ais")
    renewed = partner.authority.client(days=30)
    ais.credentials(renewed)
    sent.append(ais.submit("b.xml"))
    ais.wait_taken(sent)
    serials = {one["serial"] for one in partner.connections}
    assert f"{renewed.x509.serial_number:X}" in {serial.lstrip("0") for serial in serials} and len(serials) == 2, serials
    assert agent.child("link-ais") == link


def test_a_certificate_that_ends_soon_is_told(agent, partner):
    ais = Indicators(agent, partner, submit_only())
    ais.credentials(partner.authority.client(days=6.5))
    ais.start()
    ais.wait_taken([ais.submit("a.xml")])
    wait_for(lambda: re.search(r"taxii\.certificate\S* .*6 days", agent.log()), lambda: agent.log_tail())


def test_a_probe_walks_the_session_and_the_services(agent, partner):
    ais = Indicators(agent, partner, {"link taxii": {"idle-close": "100 ms"}, "service feed": {"poll": "1 h"}}).start()
    answer = agent.ask("probe", "ais")
    steps = [(row["step"], row["result"]) for row in answer["steps"]]
    assert answer.code == 0 and {result for _, result in steps} == {"ok"}, answer
    assert {"dns", "tcp"} <= {step for step, _ in steps} and "AIS_INGEST" in str(answer.tables), answer
    assert partner.received() == [] and ais.link()["state"] != "parked"
    wait_for(lambda: not partner.open, "its connection to be closed")
    ais.credentials(Authority("Stranger").client())
    answer = agent.ask("probe", "ais")
    assert answer.code == 1 and "certificate" in answer.line, answer
    assert ais.link()["state"] != "parked", "a probe has parked the link"


# ---- the messages themselves ----

def validate(schema, documents):
    """With libxml2, which the connector needs anyway."""
    xml = ctypes.CDLL("libxml2.so.2")
    for name in ("xmlSchemaNewParserCtxt", "xmlSchemaParse", "xmlSchemaNewValidCtxt", "xmlReadMemory"):
        getattr(xml, name).restype = ctypes.c_void_p
    parser = ctypes.c_void_p(xml.xmlSchemaNewParserCtxt(os.fsencode(schema)))
    compiled = ctypes.c_void_p(xml.xmlSchemaParse(parser))
    assert compiled.value, f"{schema} does not compile"
    for document in documents:
        read = ctypes.c_void_p(xml.xmlReadMemory(document, len(document), b"message.xml", None, 2048))
        assert read.value, document[:300]
        found = xml.xmlSchemaValidateDoc(ctypes.c_void_p(xml.xmlSchemaNewValidCtxt(compiled)), read)
        assert found == 0, f"error {found} in {document[:600]}"


@pytest.mark.skipif(not SHARED.exists(), reason="../shared/data/xsd is not here")
def test_every_message_validates_against_the_schema(agent, partner, tmp_path):
    """Every kind that the link sends; the contents are judged by their own schemas elsewhere."""
    ais = Indicators(agent, partner, {"service submit": {"batch": "4", "subtype": "urn:sub"}})
    blocks = ais.give(7)
    sent = [ais.submit(f"{number}.xml") for number in range(9)]
    ais.start()
    ais.wait_came(blocks)
    ais.wait_taken(sent)
    bodies = [body for _, _, body in partner.requests]
    kinds = {name for name in (b"Discovery_Request", b"Collection_Information_Request", b"Inbox_Message", b"Poll_Request",
                               b"Poll_Fulfillment") if any(name in body for body in bodies)}
    assert len(kinds) == 5, kinds
    for name in ("TAXII_XMLMessageBinding_Schema_11.xsd", "xmldsig-core-schema.xsd"):
        shutil.copy(SHARED / name, tmp_path)
    validate(tmp_path / "TAXII_XMLMessageBinding_Schema_11.xsd", bodies)


def test_headers_are_those_of_the_binding(ais, partner):
    ais.give(4)
    ais.start()
    ais.wait_taken([ais.submit("a.xml")])
    for path, headers, _ in partner.requests:
        assert headers["Accept"] == "application/xml" and headers["Content-Type"].startswith("application/xml"), headers
        assert headers["Host"] == f"localhost:{partner.port}" and path.startswith("/flare/taxii11/"), headers
        for name in ("Authorization", "Cookie", "Expect", "Referer", "Via"):
            assert name not in headers, headers


def test_the_environment_has_no_say(agent, partner):
    """No proxy, no other certificates, no log of keys."""
    trap = str(agent.home / "keys")
    ais = Indicators(agent, partner, submit_only()).start(environment={
        "https_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1",
        "SSLKEYLOGFILE": trap, "SSL_CERT_FILE": "/dev/null", "CURL_HOME": "/nowhere"})
    ais.wait_taken([ais.submit("a.xml")])
    assert not os.path.exists(trap)


def test_the_file_as_it_is_shipped_is_accepted(agent, tmp_path):
    """Its placeholders are told like those of the other agreement's file."""
    folder = tmp_path / "conf.d"
    shutil.copytree(ROOT / "conf.d", folder)
    answer = agent.ask("check", conf=folder)
    assert answer.code in (0, 5), answer
    told = [(row["file"], row["severity"]) for row in answer["problems"] if row["file"].startswith("c")]
    assert {severity for _, severity in told} <= {"not checked", "note"}, answer
