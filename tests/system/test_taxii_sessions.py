"""Sessions with a TAXII partner that must not be: certificates, names, versions, suites, on both sides. The link is parked
with the reason before anything is said, and goes on when it is mended."""
import itertools
import ssl

import pytest

from harness import wait_for
from indicators import QUICK, Indicators, feed_only, submit_only, taxii_partner  # noqa: F401

from authority import Authority
from taxii_partner import TaxiiPartner


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


@pytest.mark.parametrize(("what", "service"), zip(SESSIONS, itertools.cycle(["inbox", "poll"])))
def test_a_session_that_must_not_be_parks_the_link(agent, partner, what, service):
    """By turns for one that submits and one that polls: up to the verdict both do the same."""
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
