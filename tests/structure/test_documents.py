"""What the documents say is there is there."""
import re

import pytest
from tree import ROOT, read, sources, tracked

# The two agreements' paragraphs, as docs/CLAUSES.md must have them.
CLAUSES = """
    CBP-1a.1 CBP-1a.2 CBP-1a.3 CBP-1b CBP-1c CBP-2a CBP-2b CBP-2c CBP-2d CBP-2e CBP-2f CBP-2g CBP-2h CBP-2i CBP-2j
    CBP-3 CBP-4.1 CBP-4.2 CBP-4.3 CBP-4.4
    AIS-1 AIS-2 AIS-3.1 AIS-3.2 AIS-3.3 AIS-3.4a AIS-3.4b AIS-3.4c AIS-3.5a AIS-3.5b AIS-3.6 AIS-3.7a AIS-3.7b
    AIS-3.7c AIS-3.7d AIS-3.7e AIS-3.8 AIS-3.9 AIS-3.10 AIS-3.11a AIS-3.11b AIS-4.1 AIS-4.2""".split()
TEST_NAME = re.compile(r"`(tests/[\w/]+\.(?:c|py)(?:::\w+)?)`")


def rows():
    """CLAUSES.md's table: id -> [asks, enforced by, proven by]."""
    found = {}
    for line in read("docs/CLAUSES.md").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and re.fullmatch(r"(CBP|AIS)-[\w.]+", cells[0]):
            assert cells[0] not in found, f"{cells[0]} has two rows"
            found[cells[0]] = cells[1:]
    return found


@pytest.mark.parametrize("clause", CLAUSES)
def test_every_clause_has_a_row_that_says_what_proves_it(clause):
    row = rows().get(clause)
    assert row is not None, f"{clause} has no row in docs/CLAUSES.md"
    assert len(row) == 3, f"{clause}: a row has four cells, this one has {len(row) + 1}"
    assert all(row), f"{clause}: a cell is empty"
    proof = row[2]
    assert TEST_NAME.search(proof) or proof.startswith(("not yet", "document")), \
        f"{clause}: neither names a test, nor says `not yet` or `document`: {proof}"


def test_no_row_is_about_a_clause_that_does_not_exist():
    assert set(rows()) == set(CLAUSES)


def exists(name):
    """tests/unit/test_baplie.c::unt_count: the file, and the case in its list; tests/.../test_x.py::test_y."""
    path, _, case = name.partition("::")
    if not (ROOT / path).is_file():
        return False
    if not case:
        return True
    if path.endswith(".py"):
        return re.search(rf"^(async )?def {case}\(", read(path), re.MULTILINE) is not None
    text = read(path)
    return re.search(rf"\b{case}\(", text) is not None and \
        re.search(rf"cmocka_unit_test\w*\({case}\b|\b\w*TEST\w*\({case}\b", text) is not None


def documents():
    return [path for path in tracked() if path.suffix == ".md"]


def test_every_test_that_a_document_names_exists():
    missing = [f"{path}: {name}" for path in documents() for name in TEST_NAME.findall(read(path))
               if not exists(name)]
    assert not missing


def test_every_file_that_a_document_names_exists():
    """Names in backticks with a slash and a known top folder; a trailing `/` is a folder, `{a,b}` and `*` too."""
    tops = {path.parts[0] for path in tracked() if len(path.parts) > 1}
    missing = []
    for path in documents():
        for name in re.findall(r"`([\w.-]+/[^`\s]*)`", read(path)):
            name = name.partition("::")[0].partition(":")[0]
            if name.split("/")[0] not in tops or re.search(r"[{<*A-Z]{2}|NAME|[{*]", name):
                continue
            if not (ROOT / name).exists() and not (ROOT / path).parent.joinpath(name).exists():
                missing.append(f"{path}: {name}")
    assert not missing


def test_links_between_documents_lead_somewhere():
    broken = []
    for path in documents():
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", read(path)):
            if "://" not in target and not (ROOT / path).parent.joinpath(target).exists():
                broken.append(f"{path}: {target}")
    assert not broken


def test_no_file_tells_of_the_place_where_it_was_written():
    """Names of machines' folders and of a workplace have no business in the project."""
    words = ["/" + "work/", "/" + "root/", "wt/" + "project", "as an " + "AI", "Clau" + "de", "this ses" + "sion's work"]
    found = [f"{path}: {word}" for path in tracked() for word in words if word in read(path)]
    assert not found


def test_every_rule_of_business_messages_is_in_its_page():
    """docs/EDI.md names each rule that the sources refuse by."""
    call = re.compile(r'(?:REFUSE|edi_\w+|missing|count|same_reference|party)\((?:[^;"]|\([^;"]*\))*?"([a-z][a-z0-9-]+)"'
                      r'(?:\s*:\s*"([a-z][a-z0-9-]+)")?')
    found = set()
    for path in sources("plugins/policies/content", endings=(".c",)):
        if not path.name.startswith("stix"):
            found |= {rule for pair in call.findall(read(path)) for rule in pair if rule}
    page = read("docs/EDI.md")
    named = set(re.findall(r"`([a-z0-9-]+)`", page))
    assert len(found) > 60
    assert not found - named, f"docs/EDI.md does not explain {sorted(found - named)}"
