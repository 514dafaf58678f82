"""Runs ctest and pytest over a build, and sums up: what failed, what was not run and why, and the last line.

A test that cannot run here says so: a ctest program ends with 77, a cmocka case calls skip(), a pytest case
skips. A line "not run: NAME: WHY" in a program's output, or a pytest property "not-run", adds a part of a test
that could not run, such as one probe of a battery. Each must be on tests/expected-not-run.txt.
"""
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGS = ROOT / "build/logs"
EXPECTED = ROOT / "tests/expected-not-run.txt"
CTEST_LIMIT, PYTEST_LIMIT = 420, 720  # seconds: the whole check stays under 15 minutes


class Results:
    def __init__(self):
        self.passed = 0
        self.failed = []   # names
        self.not_run = {}  # name -> why
        self.said = []     # what failed programs said: (name, lines)

    def counts(self):
        return self.passed, len(self.failed), len(self.not_run)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.not_run.update(other.not_run)


def say(name, text):
    print(f"{name:<10} {text}", flush=True)


def show_tail(log, lines):
    text = log.read_text(errors="replace").splitlines()
    for line in text[-lines:]:
        print(f"    {line}")
    say("", f"all of it: {log.relative_to(ROOT)}")


def parts_not_run(text):
    return dict(re.findall(r"^not run: ([^:\n]+): (.*)$", text, re.MULTILINE))


def words_of_case(output, case):
    """What a program printed while this cmocka case ran, the last of it."""
    began = output.rfind(f"] {case}", 0, output.find(f"[  FAILED  ] {case}"))
    return output[began + 1:output.find(f"[  FAILED  ] {case}")].splitlines()[1:][-20:]


def read_suite(name, output, results):
    """A program that speaks TAP: a contract suite, or the plugins that are wrong on purpose."""
    for failed, case, skipped in re.findall(r"^(not )?ok (?:\d+ )?- (.*?)( # SKIP.*)?$", output, re.MULTILINE):
        if failed:
            results.failed.append(f"{name}::{case}")
        elif not skipped:
            results.passed += 1


def read_program(case, results):
    """One ctest program. Its cmocka cases are counted one by one."""
    name, output = case.get("name"), case.findtext("system-out") or ""
    if re.search(r"^(not )?ok (\d+ )?- ", output, re.MULTILINE):
        before = len(results.failed)
        read_suite(name, output, results)
        if case.get("status") != "run" and len(results.failed) == before:
            results.failed.append(name)
        if len(results.failed) > before:
            results.said.append((name, [line for line in output.splitlines() if not line.startswith("ok")][-30:]))
        return
    ran = re.findall(r"\[ +(OK|FAILED|SKIPPED) +\] (\w+)$", output, re.MULTILINE)
    by_state = {state: [case for found, case in ran if found == state] for state in ("OK", "FAILED", "SKIPPED")}
    reasons = dict(re.findall(r"^not run: ([^\n]*)\n\[ +SKIPPED +\] (\w+)$", output, re.MULTILINE))
    reasons = {case: why for why, case in reasons.items()}
    if case.get("status") == "run":
        results.passed += len(by_state["OK"]) if ran else 1
    elif case.find("skipped") is not None:
        last = [line for line in output.splitlines() if line.strip()]
        results.not_run[name] = last[-1].removeprefix("not run: ") if last else "no reason given"
        return
    else:
        # Each failed case is printed twice, the second time in cmocka's own summary.
        failures = list(dict.fromkeys(by_state["FAILED"]))
        results.passed += len(by_state["OK"])
        results.failed += [f"{name}::{case}" for case in failures] or [name]
        results.said += [(f"{name}::{case}", words_of_case(output, case)) for case in failures] or \
            [(name, output.splitlines()[-30:])]
    for case_name in dict.fromkeys(by_state["SKIPPED"]):
        results.not_run[f"{name}::{case_name}"] = reasons.get(case_name, "no reason given")
    results.not_run.update(parts_not_run(output))


def read_ctest(junit):
    results = Results()
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        read_program(case, results)
    return results


def read_pytest(junit):
    results = Results()
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        name = f"{case.get('file', '')}::{case.get('name')}"
        name = name.removesuffix(f"@{pathlib.PurePath(case.get('file', '')).stem}")  # of tests that stay together
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            results.failed.append(name)
        elif skipped is not None:
            results.not_run[name] = skipped.get("message", "no reason given")
        else:
            results.passed += 1
        for entry in case.iter("property"):
            if entry.get("name") == "not-run":
                part, _, why = entry.get("value").partition(": ")
                results.not_run[part] = why
    return results


def run(name, what, command, junit, reader, limit, environment):
    log = LOGS / f"{name}.log"
    junit.unlink(missing_ok=True)
    began = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment,
                                   start_new_session=True)
        try:
            code = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            code = f"not finished after {limit} s"
    took = f"{time.monotonic() - began:.0f} s"
    if not junit.exists():
        results = Results()
        results.failed.append(f"{name} did not come to its end ({code})")
    else:
        results = reader(junit)
        if code not in (0, 5) and not results.failed:  # 5: pytest found no tests
            results.failed.append(f"{name} ended with {code}")
    passed, failed, not_run = results.counts()
    say(name, f"{what}: {passed} passed, {failed} failed, {not_run} not run ({took})")
    for case, lines in results.said:
        say("", f"{case} said:")
        print("\n".join(f"    {line}" for line in lines))
    if failed and not results.said:
        show_tail(log, 60)
    elif failed:
        say("", f"all of it: {log.relative_to(ROOT)}")
    return results


def read_expected():
    """Lines `WHEN PATTERN  # why that is acceptable`, WHEN being root, user or any."""
    who = "root" if os.getuid() == 0 else "user"
    patterns = []
    for line in EXPECTED.read_text().splitlines():
        words = line.split("#")[0].split()
        if words and words[0] in (who, "any"):
            patterns.append(words[1])
    return patterns


def main(build):
    LOGS.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, ACCORD_SOURCE=str(ROOT), ACCORD_BUILD=str(ROOT / build),
                       PYTHONDONTWRITEBYTECODE="1")
    results = Results()
    # Three for each processor: the longest of them wait for servers and clocks.
    ctest = ["ctest", "--test-dir", build, "-j", str(3 * (os.cpu_count() or 1)), "--output-on-failure",
             "--test-output-size-passed", "4000000", "--test-output-size-failed", "4000000",
             "--output-junit", str(LOGS / "ctest.xml")]
    results.add(run("unit", "unit tests and fuzz corpora", ctest, LOGS / "ctest.xml", read_ctest, CTEST_LIMIT,
                    environment))
    # They wait more than they work; conftest.py says which of them stay together.
    many = ["-m", "not alone", "-n", str(3 * (os.cpu_count() or 1)), "--dist", "loadgroup"]
    for name, what, tests in (("structure", "the tree's own rules", ["tests/structure"]),
                              ("system", "whole agents against real peers", ["tests/system", *many]),
                              ("alone", "what is measured, one after the other", ["tests/system", "-m", "alone"])):
        junit = LOGS / f"{name}.xml"
        command = ["/usr/bin/python3", "-W", "ignore", "-m", "pytest", "-c", "tests/pytest.ini", "--rootdir", ".",
                   f"--junitxml={junit}", *tests]
        results.add(run(name, what, command, junit, read_pytest, PYTEST_LIMIT, environment))
    return sum_up(results)


def sum_up(results):
    expected = read_expected()
    unexpected = [name for name in results.not_run if not any(fnmatch.fnmatch(name, e) for e in expected)]
    if results.not_run:
        print("\nNot run:")
        for name, why in sorted(results.not_run.items()):
            mark = "  NOT EXPECTED" if name in unexpected else ""
            print(f"  {name}{mark}\n      {why}")
    if results.failed:
        print("\nFailed:")
        for name in results.failed:
            print(f"  {name}")
    if unexpected:
        print(f"\n{len(unexpected)} not run and not listed in {EXPECTED.relative_to(ROOT)}: that fails the check.")
    print(f"\n{results.passed} passed, {len(results.failed)} failed")
    return 1 if results.failed or unexpected or not results.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
