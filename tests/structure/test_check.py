"""The check itself: it counts what ran, and nothing that did not run passes unseen."""
import sys

import pytest
from tree import ROOT

sys.path.insert(0, str(ROOT / "tests/tools"))
import run_tests  # noqa: E402

CTEST = """<testsuite>
<testcase name="test_good" status="run"><system-out>[ RUN      ] one
[       OK ] one
[ RUN      ] two
[       OK ] two
[  PASSED  ] 2 test(s).</system-out></testcase>
<testcase name="test_bad" status="fail"><failure message="Failed"/><system-out>[ RUN      ] one
[       OK ] one
[ RUN      ] two
left != right
[  FAILED  ] two
[  FAILED  ] tests: 1 test(s), listed below:
[  FAILED  ] two</system-out></testcase>
<testcase name="test_crash" status="fail"><failure message="SEGFAULT"/><system-out>[ RUN      ] one</system-out></testcase>
<testcase name="test_absent" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/><system-out>hello
not run: no samples here
</system-out></testcase>
<testcase name="test_partly" status="run"><system-out>[ RUN      ] one
[       OK ] one
[ RUN      ] two
not run: only as root
[  SKIPPED ] two
not run: probe-x: this kernel has none
</system-out></testcase>
<testcase name="fuzz_wire" status="run"><system-out>12 inputs replayed</system-out></testcase>
</testsuite>"""

PYTEST = """<testsuites><testsuite>
<testcase file="tests/system/test_a.py" name="test_ok"/>
<testcase file="tests/system/test_a.py" name="test_bad[1]"><failure message="no"/></testcase>
<testcase file="tests/system/test_a.py" name="test_broken"><error message="fixture"/></testcase>
<testcase file="tests/system/test_a.py" name="test_absent"><skipped message="no sshd"/></testcase>
<testcase file="tests/system/test_a.py" name="test_part"><properties>
<property name="not-run" value="probe-y: forbidden: here"/></properties></testcase>
</testsuite></testsuites>"""


def read(tmp_path, reader, text):
    path = tmp_path / "junit.xml"
    path.write_text(text)
    return reader(path)


def test_cases_of_programs_are_counted_one_by_one(tmp_path):
    results = read(tmp_path, run_tests.read_ctest, CTEST)
    assert results.passed == 2 + 1 + 1 + 1
    assert results.failed == ["test_bad::two", "test_crash"]
    assert results.not_run == {"test_absent": "no samples here", "test_partly::two": "only as root",
                               "probe-x": "this kernel has none"}
    assert dict(results.said)["test_bad::two"] == ["left != right"]


def test_pytest_cases_are_counted(tmp_path):
    results = read(tmp_path, run_tests.read_pytest, PYTEST)
    assert results.passed == 2
    assert results.failed == ["tests/system/test_a.py::test_bad[1]", "tests/system/test_a.py::test_broken"]
    assert results.not_run == {"tests/system/test_a.py::test_absent": "no sshd", "probe-y": "forbidden: here"}


@pytest.mark.parametrize("passed, failed, not_run, code", [
    (3, [], {}, 0), (3, ["x"], {}, 1), (0, [], {}, 1), (3, [], {"listed-one": "why"}, 0), (3, [], {"other": "why"}, 1)])
def test_the_check_fails_when_it_should(tmp_path, monkeypatch, capsys, passed, failed, not_run, code):
    expected = tmp_path / "expected.txt"
    expected.write_text("# comment\nany listed-*  # why\n")
    monkeypatch.setattr(run_tests, "EXPECTED", expected)
    monkeypatch.setattr(run_tests, "ROOT", tmp_path)
    results = run_tests.Results()
    results.passed, results.failed, results.not_run = passed, failed, not_run
    assert run_tests.sum_up(results) == code
    assert capsys.readouterr().out.splitlines()[-1] == f"{passed} passed, {len(failed)} failed"


def test_a_run_that_does_not_come_to_its_end_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(run_tests, "ROOT", tmp_path)
    monkeypatch.setattr(run_tests, "LOGS", tmp_path)
    crashed = run_tests.run("x", "what", ["false"], tmp_path / "none.xml", run_tests.read_pytest, 10, None)
    assert crashed.failed
    hung = run_tests.run("x", "what", ["sleep", "60"], tmp_path / "none.xml", run_tests.read_pytest, 0.2, None)
    assert hung.failed
