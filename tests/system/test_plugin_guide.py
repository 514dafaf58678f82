"""docs/PLUGIN-GUIDE.md does what it says: its commands are run in one shell, in order, with nothing but the installed package;
its C is compiled, as one plugin and one test program, and that plugin is described by the agent.

A block's first line says what it is: `sh` is run, `c` belongs to the plugin, `c test` and `c contract` to test programs. Any other block of
code is a mistake, so that nothing stands there untried."""
import re
import subprocess

import pytest
from harness import BUILD, ROOT, SANITIZERS, Installation, Port, account_of_child, give

GUIDE = (ROOT / "docs/PLUGIN-GUIDE.md").read_text()
BLOCKS = re.findall(r"^```([^\n]*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
HEADERS = ["accord/plugin.h", "fcntl.h", "inttypes.h", "stdio.h", "stdlib.h", "string.h", "unistd.h"]
TEST_HEADERS = ["setjmp.h", "stdarg.h", "stddef.h", "stdint.h", "cmocka.h", "accord/testkit/host.h"]
SUITE_HEADERS = ["accord/plugin.h", "accord/testkit/suite.h"]


def blocks(kind):
    return [text for name, text in BLOCKS if name == kind]


@pytest.fixture(scope="module")
def stranger():
    one = Installation(BUILD, SANITIZERS)
    yield one
    one.remove()


def test_every_block_is_of_a_kind_that_is_tried():
    assert {name for name, _ in BLOCKS} == {"sh", "c", "c test", "c contract"}
    assert len(blocks("sh")) >= 4 and len(blocks("c")) >= 8


def compiled(tmp_path, stranger, kind, headers, *flags, before=""):
    source = tmp_path / f"guide-{kind.replace(' ', '-')}.c"
    text = "".join(f"#include <{name}>\n" for name in headers) + before + "\n".join(blocks(kind))
    source.write_text(text)
    include = stranger.prefix / "usr/include"
    done = subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Wno-unused-function",
                           "-fPIC", "-fvisibility=hidden", "-I", include, source, *flags],
                          capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_its_c_is_a_plugin_that_the_agent_describes(stranger, tmp_path):
    built = stranger.plugins / "connector-gateway.so"
    compiled(tmp_path, stranger, "c", HEADERS, "-shared", "-Wl,-z,now,-z,defs", "-o", built)
    conf = tmp_path / "conf.d"
    conf.mkdir()
    (conf / "agent.conf").write_text(f"[agent]\nstate = {tmp_path}\n")
    (conf / "site.conf").write_text("[site]\nname = Acme\n[link gate]\nconnector = gateway\nfolder = /\n"
                                    "[service records]\ntype = opaque\ndirection = receive\nlink = gate\n")
    done = subprocess.run([stranger.command, "--conf", conf, "check"], capture_output=True, text=True, check=False,
                          env=stranger.environment)
    built.unlink()
    assert "site.conf:5: [link gate]: folder = / would open the whole machine" in done.stdout, done.stdout


def test_its_test_case_compiles(stranger, tmp_path):
    compiled(tmp_path, stranger, "c test", TEST_HEADERS, "-c")
    compiled(tmp_path, stranger, "c contract", SUITE_HEADERS, "-c",
             before="bool partner_has(void *, const void *bytes, size_t size);\n")


@pytest.mark.long
def test_its_commands_lead_to_a_delivered_message(stranger):
    """Run as an ordinary user, as it says; the port and the prefix are this test's."""
    home = stranger.folder()
    give(home)
    reserved = Port()
    port = reserved.number
    changes = f"s/^valid-for.*/valid-for = 30 years/; s/^port .*/port = {port}/"
    script = "\n".join(blocks("sh")).replace("/usr/local", str(stranger.prefix / "usr")).replace("7000", str(port))
    script = script.replace("partner.conf >", f"partner.conf | sed '{changes}' >")
    environment = {**stranger.environment, "HOME": str(home),
                   "PATH": f"{stranger.prefix / 'usr/bin'}:{stranger.environment['PATH']}"}
    done = subprocess.run(["bash", "-e", "-c", "trap 'kill $(jobs -p); wait' EXIT\n" + script], cwd=home, env=environment,
                          capture_output=True, text=True, timeout=120, check=False, **account_of_child("nobody"))
    log = home / "log"
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{log.read_text()[-3000:] if log.exists() else ''}"
    assert (home / "in-tray/order.txt").read_text() == "twelve boxes\n"
