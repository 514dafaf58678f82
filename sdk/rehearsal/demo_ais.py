"""The second half of make demo: the AIS agreement with a TAXII partner, beside the first one on the same agent."""
import hashlib
import time

import make_indicator
from authority import Authority
from rehearsal import wait_for
from stage import require, show, title
from taxii_messages import now
from taxii_partner import TaxiiPartner

SITE = """
[link indicators]
connector = dir
path      = {site}/indicators

[link ais-feed]
connector = dir
path      = {site}/ais-feed

[service indicators]
type      = stix-1
direction = receive
link      = indicators
settle    = 200 ms

[service ais-feed]
type      = stix-1
direction = send
link      = ais-feed
"""

AGREEMENT = """
[agreement]
title        = Automated Indicator Sharing Interconnection Agreement (rehearsal)
partner      = Cybersecurity and Infrastructure Security Agency
enabled      = yes
acknowledged = {today}
valid-for    = 3 years
sensitivity  = SBU

[endpoint taxii]
host = localhost
port = {port}

[link taxii]
connector   = taxii
endpoint    = taxii
discovery   = /flare/taxii11/discovery
certificate = client.pem
key         = client.key
trust       = root.pem
idle-close  = 500 ms

[service submit]
type       = stix-1
direction  = send
link       = taxii
collection = AIS_INGEST
from       = site/indicators
retry-first = 500 ms

[service feed]
type       = stix-1
direction  = receive
link       = taxii
collection = AIS
poll       = 1 s
settle     = 500 ms
to         = site/ais-feed

[policy encryption]

[policy content]
require-marking = ais
allow-tlp       = WHITE, GREEN, AMBER
"""


class AisDemo:
    """Acts on an agent that runs; the site's file is told by the first half."""

    def __init__(self, agent):
        self.agent = agent
        self.partner = TaxiiPartner(Authority())

    def credentials(self, identity):
        self.agent.secret("cisa-ais", "client.pem", identity.chain)
        self.agent.secret("cisa-ais", "client.key", identity.key)

    def package(self, name, **options):
        """Drops a package into the site's folder."""
        content = make_indicator.package(name, **{"declaration": False, **options}).strip()
        self.agent.drop("indicators", name, content)
        return content

    def parked(self):
        def found():
            return [link for link in self.agent.ask("status").tables.get("links", [])
                    if link["agreement"] == "cisa-ais" and link["state"] == "parked"]
        link = wait_for(found, "the link to be parked")[0]
        show("link", f"{link['link']} is parked: {link['reason']}")

    def resume(self):
        answer = self.agent.ask("resume", "cisa-ais")
        require(answer.code == 0, f"the link could not be resumed: {answer}")

    # ---- the acts ----

    def begin(self):
        title("A second agreement is one file more: indicators by TAXII 1.1 over mutual TLS")
        for folder in ("indicators", "ais-feed"):
            self.agent.site_folder(folder)
        site = self.agent.conf / "site.conf"
        self.agent.write_conf("site.conf", site.read_text() + SITE.format(site=self.agent.site))
        self.credentials(self.partner.authority.client())
        self.agent.secret("cisa-ais", "root.pem", self.partner.authority.trust)
        self.agent.write_conf("cisa-ais.conf", AGREEMENT.format(today=time.strftime("%Y-%m-%d", time.gmtime()),
                                                                port=self.partner.port))
        answer = self.agent.ask("reload")
        require(answer.code == 0, f"the file was not taken: {answer}")
        show("partner", f"https://localhost:{self.partner.port}/flare/taxii11/, client certificate required")

    def submit(self):
        title("A marked package is submitted")
        content = self.package("indicators-1.xml", color="AMBER", consent="USG", indicators=12)
        row = self.agent.wait_message(name="indicators-1.xml", state="delivered")
        taken = self.partner.told("taken")[0]
        show("session", "{version}, {cipher}, as {subject}".format(**self.partner.connections[0]))
        show("receipt", self.agent.ask("show", row["id"])["deliveries"][0]["receipt"])
        show("SHA-256", f"{taken['sha256']} there, {hashlib.sha256(content).hexdigest()} here")
        require(self.partner.received() == [content], "the partner's copy differs")

    def refuse(self):
        title("Nothing unmarked ever leaves")
        for name, options in (("unmarked.xml", {"marked": False}), ("red.xml", {"color": "RED"}),
                              ("proprietary.xml", {"proprietary": True, "consent": "NONE"})):
            self.package(name, **options)
            row = self.agent.wait_message(name=name, state="quarantined")
            show(name.removesuffix(".xml"), f"{row['rule']}: {row['reason']}")
        require(len(self.partner.submissions) == 1, "something left that must not")

    def poll(self):
        title("The feed comes in, in parts, each block once")
        blocks = [make_indicator.package(f"feed {number}", declaration=False).strip() for number in range(8)]
        label = now()
        for block in blocks:
            self.partner.feed.add(block, label)
        folder = self.agent.site / "ais-feed"

        def came():
            return sorted(path.read_bytes() for path in folder.iterdir() if not path.name.startswith("."))
        wait_for(lambda: len(came()) >= len(blocks), lambda: f"the blocks to come: {len(came())}")
        parts = self.partner.told("part")
        show("parts", f"1 to {parts[-1]['part']} of {parts[-1]['of']}, each asked for when the one before was held")
        show("folder", f"{len(came())} files, the partner's bytes: {came() == sorted(blocks)}")
        require(came() == sorted(blocks), "the feed was not received as it is")

    def old_tls(self):
        title("A server that speaks TLS 1.1 only: not a byte is said to it")
        self.partner.versions = ("1.1",)
        wait_for(lambda: not self.partner.open, "the last connection to end")
        before = len(self.partner.requests)
        self.package("later.xml")
        self.parked()
        require(len(self.partner.requests) == before, "something was asked")
        self.partner.versions = ("1.2", "1.3")
        self.resume()
        self.agent.wait_message(name="later.xml", state="delivered")
        show("then", "it has TLS 1.2 and 1.3 again, `accord resume cisa-ais`, and what waited is delivered")

    def expired(self):
        title("Our own certificate has expired: nobody gets as far as the server's refusal")
        wait_for(lambda: not self.partner.open, "the last connection to end")
        self.credentials(self.partner.authority.client(days=-1))
        self.package("waits.xml")
        self.parked()
        self.credentials(self.partner.authority.client(days=365))
        self.agent.wait_message(name="waits.xml", state="delivered")
        show("then", "the new certificate is in its file: the link sees it, goes on by itself, and what waited is delivered")

    def acts(self):
        return self.begin, self.submit, self.refuse, self.poll, self.old_tls, self.expired

    def close(self):
        self.partner.stop()
