"""Packages of type stix-1 through the process that would examine them, sandbox and all (AIS-2, AIS-3.3, AIS-3.4a)."""
import pytest
from harness import ROOT, give

MARKED = (ROOT / "tests/fixtures/stix-1/good-marking.xml").read_text()
AGREEMENT = """
[agreement]
title   = AIS
partner = CISA
enabled = no

[policy content]
{options}
"""
XS = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" {more}>{body}</xs:schema>'
DRIVER = XS.format(more="", body='<xs:import namespace="http://stix.mitre.org/stix-1" schemaLocation="core.xsd"/>')
CORE = XS.format(more='targetNamespace="http://stix.mitre.org/stix-1"', body="""
  <xs:element name="STIX_Package"><xs:complexType>
    <xs:sequence><xs:any processContents="skip" maxOccurs="unbounded"/></xs:sequence>
    <xs:attribute name="id"/><xs:attribute name="timestamp" type="xs:dateTime"/><xs:attribute name="version"/>
  </xs:complexType></xs:element>""")


@pytest.fixture
def validate(agent):
    """validate(PACKAGE, options...) -> the command's answer, by an agreement with these options."""
    def ask(package, *options):
        path = agent.home / "package.xml"
        path.write_text(package)
        agent.write_conf("ais.conf", AGREEMENT.format(options="\n".join(options)))
        give(agent.home)
        return agent.ask("validate", "stix-1", path, "--agreement", "ais")
    ask.home = agent.home
    return ask


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "tests/fixtures/stix-1").glob("good-*.xml")))
def test_a_marked_package_passes(validate, name):
    answer = validate((ROOT / "tests/fixtures/stix-1" / name).read_text())
    assert answer.code == 0, answer


@pytest.mark.parametrize("old, new, rule", [
    ('color="GREEN"', 'color="RED"', "stix-1.tlp"),
    ("//node() | //@*", "//stix:Indicator", "stix-1.marking-scope"),
    ("AIS:AISMarkingStructure", "tlp:TLPMarkingStructureType", "stix-1.tlp"),
    ("Seen every night", "Ask 202-555-0143", "stix-1.personal-data"),
    ("<?xml", "<!DOCTYPE a><?xml", "stix-1.xml"),
])
def test_a_denial_names_rule_and_element(validate, old, new, rule):
    answer = validate(MARKED.replace(old, new))
    assert answer.code == 1, answer
    assert answer["verdict"][0]["rule"] == rule
    assert "202-555-0143" not in answer.line


def test_schemas_of_the_operator_are_read_inside_of_the_sandbox(validate):
    folder = validate.home / "schemas"
    folder.mkdir()
    (folder / "driver.xsd").write_text(DRIVER)
    (folder / "core.xsd").write_text(CORE)
    option = f"schemas = {folder}"
    assert validate(MARKED, option).code == 0
    answer = validate(MARKED.replace('version="1.1.1"', 'version="1.1.1" edition="2"'), option)
    assert answer["verdict"][0]["rule"] == "stix-1.schema"
    assert "(stix:STIX_Package): driver.xsd says: " in answer["verdict"][0]["reason"]


def test_schemas_that_cannot_be_read_are_said_to_be_the_reason(validate):
    answer = validate(MARKED, f"schemas = {validate.home}/nothing")
    assert answer.code not in (0, 1), answer
    assert "there is no folder of schemas" in answer.line
