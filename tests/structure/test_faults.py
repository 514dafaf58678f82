"""The list of faults is whole: tests/faults/run names each test of them with its promise, and each named point at which
a test build can kill itself is one that they use."""
import ast
import re
import runpy
import subprocess

from tree import ROOT

FAULTS = runpy.run_path(str(ROOT / "tests/faults/run"))["faults"]()
# Points that no agent comes to by itself, and the program that kills a store there.
ELSEWHERE = {"compact": "test_store_retention", "rekey": "test_store_keys"}


def test_every_fault_has_a_promise():
    assert len(FAULTS) > 30
    for fault in FAULTS.values():
        assert len(fault.promise) > 40, f"{fault.name} says nothing of what is promised"


def test_the_list_says_how_to_run_each_alone():
    listed = subprocess.run([ROOT / "tests/faults/run", "--list"], capture_output=True, text=True, check=True).stdout
    for name in FAULTS:
        assert f"run: tests/faults/run {name}\n" in listed


def points_in_the_code():
    found = set()
    for path in ROOT.glob("core/**/*.c"):
        found |= set(re.findall(r'\bfault(?:_point)?\((?:[^()"]*, )?"([a-z-]+)"\)', path.read_text()))
    return found


def points_of(path, name):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return set(ast.literal_eval(node.value))
    raise AssertionError(f"{path} has no {name}")


def test_every_named_point_is_used():
    code = points_in_the_code()
    assert {"admit", "seal", "commit", "committed", "dispatch", "settle", "index", "export"} <= code
    for file in ("test_faults_hub.py", "storm.py"):
        assert points_of(ROOT / "tests/system" / file, "POINTS") == code - set(ELSEWHERE), file
    for point, program in ELSEWHERE.items():
        assert program in FAULTS and f'"{point}"' in FAULTS[program].path.read_text()
