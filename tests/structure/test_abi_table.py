"""The SDK's headers against sdk/abi/symbols, the table of what was promised, and the pages that are made of them."""
import re
import sys

from tree import ROOT, read

sys.path.insert(0, str(ROOT / "sdk/abi"))
import reference  # noqa: E402

REMEDY = "run sdk/abi/reference.py --write, and say in CHANGES.md what came"
# They stand by value in others, so nothing may be added to them, not even at their end (accord/base.h).
CLOSED = ("accord_pair", "accord_option", "accord_options")


def minor_of(since):
    return int(since.partition(".")[2])


def test_nothing_that_was_promised_has_gone_or_changed():
    now = {one.name: one.declaration for one in reference.everything()}
    wrong = {name: now.get(name, "gone") for name, (_, declaration) in reference.table().items()
             if now.get(name) != declaration}
    assert not wrong, "only before a release may a promise be taken back, by editing sdk/abi/symbols"


def test_everything_in_the_headers_is_in_the_table():
    missing = [one.name for one in reference.everything() if one.name not in reference.table()]
    assert not missing, REMEDY


def test_no_name_escapes_the_table():
    """What the generator does not understand must not be left out of it."""
    known = {part for one in reference.everything() for part in one.name.split(".")}
    known |= {"accord_plugin", "ACCORD_ABI_MAJOR", "ACCORD_ABI_MINOR"}
    for path in reference.HEADERS:
        code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        code = re.sub(r'"[^"]*"|#include.*|accord_\w+ *\(', "", code)
        names = set(re.findall(r"\b(?:accord|ACCORD)_\w+", code))
        assert {name for name in names if not name.endswith("_H")} <= known, path.name


def test_what_is_new_stands_behind_what_was_there():
    table = reference.table()
    for path in reference.HEADERS:
        for symbol in reference.parse(path)[1]:
            since = [minor_of(table[one.name][0]) for one in symbol.members if one.name in table]
            assert since == sorted(since) or symbol.kind == "enum", f"{symbol.name}: {REMEDY}"
            if symbol.name in CLOSED:
                assert set(since) == {0}, f"{symbol.name} stands by value in others, and may not grow"


def test_the_table_knows_no_minor_that_the_headers_do_not():
    newest = minor_of(reference.minor())
    assert all(minor_of(since) <= newest for since, _ in reference.table().values())


def test_changes_names_every_symbol_under_its_minor():
    changes = read("CHANGES.md").partition("## The plugin ABI")[2]
    sections = dict(re.findall(r"^### (\d+\.\d+)\n(.*?)(?=^### |\Z)", changes, re.MULTILINE | re.DOTALL))
    for name, (since, _) in reference.table().items():
        assert since in sections, f"CHANGES.md has no section {since}"
        if minor_of(since) > 0:
            assert f"`{name}`" in sections[since], f"CHANGES.md does not name {name} under {since}"


def test_the_pages_are_what_the_headers_say():
    assert read("docs/reference/sdk.md") == reference.sdk_page(), REMEDY
    assert read("docs/reference/abi.md") == reference.abi_page(), REMEDY
    assert read("sdk/abi/symbols") == reference.table_text(), REMEDY
