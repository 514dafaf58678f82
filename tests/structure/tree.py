"""The project's files, for the tests of its structure."""
import functools
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


@functools.cache
def tracked():
    """Files under version control and new ones that are not ignored."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True,
                            text=True, check=False)
    assert listed.returncode == 0, f"git cannot list the files: {listed.stderr}"
    return sorted(pathlib.Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def sources(*below, endings=(".c", ".h")):
    """Source files below these folders."""
    return [path for path in tracked() if path.suffix in endings
            and any(path.is_relative_to(folder) for folder in below)]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def includes(path):
    """(line number, the name as written, whether it stands in quotes) of every #include."""
    found = []
    for number, line in enumerate(read(path).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if match:
            found.append((number, match[2], match[1] == '"'))
    return found
