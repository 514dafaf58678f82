"""Files of one subject and functions that fit the eye."""
import shutil
import subprocess

import pytest
from tree import ROOT, read, sources

FILE_MAX, FUNCTION_MAX = 600, 100
TABLES = {"core/wire/messages.h", "core/audit/record.h"}  # one table each


def test_no_file_is_longer_than_600_lines():
    paths = sources("core", "plugins", "sdk", "tests", endings=(".c", ".h", ".py", ".sh"))
    lengths = {str(path): read(path).count("\n") for path in paths if str(path) not in TABLES}
    assert lengths
    assert not {path: length for path, length in lengths.items() if length > FILE_MAX}


def functions(paths):
    listed = subprocess.run(["ctags", "-L", "-", "--languages=C", "--kinds-C=f", "--fields=+ne", "-o", "-"],
                            cwd=ROOT, input="\n".join(map(str, paths)), capture_output=True, text=True, check=True)
    for entry in listed.stdout.splitlines():
        fields = entry.split("\t")
        at = dict(field.split(":", 1) for field in fields[3:] if ":" in field)
        if not entry.startswith("!") and "end" in at:
            yield f"{fields[1]}:{at['line']}: {fields[0]}", int(at["end"]) - int(at["line"]) + 1


def test_no_function_is_longer_than_100_lines():
    if not shutil.which("ctags"):
        pytest.skip("universal-ctags is not installed")
    lengths = dict(functions(sources("core", "plugins", "sdk", "tests", endings=(".c",))))
    assert len(lengths) > 100, "ctags found next to nothing"
    assert not {name: length for name, length in lengths.items() if length > FUNCTION_MAX}
