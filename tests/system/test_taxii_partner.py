"""The rehearsal's TAXII server does what the tests of the link rely on, seen by a client of the standard library."""
import datetime
import http.client
import json
import ssl
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from harness import ROOT, wait_for

from authority import Authority
from taxii_messages import HEADERS, MESSAGES, SPACE, STIX, now, written
from taxii_partner import TaxiiPartner

PACKAGE = b'<stix:STIX_Package xmlns:stix="http://stix.mitre.org/stix-1" id="a:b-1" version="1.1.1"><!-- & -->x</stix:STIX_Package>'


def context(pki, identity, folder, version=None):
    made = ssl.create_default_context(cadata=pki.trust.decode())
    if version:
        made.minimum_version = made.maximum_version = version
        made.set_ciphers("DEFAULT:@SECLEVEL=0")
    if identity:
        identity.write(folder, "c")
        made.load_cert_chain(folder / "c.pem", folder / "c.key")
    return made


class Client:
    """One connection."""

    def __init__(self, partner, folder, identity=None, version=None, **how):
        identity = identity or partner.authority.client()
        self.connection = http.client.HTTPSConnection("localhost", partner.port, timeout=20, context=context(
            partner.authority, None if how.get("bare") else identity, folder, version))

    def post(self, service, text, **headers):
        sent = {**HEADERS, "X-TAXII-Accept": MESSAGES, **{key.replace("_", "-"): value for key, value in headers.items()}}
        self.connection.request("POST", f"/flare/taxii11/{service}", text, sent)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def ask(self, service, name, inside="", **attributes):
        words = "".join(f' {key}="{value}"' for key, value in attributes.items())
        code, body = self.post(service, f'<t:{name} xmlns:t="{SPACE}" message_id="1"{words}>{inside}</t:{name}>'.encode())
        assert code == 200, body
        return ElementTree.fromstring(body)


def name_of(answer):
    return answer.tag.removeprefix(f"{{{SPACE}}}")


@pytest.fixture(scope="module")
def pki():
    return Authority()


@pytest.fixture
def partner(pki):
    with TaxiiPartner(pki) as one:
        yield one
        assert not one.errors, one.errors


@pytest.fixture
def client(partner, tmp_path):
    return Client(partner, tmp_path)


def contents(answer):
    return [b"".join(ElementTree.tostring(child) for child in block.find(f"{{{SPACE}}}Content"))
            for block in answer.findall(f"{{{SPACE}}}Content_Block")]


def poll(client, begin=None, end=None, name="AIS", inside=""):
    times = "".join(f"<t:{kind}_Timestamp>{written(at)}</t:{kind}_Timestamp>"
                    for kind, at in (("Exclusive_Begin", begin), ("Inclusive_End", end)) if at)
    return client.ask("poll", "Poll_Request", times + inside + '<t:Poll_Parameters allow_asynch="false"><t:Response_Type>FULL'
                      "</t:Response_Type></t:Poll_Parameters>", collection_name=name)


def inbox(client, *contents_, binding=STIX, collection="AIS_INGEST"):
    blocks = "".join(f'<t:Content_Block><t:Content_Binding binding_id="{binding}"/><t:Content>{content}</t:Content>'
                     "</t:Content_Block>" for content in contents_)
    return client.ask("inbox", "Inbox_Message",
                      f"<t:Destination_Collection_Name>{collection}</t:Destination_Collection_Name>" + blocks)


def test_services_and_collections_are_told(client):
    told = client.ask("discovery", "Discovery_Request")
    assert [one.get("service_type") for one in told] == ["DISCOVERY", "COLLECTION_MANAGEMENT", "INBOX", "POLL"]
    assert {one.get("collection_name") for one in client.ask("collection-management", "Collection_Information_Request")} == {
        "AIS", "AIS_INGEST"}


def test_what_is_submitted_is_kept_as_it_came(client, partner):
    answer = inbox(client, "\n " + PACKAGE.decode(), "&lt;a&gt;&amp;amp;&lt;/a&gt;")
    assert answer.get("status_type") == "SUCCESS" and answer.get("in_response_to") == "1"
    assert partner.received() == [PACKAGE, b"<a>&amp;</a>"]
    assert partner.submissions[0].subject == "acme" and not partner.submissions[0].again
    inbox(client, PACKAGE.decode())
    assert partner.submissions[1].again and len(partner.received()) == 2
    assert inbox(client, PACKAGE.decode(), binding="urn:other").get("status_type") == "SUCCESS"  # and drops it
    assert partner.submissions[2].contents == []
    partner.refuse_bindings = True
    assert inbox(client, PACKAGE.decode(), binding="urn:other").get("status_type") == "UNSUPPORTED_CONTENT"
    assert inbox(client, PACKAGE.decode(), collection="AIS").get("status_type") == "DESTINATION_COLLECTION_ERROR"


def test_a_feed_is_given_in_parts_and_windows(client, partner):
    begin = now() - datetime.timedelta(hours=1)
    for number in range(7):
        partner.feed.add(b"<a>%d</a>" % number, begin + datetime.timedelta(minutes=number))
    first = poll(client, begin)
    assert [first.get(key) for key in ("more", "result_part_number")] == ["true", "1"]
    rest = [client.ask("poll", "Poll_Fulfillment", collection_name="AIS", result_id=first.get("result_id"),
                       result_part_number=part) for part in (2, 2)]
    assert [contents(answer) for answer in (first, *rest)] == [
        [b"<a>%d</a>" % number for number in numbers] for numbers in ((1, 2, 3), (4, 5, 6), (4, 5, 6))]
    assert rest[-1].get("more") == "false"
    beyond = client.ask("poll", "Poll_Fulfillment", collection_name="AIS", result_id=first.get("result_id"),
                        result_part_number=3)
    assert beyond.get("status_type") == "INVALID_RESPONSE_PART"
    partner.forget_results()
    gone = client.ask("poll", "Poll_Fulfillment", collection_name="AIS", result_id=first.get("result_id"),
                      result_part_number=2)
    assert gone.get("status_type") == "NOT_FOUND"
    partner.narrow = 120
    narrowed = poll(client, begin, now())
    assert len(contents(narrowed)) == 2
    assert narrowed.findtext(f"{{{SPACE}}}Inclusive_End_Timestamp") == written(begin + datetime.timedelta(minutes=2))


def test_only_its_own_certificates_get_in(pki, partner, tmp_path):
    for identity in (pki.client(days=-1), Authority("Stranger").client()):
        with pytest.raises((ssl.SSLError, OSError)):
            Client(partner, tmp_path, identity).ask("discovery", "Discovery_Request")
    with pytest.raises(OSError):
        Client(partner, tmp_path, bare=True).ask("discovery", "Discovery_Request")
    stranger = Authority("Stranger")
    partner.like_nginx, partner.strangers = True, stranger.trust
    for how in ({"bare": True}, {"identity": pki.client(days=-1)}, {"identity": stranger.client()}):
        code, body = Client(partner, tmp_path, **how).post("discovery", b"")
        assert code == 400 and b"SSL certificate" in body
    assert name_of(Client(partner, tmp_path).ask("discovery", "Discovery_Request")) == "Discovery_Response"
    assert not partner.told("taken")


def test_it_can_be_as_old_as_asked(partner, tmp_path):
    partner.versions = ("1.1",)
    with pytest.raises(OSError):
        Client(partner, tmp_path).ask("discovery", "Discovery_Request")
    Client(partner, tmp_path, version=ssl.TLSVersion.TLSv1_1).ask("discovery", "Discovery_Request")
    assert partner.connections[-1]["version"] == "TLSv1.1"


def test_headers_are_exact(client):
    assert b"not recognized" in client.post("discovery", b"<x/>", X_TAXII_Accept=f"{MESSAGES} {MESSAGES}")[1]
    assert b'status_type="BAD_MESSAGE"' in client.post("discovery", b"<x/>")[1]
    assert b'status_type="BAD_MESSAGE"' in client.post("discovery", b"<!DOCTYPE a><a/>")[1]
    assert client.post("nothing", b"<x/>")[0] == 404


def test_faults_are_played_as_often_as_asked(partner, tmp_path):
    partner.feed.add(PACKAGE)

    def whole():
        return contents(poll(Client(partner, tmp_path)))
    assert len(whole()) == 1
    partner.faults.play("status", "poll", times=1, type="RETRY", details={"ESTIMATED_WAIT": "3"})
    assert poll(Client(partner, tmp_path)).get("status_type") == "RETRY"
    partner.faults.play("http", "poll", times=1, code=503, **{"retry-after": 7})
    with pytest.raises(AssertionError):
        whole()
    for fault in ("truncated", "truncated-chunks", "drop-after", "drop-before", "malformed", "cut-document", "not-http"):
        partner.faults.play(fault, None if fault == "drop-before" else "poll", times=1)
        with pytest.raises((OSError, http.client.HTTPException, ElementTree.ParseError)):
            whole()
        assert len(whole()) == 1, fault
    partner.faults.play("parts-forever", "poll", times=1)
    assert poll(Client(partner, tmp_path)).get("more") == "true"


def test_the_command_tells_its_port_and_takes_orders(tmp_path):
    process = subprocess.Popen([sys.executable, "-W", "ignore", ROOT / "sdk/rehearsal/taxii_partner.py", "--pki", tmp_path],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(process.stdout.readline())["event"] == "listening"
        process.stdin.write('{"play": "nonsense"}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["event"] == "not-understood"
        wait_for((tmp_path / "client.key").exists, "the client's key")
    finally:
        process.kill()
        process.communicate()
