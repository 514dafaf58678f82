#!/usr/bin/python3
"""How fast the content policy judges, without a host: CPU of one core, one payload again and again, each by a validator of its own.

    tests/bench/content/run.py [--build build/release] [--seconds 1] [--repeat N] [--json FILE]

Payloads that are refused end it. `stix-other` is the package in which one name is not ASCII, so that libxml2 reads all of it but
its first tags: what a package costs that is not plain (plugins/common/xml/plain.h).
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
for folder in ("sdk/rehearsal", "tests/bench"):
    sys.path.insert(0, str(ROOT / folder))

import make_indicator  # noqa: E402
import make_records  # noqa: E402
import measure  # noqa: E402

FLOOR = 100  # MB a second
SETS = 400
RECORDS = 4000


def stow_plan():
    return subprocess.run([ROOT / "sdk/rehearsal/make_stow_plan.py", "--containers", "800"], capture_output=True,
                          check=True).stdout


def container_status():
    """One X12 interchange with many transaction sets."""
    lines = make_records.container_status().splitlines(keepends=True)
    begin, end = (next(i for i, line in enumerate(lines) if line.startswith(tag)) for tag in (b"ST*", b"SE*"))
    one = b"".join(lines[begin:end + 1])
    sets = [one.replace(b"*0001~", b"*%04d~" % number) for number in range(1, SETS + 1)]
    return b"".join([*lines[:begin], *sets, lines[end + 1].replace(b"GE*1*", b"GE*%d*" % SETS), *lines[end + 2:]])


def ace_transaction():
    return make_records.batch("FT", *(make_records.record((1, f"10A{number:07}")) for number in range(RECORDS)))


def payloads():
    small, large = make_indicator.package("bench", size=20 * 1024), make_indicator.package("bench", size=1 << 20)
    other = small.replace(b"xmlns:acme=", b'xmlns:\xc3\xa9="urn:example" xmlns:acme=', 1)
    return {"stix": ("stix-1", small), "stix-large": ("stix-1", large), "stix-other": ("stix-1", other),
            "edifact": ("stow-plan", stow_plan()), "x12": ("container-status", container_status()),
            "records80": ("ace-transaction", ace_transaction())}


def figures(options):
    made = {}
    with tempfile.TemporaryDirectory(dir=options.below) as folder:
        for name, (kind, content) in payloads().items():
            path = pathlib.Path(folder) / name
            path.write_bytes(content)
            rates = []
            for _ in range(options.repeat):
                done = subprocess.run([options.build / "tests/content-bench-judge", kind, path, str(options.seconds)],
                                      stdout=subprocess.PIPE, text=True, check=True)
                rates.append(float(done.stdout))
            rate = sorted(rates)[len(rates) // 2]
            made[name] = {"mb-a-second": rate, "bytes": len(content), "us": round(len(content) / rate, 1), "rates": rates}
        machine = measure.machine(folder)
    return {"machine": machine, "content": made}


def show(found):
    machine = found["machine"]
    print(f"{machine['processor']}, {machine['cores']} cores, load {machine['load-before']} before")
    for name, row in found["content"].items():
        print(f"{name:12} {row['bytes']:9} bytes {row['mb-a-second']:8.1f} MB/s {row['us']:9.1f} us  "
              f"{'floor met' if row['mb-a-second'] >= FLOOR else 'MISSED'}")


def main():
    parser = measure.parser(__doc__, "the payloads")
    parser.add_argument("--seconds", type=float, default=1, help="of CPU for each figure")
    parser.add_argument("--repeat", type=int, default=3, help="the figure in the middle counts")
    options = measure.parsed(parser)
    found = figures(options)
    show(found)
    measure.keep(found, options)


if __name__ == "__main__":
    main()
