#!/usr/bin/env python3
"""docs/reference/sdk.md and abi.md, from the headers of the SDK and sdk/abi/symbols.

    sdk/abi/reference.py --write    after a change of the headers: writes both pages, and adds new symbols to the table
                                    with the minor that <accord/base.h> says

The table has one line for each symbol: since when, its name, how it is declared. What stands there never changes and never
goes, and new fields and slots stand behind the old ones: tests/structure/test_abi.py holds the headers against it.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADERS = [ROOT / f"sdk/include/accord/{name}.h"
           for name in ("base", "option", "message", "host", "connector", "policy", "plugin")]
TABLE = ROOT / "sdk/abi/symbols"
PAGES = ROOT / "docs/reference"

TOKEN = re.compile(r"/\*.*?\*/|\n|[^/\n]+|/", re.DOTALL)


class Symbol:
    """A name that plugins may use: what kind of thing, its declaration, its comment; `heading` begins a group."""

    def __init__(self, kind, name, declaration, comment="", heading=""):
        self.kind, self.name, self.heading = kind, name, heading
        self.declaration, self.comment = " ".join(declaration.split()), comment
        self.members = []


def words_of(comment):
    """The text of a comment, in one line; the heading of `---- x ----`, if it is one."""
    text = " ".join(re.sub(r"^\s*\*", "", line).strip() for line in comment[2:-2].split("\n")).strip()
    heading = re.fullmatch(r"-{4} (.*?) -{4}", text)
    return (heading[1], True) if heading else (text, False)


def split(body, end):
    """The members of a body: (declaration, comment, heading). A comment belongs to what follows it, or to what stands before it
    in the same line."""
    members, text, before, heading, fresh = [], "", [], "", False
    for token in TOKEN.findall(body):
        if token.startswith("/*"):
            said, is_heading = words_of(token)
            if is_heading:
                heading = said
            elif members and fresh and not text.strip():
                members[-1][1] = f"{members[-1][1]} {said}".strip()
            else:
                before.append(said)
        elif token == "\n":
            fresh = False
            text += " "
        else:
            parts = (text + token).split(end) if "(" not in token or end == ";" else [text + token]
            for part in parts[:-1]:
                if part.strip():
                    members.append([part.strip(), " ".join(before), heading])
                    before, heading = [], ""
                    fresh = True
            text = parts[-1]
    if text.strip():
        members.append([text.strip(), " ".join(before), heading])
    return members


def member_name(declaration):
    """`int (*check)(...)` is check, `void **state` is state, `int64_t min, max` are two."""
    pointer = re.search(r"\(\*(\w+)\)", declaration)
    if pointer:
        return [pointer[1]]
    return [re.search(r"(\w+)\s*(\[[^]]*\])?$", part.strip())[1] for part in declaration.split(",")]


def enum_of(name, comment, body):
    symbol = Symbol("enum", name, f"enum {name}", comment)
    for declaration, said, heading in split(body, ","):
        symbol.members.append(Symbol("value", declaration.split("=")[0].strip(), declaration, said, heading))
    return symbol


def struct_of(name, comment, body):
    symbol = Symbol("struct", name, f"struct {name}", comment)
    for declaration, said, heading in split(body, ";"):
        for field in member_name(declaration):
            kind = "slot" if f"(*{field})" in declaration else "field"
            symbol.members.append(Symbol(kind, f"{name}.{field}", declaration, said, heading))
    return symbol


CONSTRUCT = re.compile(
    r"(?P<comment>/\*.*?\*/)"
    r"|(?P<kind>enum|struct)\s+(?P<name>\w+)\s*\{(?P<body>[^}]*)\};"
    r"|struct\s+(?P<opaque>\w+);(?P<after>[ ]*/\*.*?\*/)?"
    r"|typedef\s+(?P<typedef>[^;]+);"
    r"|^#define\s+(?P<macro>\w+)(?P<value>[^\n/]*)(?P<beside>/\*.*?\*/)?", re.DOTALL | re.MULTILINE)


def parse(path):
    """(what the header says of itself, its symbols)."""
    about, symbols, comment, end = "", [], "", 0
    text = path.read_text()
    for found in CONSTRUCT.finditer(text):
        if "\n\n" in text[end:found.start()]:
            comment = ""
        end = found.end()
        if found["comment"]:
            said, is_heading = words_of(found["comment"])
            comment = "" if is_heading or not about else said
            about = about or about_of(found["comment"])
        elif found["kind"]:
            make = enum_of if found["kind"] == "enum" else struct_of
            symbols.append(make(found["name"], comment, found["body"]))
            comment = ""
        elif found["opaque"]:
            beside = words_of(found["after"].strip())[0] if found["after"] else ""
            symbols.append(Symbol("opaque", found["opaque"], f"struct {found['opaque']};", beside))
        elif found["typedef"]:
            name = re.search(r"\(\*(\w+)\)|(\w+)$", found["typedef"])
            symbols.append(Symbol("typedef", name[1] or name[2], f"typedef {found['typedef']}", comment))
        elif not found["macro"].endswith("_H"):
            beside = words_of(found["beside"])[0] if found["beside"] else comment
            symbols.append(Symbol("macro", found["macro"], f"#define {found['macro']}{found['value'].rstrip()}", beside))
    return about, symbols


def minor():
    text = HEADERS[0].read_text()
    return ".".join(re.search(rf"ACCORD_ABI_{part} (\d+)", text)[1] for part in ("MAJOR", "MINOR"))


def everything():
    """All symbols, members behind what they belong to. The ABI numbers themselves change, and do not count."""
    found = []
    for path in HEADERS:
        for symbol in parse(path)[1]:
            if not symbol.name.startswith("ACCORD_ABI_M"):
                found += [symbol, *symbol.members]
    return found


def table():
    """name -> (since, declaration)."""
    lines = [line.split("\t") for line in TABLE.read_text().splitlines() if line] if TABLE.exists() else []
    return {name: (since, declaration) for since, name, declaration in lines}


def table_text():
    known, now = table(), minor()
    return "".join("\t".join((known[one.name][0] if one.name in known else now, one.name, one.declaration)) + "\n"
                   for one in everything())


def prose(text):
    """Text as Markdown: angle brackets are not markup."""
    return re.sub(r"([<>])", r"\\\1", text)


def code(text):
    """In a cell of a table."""
    return "`" + text.replace("|", "\\|") + "`"


def cell(text):
    return prose(text).replace("|", "\\|")


def about_of(comment):
    """A header's first comment, without its own name: paragraphs, and code that is indented."""
    lines = [re.sub(r"^ ?\*? ?", "", line) for line in comment[2:-2].split("\n")]
    text = "\n".join(lines).strip()
    text = text.partition(": ")[2]
    paragraphs = re.split(r"\n\s*\n", text[0].upper() + text[1:])
    return "\n\n".join(one if one.startswith("    ") else prose(" ".join(one.split())) for one in paragraphs)


def members_of(symbol, out):
    heads = {"value": ("value", "meaning"), "field": ("field", "meaning"), "slot": ("slot or field", "meaning")}
    kind = "slot" if any(one.kind == "slot" for one in symbol.members) else symbol.members[0].kind
    begun, seen = False, set()
    for one in symbol.members:
        if one.heading:
            out.append(f"\n*{one.heading}*")
            begun = False
        if not begun:
            out.append("\n| {} | {} |\n|---|---|".format(*heads[kind]))
            begun = True
        if one.declaration not in seen:  # `min, max` stand in one line
            out.append(f"| {code(one.declaration)} | {cell(one.comment)} |")
        seen.add(one.declaration)


def sdk_page():
    out = ["# The SDK's headers\n\nGenerated from sdk/include/accord/ by sdk/abi/reference.py; do not edit. How it all hangs together "
           "is in\n[PLUGIN-GUIDE.md](../PLUGIN-GUIDE.md); since when each name is there, in [abi.md](abi.md)."]
    for path in HEADERS:
        about, symbols = parse(path)
        out.append(f"\n## accord/{path.name}\n\n{about}")
        for symbol in symbols:
            title = {"macro": symbol.name, "typedef": symbol.name, "opaque": f"struct {symbol.name}"}.get(
                symbol.kind, symbol.declaration)
            out.append(f"\n### {title}")
            if symbol.comment:
                out.append(f"\n{prose(symbol.comment)}")
            if symbol.kind in ("macro", "typedef"):
                out.append(f"\n`{symbol.declaration}`")
            if symbol.members:
                members_of(symbol, out)
    return "\n".join(out) + "\n"


def abi_page():
    out = ["# Since when\n\nGenerated from sdk/abi/symbols by sdk/abi/reference.py; do not edit. Which minor of the plugin ABI brought "
           "what; within a major\nnothing goes or changes its meaning. [CHANGES.md](../../CHANGES.md) says why.\n\n"
           f"This release has {minor()}.\n\n| symbol | since |\n|---|---|"]
    known, now = table(), minor()
    for one in everything():
        out.append(f"| `{one.name}` | {known.get(one.name, (now,))[0]} |")
    return "\n".join(out) + "\n"


def main():
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    TABLE.write_text(table_text())
    (PAGES / "sdk.md").write_text(sdk_page())
    (PAGES / "abi.md").write_text(abi_page())


if __name__ == "__main__":
    main()
