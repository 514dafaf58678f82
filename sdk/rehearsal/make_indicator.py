#!/usr/bin/python3
"""Makes a STIX 1.1.1 package with invented indicators (documentation addresses, .example names, hashes of nothing), marked as
the AIS profile asks, to rehearse with. The same arguments give the same file.

    make_indicator.py --color GREEN --consent USG --indicators 5 --output package.xml
    make_indicator.py --unmarked > must-not-leave.xml
"""
import argparse
import hashlib
import random
import sys
import uuid
from xml.sax.saxutils import escape

SPACES = {
    "stix": "http://stix.mitre.org/stix-1", "stixCommon": "http://stix.mitre.org/common-1",
    "stixVocabs": "http://stix.mitre.org/default_vocabularies-1", "indicator": "http://stix.mitre.org/Indicator-2",
    "marking": "http://data-marking.mitre.org/Marking-1", "cybox": "http://cybox.mitre.org/cybox-2",
    "cyboxCommon": "http://cybox.mitre.org/common-2", "AddressObj": "http://cybox.mitre.org/objects#AddressObject-2",
    "DomainNameObj": "http://cybox.mitre.org/objects#DomainNameObject-1",
    "FileObj": "http://cybox.mitre.org/objects#FileObject-2",
    "stix-ciq": "http://stix.mitre.org/extensions/Identity#CIQIdentity3.0-1", "xpil": "urn:oasis:names:tc:ciq:xpil:3",
    "xal": "urn:oasis:names:tc:ciq:xal:3", "xnl": "urn:oasis:names:tc:ciq:xnl:3",
    "AIS": "http://www.us-cert.gov/STIXMarkingStructure#AISConsentMarking-2",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
STAMP = "2026-01-15T12:00:00Z"


def new_id(rng, kind):
    return f"acme:{kind}-{uuid.UUID(int=rng.getrandbits(128), version=4)}"


def marking(color="GREEN", consent="EVERYONE", proprietary=False):
    kind, said = ("Is_Proprietary", "true") if proprietary else ("Not_Proprietary", "false")
    return f"""    <stix:Handling>
      <marking:Marking>
        <marking:Controlled_Structure>//node() | //@*</marking:Controlled_Structure>
        <marking:Marking_Structure xsi:type="AIS:AISMarkingStructure">
          <AIS:{kind} CISA_Proprietary="{said}">
            <AIS:AISConsent consent="{consent}"/>
            <AIS:TLPMarking color="{color}"/>
          </AIS:{kind}>
        </marking:Marking_Structure>
      </marking:Marking>
    </stix:Handling>
"""


def source(organisation):
    return f"""    <stix:Information_Source>
      <stixCommon:Identity xsi:type="stix-ciq:CIQIdentity3.0InstanceType">
        <stix-ciq:Specification>
          <xpil:PartyName><xnl:OrganisationName><xnl:NameElement>{escape(organisation)}</xnl:NameElement>"""\
        """</xnl:OrganisationName></xpil:PartyName>
          <xpil:Addresses><xpil:Address>
            <xal:Country><xal:NameElement xal:NameCode="US" xal:NameCodeType="ISO 3166-1 alpha-2"/></xal:Country>
            <xal:AdministrativeArea><xal:NameElement xal:NameCode="US-NY" xal:NameCodeType="ISO 3166-2"/>"""\
        """</xal:AdministrativeArea>
          </xpil:Address></xpil:Addresses>
          <xpil:OrganisationInfo xpil:IndustryType="Transportation Systems Sector"/>
        </stix-ciq:Specification>
      </stixCommon:Identity>
    </stix:Information_Source>
"""


def properties(rng):
    """What is observed: an address, a name or a hash."""
    kind = rng.randrange(3)
    if kind == 0:
        network = rng.choice(("192.0.2", "198.51.100", "203.0.113"))
        return (f'<cybox:Properties xsi:type="AddressObj:AddressObjectType" category="ipv4-addr"><AddressObj:Address_Value>'
                f"{network}.{rng.randrange(1, 255)}</AddressObj:Address_Value></cybox:Properties>")
    if kind == 1:
        return (f'<cybox:Properties xsi:type="DomainNameObj:DomainNameObjectType"><DomainNameObj:Value>'
                f"host-{rng.randrange(10 ** 8):08d}.example</DomainNameObj:Value></cybox:Properties>")
    hashed = hashlib.sha256(rng.randbytes(16)).hexdigest()
    return ('<cybox:Properties xsi:type="FileObj:FileObjectType"><FileObj:Hashes><cyboxCommon:Hash><cyboxCommon:Type>SHA256'
            f"</cyboxCommon:Type><cyboxCommon:Simple_Hash_Value>{hashed}</cyboxCommon:Simple_Hash_Value></cyboxCommon:Hash>"
            "</FileObj:Hashes></cybox:Properties>")


def indicator(rng):
    return f"""    <stix:Indicator id="{new_id(rng, 'Indicator')}" timestamp="{STAMP}" xsi:type="indicator:IndicatorType">
      <indicator:Observable id="{new_id(rng, 'Observable')}">
        <cybox:Object id="{new_id(rng, 'Object')}">
          {properties(rng)}
        </cybox:Object>
      </indicator:Observable>
    </stix:Indicator>
"""


def package(seed="1", indicators=1, size=0, color="GREEN", consent="EVERYONE", proprietary=False, marked=True,
            organisation="Acme Shipping Lines", declaration=True):
    """Bytes. `size`: indicators are added until it is at least so long."""
    rng = random.Random(f"indicator {seed}")
    spaces = "\n    ".join(f'xmlns:{prefix}="{name}"' for prefix, name in {**SPACES, "acme": "https://acme.example/stix"}.items())
    head = f"""{'<?xml version="1.0" encoding="UTF-8"?>' if declaration else ''}
<stix:STIX_Package {spaces}
    id="{new_id(rng, 'Package')}" timestamp="{STAMP}" version="1.1.1">
  <stix:STIX_Header>
    <stix:Package_Intent xsi:type="stixVocabs:PackageIntentVocab-1.0">Indicators</stix:Package_Intent>
{marking(color, consent, proprietary) if marked else ''}{source(organisation)}  </stix:STIX_Header>
  <stix:Indicators>
""".lstrip()
    found, long = [], len(head) + 50
    while len(found) < indicators or long < size:
        found.append(indicator(rng))
        long += len(found[-1])
    return (head + "".join(found) + "  </stix:Indicators>\n</stix:STIX_Package>\n").encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1", help="another gives other ids and indicators")
    parser.add_argument("--indicators", type=int, default=1)
    parser.add_argument("--size", type=int, default=0, metavar="BYTES", help="indicators are added until it is so long")
    parser.add_argument("--color", default="GREEN", help="WHITE, GREEN, AMBER; RED is refused everywhere")
    parser.add_argument("--consent", default="EVERYONE", help="EVERYONE, USG, NONE")
    parser.add_argument("--proprietary", action="store_true", help="then consent must be EVERYONE")
    parser.add_argument("--unmarked", action="store_true")
    parser.add_argument("--organisation", default="Acme Shipping Lines")
    parser.add_argument("--output", help="default: standard output")
    options = parser.parse_args()
    content = package(options.seed, options.indicators, options.size, options.color, options.consent, options.proprietary,
                      not options.unmarked, options.organisation)
    if options.output:
        with open(options.output, "wb") as file:
            file.write(content)
    else:
        sys.stdout.buffer.write(content)


if __name__ == "__main__":
    main()
