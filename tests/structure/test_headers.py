"""Each public header compiles alone, in C and in C++, with warnings as errors."""
import subprocess

import pytest
from tree import ROOT, sources

HEADERS = sources("sdk/include", "sdk/testkit/include", endings=(".h",))
LANGUAGES = {"c11": ["gcc", "-std=c11", "-x", "c"], "c17": ["gcc", "-std=c17", "-x", "c"],
             "c++17": ["g++", "-std=c++17", "-x", "c++"]}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
def test_public_header_compiles_alone(header, language):
    name = header.relative_to("sdk/testkit/include" if "testkit" in header.parts else "sdk/include")
    done = subprocess.run([*LANGUAGES[language], "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                           "-I", str(ROOT / "sdk/include"), "-I", str(ROOT / "sdk/testkit/include"), "-"],
                          input=f"#include <{name}>\n", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_there_are_public_headers():
    assert HEADERS
