#!/usr/bin/python3
"""Makes a vessel stow plan (EDIFACT BAPLIE, SMDG 1.5 or 2.0) to rehearse with: invented ship, invented boxes with
proper check digits. The same arguments give the same file. --break RULE breaks it in the way that the content
policy refuses with the rule stow-plan.RULE; --list-breaks names them all.

    make_stow_plan.py --containers 800 --output plan.edi
    make_stow_plan.py --break unt-count > broken.edi
"""
import argparse
import random
import sys

OWNERS = ["XARU", "XBTU", "XCNU", "XDTU", "XENU"]  # owner and category, invented
PORTS = ["NLRTM", "DEHAM", "GBFXT", "BEANR", "ESALG"]
DISCHARGE = ["USNYC", "USBAL", "USORF", "USSAV"]
TYPES = ["22G1", "42G1", "45G1", "45R1", "22T6"]
OPERATORS = ["XAR", "XBT", "XCN"]


def check_digit(prefix, digits):
    """ISO 6346: letters count 10 to 38 without the multiples of 11, position n weighs 2**n."""
    values, value = {}, 10
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        value += value % 11 == 0
        values[letter] = value
        value += 1
    text = prefix + digits
    total = sum((values[c] if c.isalpha() else int(c)) << i for i, c in enumerate(text))
    return str(total % 11 % 10)


def container_number(rng, used):
    while True:
        prefix, digits = rng.choice(OWNERS), f"{rng.randrange(1000000):06d}"
        number = prefix + digits + check_digit(prefix, digits)
        if number not in used:
            used.add(number)
            return number


def positions():
    """Stow positions without end: bay, row and tier, as ISO 9711 counts them."""
    bay = 0
    while True:
        bay += 1
        for row in range(1, 17):
            for tier in (2, 4, 6, 8, 10, 82, 84, 86):
                yield f"{bay:03d}{row:02d}{tier:02d}"


def box(rng, position, used, old):
    lading, discharge = ("6", "12") if old else ("9", "11")
    full = rng.random() < 0.8
    weight = rng.randrange(8000, 30000) if full else rng.randrange(2200, 4000)
    return [
        f"LOC+147+{position}::5",
        f"MEA+WT++KGM:{weight}",
        f"LOC+{lading}+{rng.choice(PORTS)}:139:6",
        f"LOC+{discharge}+{rng.choice(DISCHARGE)}:139:6",
        "RFF+BM:1",
        f"EQD+CN+{container_number(rng, used)}+{rng.choice(TYPES)}+++{5 if full else 4}",
        f"NAD+CA+{rng.choice(OPERATORS)}:172:20",
    ]


def message(args, rng):
    old = args.smdg == "1.5"
    version = "1:911:UN:SMDG15" if old else "D:95B:UN:SMDG20"
    body = [
        f"UNH+1+BAPLIE:{version}",
        f"BGM++{args.reference}+9",
        "DTM+137:2601151200:201",
        f"TDT+20+{args.voyage}+++XAR:172:20+++{args.vessel_id}:{'103' if old else '146'}::{args.vessel}",
        "LOC+5+NLRTM:139:6",
        "LOC+61+USNYC:139:6",
        "DTM+133:2601151800:201",
        "DTM+132:2601240600:201",
        f"RFF+VON:{args.voyage}",
    ]
    used, where = set(), positions()
    for _ in range(args.containers):
        body += box(rng, next(where), used, old)
    body.append(f"LOC+147+{next(where)}::5")  # an empty slot
    return body


def first(segments, start):
    for i, segment in enumerate(segments):
        if segment.startswith(start):
            return i
    sys.exit(f"make_stow_plan: nothing to break: the plan has no {start}; give it --containers 1 or more")


def swap(start, change):
    """A break that changes the first segment that begins with `start`."""

    def apply(segments):
        i = first(segments, start)
        segments[i] = change(segments[i])

    return apply


def drop(start):
    def apply(segments):
        del segments[first(segments, start)]

    return apply


def element(index, value):
    def change(segment):
        parts = segment.split("+")
        parts += [""] * (index + 1 - len(parts))
        parts[index] = value
        return "+".join(parts)

    return change


def nested_unh(segments):
    segments.insert(first(segments, "LOC+147"), "UNH+2+BAPLIE:D:95B:UN:SMDG20")


# Before the counts in UNT and UNZ are made: the file is well counted and wrong in one other way.
CONTENT = {
    "container-number": swap("EQD", element(2, "NOT A BOX")),
    "container-type": swap("EQD", element(3, "")),
    "equipment": drop("EQD"),
    "nested-unh": nested_unh,
    "operator": drop("NAD+CA"),
    "port-of-discharge": drop(("LOC+11+", "LOC+12+")),
    "port-of-lading": swap(("LOC+9+", "LOC+6+"), lambda s: element(1, "6" if s[4] == "9" else "9")(s)),
    "segment-length": swap("BGM", element(2, "X" * 5000)),
    "service-segment": swap("BGM", lambda s: "UNO+1"),
    "stow-position": swap("LOC+147", element(2, "BAY12::5")),
    "tag": swap("BGM", lambda s: "bgm" + s[3:]),
    "type": swap("UNH", element(2, "IFTSTA:D:95B:UN")),
    "version": swap("UNH", element(2, "BAPLIE:D:13B:UN:SMDG31")),
    "vessel": swap("TDT", element(8, "")),
    "voyage": swap("TDT", element(2, "")),
    "control-character": swap("RFF", lambda s: s[:5] + "\n" + s[5:]),
    "character-set": swap("TDT", lambda s: s + "\u00c9"),
}
# After: the envelope itself is wrong.
ENVELOPE = {
    "no-unz": drop("UNZ"),
    "recipient": swap("UNB", element(3, "")),
    "sender": swap("UNB", element(2, "")),
    "test-indicator": swap("UNB", element(11, "1")),
    "unb-syntax": swap("UNB", element(1, "UNOX:3")),
    "unb-time": swap("UNB", element(4, "261315:1200")),
    "unb-reference": swap("UNB", element(5, "")),
    "unt": drop("UNT"),
    "unt-count": swap("UNT", lambda s: element(1, str(int(s.split("+")[1]) + 1))(s)),
    "unt-reference": swap("UNT", element(2, "2")),
    "unz-count": swap("UNZ", element(1, "2")),
    "unz-reference": swap("UNZ", element(2, "OTHER")),
}
# In the file's text.
TEXT = {
    "bom": lambda text: "\ufeff" + text,
    "start": lambda text: "PK\x03\x04" + text,
    "segment-end": lambda text: text[: len(text) // 2],
    "trailing": lambda text: text + "and more\n",
    "una": lambda text: "UNA++.? '\n" + text,
}
BREAKS = sorted([*CONTENT, *ENVELOPE, *TEXT])


def interchange(args):
    body = message(args, random.Random(args.seed))
    if args.break_ in CONTENT:
        CONTENT[args.break_](body)
    segments = [
        f"UNB+UNOA:2+{args.sender}+{args.recipient}+260115:1200+{args.reference}",
        *body,
        f"UNT+{len(body) + 1}+1",
        f"UNZ+1+{args.reference}",
    ]
    if args.break_ in ENVELOPE:
        ENVELOPE[args.break_](segments)
    text = "".join(s + "'\n" for s in segments)
    if args.break_ in TEXT:
        text = TEXT[args.break_](text)
    return text.encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--containers", type=int, default=20, metavar="N", help="boxes on board (20)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other boxes (1)")
    parser.add_argument("--smdg", choices=["1.5", "2.0"], default="2.0", help="edition of the SMDG manual (2.0)")
    parser.add_argument("--sender", default="ACME", help="interchange sender (ACME)")
    parser.add_argument("--recipient", default="USCBP", help="interchange recipient (USCBP)")
    parser.add_argument("--reference", default="REH0001", help="control reference, at most 14 characters (REH0001)")
    parser.add_argument("--voyage", default="601W", help="voyage number (601W)")
    parser.add_argument("--vessel", default="MV REHEARSAL", help="vessel's name (MV REHEARSAL)")
    parser.add_argument("--vessel-id", default="9999993", help="vessel's IMO number or call sign (9999993)")
    parser.add_argument("--break", dest="break_", choices=BREAKS, metavar="RULE", help="break it this way")
    parser.add_argument("--list-breaks", action="store_true", help="name the ways and end")
    parser.add_argument("--output", metavar="FILE", help="instead of standard output")
    args = parser.parse_args()
    if args.list_breaks:
        print("\n".join(BREAKS))
        return
    data = interchange(args)
    if args.output:
        with open(args.output, "wb") as file:
            file.write(data)
    else:
        sys.stdout.buffer.write(data)


if __name__ == "__main__":
    main()
