"""The plugin ABI is frozen: whatever a plugin was built with stays where it was and what it was."""
import pathlib
import re
import subprocess

import pytest
from layout import ROOT, current, layout

LISTS = ROOT / "tests/abi"
ADVICE = """
A plugin that was built with the headers as they were would now read or call something else. If this is a new minor with
something more at an end, raise ACCORD_ABI_MINOR and commit `python3 tests/structure/layout.py` as tests/abi/abi-{}.txt;
otherwise take the change back (sdk/include/accord/base.h says how the ABI grows)."""


@pytest.fixture(name="now", scope="module")
def fixture_now():
    return layout()


def read(path):
    return path.read_text().splitlines()


def test_the_headers_are_what_the_list_of_their_version_says(now):
    path = LISTS / f"abi-{current()}.txt"
    assert path.exists(), f"there is no {path.relative_to(ROOT)}" + ADVICE.format(current())
    listed = read(path)
    gone = [line for line in listed if line not in now]
    new = [line for line in now if line not in listed]
    assert not gone and not new, f"gone: {gone}\nnew: {new}" + ADVICE.format("1.N")


def may_grow(line):
    """The size of a struct, and the number of the ABI."""
    return line.startswith("struct ") or "ACCORD_ABI_MINOR" in line


def test_nothing_that_an_older_minor_had_has_changed(now):
    major = current().split(".")[0]
    older = [path for path in LISTS.glob(f"abi-{major}.*.txt")]
    assert older
    for path in older:
        gone = [line for line in read(path) if line not in now and not may_grow(line)]
        assert not gone, f"{path.name}: {gone}" + ADVICE.format("1.N")


def test_a_struct_that_stands_inside_another_never_grows(now):
    embedded = {"accord_pair", "accord_option", "accord_options"}
    for path in LISTS.glob("abi-*.txt"):
        sizes = {line for line in read(path) if line.startswith("struct ") and line.split()[1] in embedded}
        assert len(sizes) == len(embedded) and sizes <= set(now)


def test_the_list_sees_a_field_that_moved():
    """The list can fail: a field put before another is another ABI."""
    from layout import structs  # noqa: PLC0415
    fields = dict(structs("struct accord_x {\n    int a, b;\n    void (*c)(void *d, int e);\n    const char *const *f;\n};"))
    assert fields == {"accord_x": ["a", "b", "c", "f"]}


# ---- what binaries export ----

BUILDS = [ROOT / "build" / name for name in ("release", "dev", "asan")]
ALLOWED = {"accord_plugin"}
# Of the sanitizers' own run-time library, and copies of libc's variables.
SANITIZER = re.compile(r"^(__|_ZT|.*(asan|lsan|ubsan|sanitizer|interceptor))|@")


def exported(path):
    done = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", path], capture_output=True, text=True,
                          check=True)
    return {line.split()[0] for line in done.stdout.splitlines()}


def plugins():
    return [path for build in BUILDS for folder in ("plugins", "testkit")
            for path in sorted((build / "lib/accord" / folder).glob("*.so"))]


def test_a_plugin_exports_one_symbol():
    if not plugins():
        pytest.skip("nothing is built")
    wrong = {f"{path.relative_to(ROOT)}: {name}" for path in plugins() for name in exported(path)
             if name not in ALLOWED and not SANITIZER.search(name)}
    assert not wrong
    assert all("accord_plugin" in exported(path) for path in plugins())


# For libcurl, see core/connect.c.
OF_THE_EXECUTABLE = {"connect"}


def test_the_executables_export_nothing():
    built = [build / "bin" / name for build in BUILDS if build.name != "asan" for name in ("accordd", "accord")]
    built = [path for path in built if path.exists()]
    if not built:
        pytest.skip("no build without sanitizers, which export their own")
    wrong = {f"{path.relative_to(ROOT)}: {name}" for path in built for name in exported(path)
             if not SANITIZER.search(name) and not (path.name == "accordd" and name in OF_THE_EXECUTABLE)}
    assert not wrong, "a plugin could come to depend on these"


def test_libraries_find_connect_in_the_agent():
    built = [build / "bin/accordd" for build in BUILDS if (build / "bin/accordd").exists()]
    if not built:
        pytest.skip("nothing is built")
    assert all("connect" in exported(path) for path in built)


def test_a_plugin_needs_nothing_of_accord():
    if not plugins():
        pytest.skip("nothing is built")
    wrong = set()
    for path in plugins():
        done = subprocess.run(["nm", "-D", "--undefined-only", "--format=posix", path], capture_output=True, text=True,
                              check=True)
        wrong |= {f"{path.name}: {line.split()[0]}" for line in done.stdout.splitlines()
                  if line.startswith("accord_")}
    assert not wrong


def test_the_lists_are_where_the_test_looks():
    assert pathlib.Path(LISTS).is_dir()
