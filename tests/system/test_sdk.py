"""What a stranger who writes a plugin gets: what is installed, and from `accord plugin new` to running under an agreement,
out of tree, with nothing but the installed package."""
import configparser
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess

import pytest
from harness import BUILD, ROOT, SANITIZERS, Agent, Installation, wait_for
from traffic import conf

# By its path: the rehearsal has a module of that name, too.
found = importlib.util.spec_from_file_location("line_partner", ROOT / "sdk/template/connector/partner.py")
line_partner = importlib.util.module_from_spec(found)
found.loader.exec_module(line_partner)
LinePartner = line_partner.LinePartner

# Below the prefix; {lib} is the library folder of this system.
INSTALLED = """
    bin/accord bin/accordd
    include/accord/base.h include/accord/connector.h include/accord/host.h include/accord/message.h
    include/accord/option.h include/accord/plugin.h include/accord/policy.h include/accord/testkit/host.h
    include/accord/testkit/policy.h include/accord/testkit/peer.h include/accord/testkit/suite.h
    lib/accord/plugins/connector-dir.so lib/accord/plugins/connector-maildir.so
    lib/accord/plugins/connector-sftp.so lib/accord/plugins/policy-content.so
    lib/accord/plugins/policy-encryption.so lib/accord/plugins/policy-logging.so lib/accord/plugins/policy-services.so
    {lib}/libaccord-testkit.a {lib}/pkgconfig/accord-sdk.pc
    {lib}/cmake/Accord/AccordConfig.cmake {lib}/cmake/Accord/AccordConfigVersion.cmake
    {lib}/cmake/Accord/AccordPlugin.cmake {lib}/cmake/Accord/AccordSdk.cmake {lib}/cmake/Accord/AccordTestkit.cmake
    lib/systemd/system/accordd.service lib/sysusers.d/accord.conf lib/tmpfiles.d/accord.conf
    share/man/man1/accord.1 share/man/man5/accord.conf.5 share/man/man8/accordd.8
    share/bash-completion/completions/accord
    share/doc/accord/CHANGES.md share/doc/accord/docs/PLUGIN-GUIDE.md
    share/doc/accord/docs/reference/options.md share/doc/accord/docs/reference/commands.md
    share/accord/template/connector/CMakeLists.txt share/accord/template/connector/sample.c
    share/accord/template/connector/tests/test_sample.c share/accord/template/connector/conf.d/partner.conf
    share/accord/template/policy/CMakeLists.txt share/accord/template/policy/sample.c""".split()


def run(*words, **how):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **how)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def test_everything_is_installed_below_a_staging_folder(tmp_path):
    """As a packager does it. Nothing of the build's own folders may be in what others read."""
    run("cmake", "--install", BUILD, env={**os.environ, "DESTDIR": str(tmp_path)})
    prefix = next(path for path in tmp_path.rglob("bin") if path.is_dir()).parent
    lib = next(prefix.rglob("libaccord-testkit.a")).parent.relative_to(prefix)
    missing = [name for name in INSTALLED if not (prefix / name.format(lib=lib)).is_file()]
    assert not missing
    assert not list(prefix.rglob("*_private.h")) and not list(prefix.rglob("connector-sample.so"))
    telling = [path for path in prefix.rglob("*") if path.suffix in (".cmake", ".pc", ".h", ".txt", ".md", ".c")
               and str(ROOT) in path.read_text()]
    assert not telling
    assert not [link for page in (prefix / "share/doc").rglob("*.md") for link in broken_links(page)]


def broken_links(page):
    """Files that a page names and that are not beside it."""
    for name in re.findall(r"\]\((?![a-z]+:|#)([^)#]+)", page.read_text()):
        if not (page.parent / name).exists():
            yield f"{page.name}: {name}"


@pytest.fixture(scope="module")
def stranger():
    """An installation of this module's own: plugins are put into it."""
    one = Installation(BUILD, SANITIZERS)
    yield one
    one.remove()


@pytest.fixture
def agent(stranger):
    one = Agent(stranger)
    yield one
    one.close()


def make_plugin(installation, name, kind):
    """What the README says; returns the built file. Made once."""
    home = installation.prefix / "home"
    home.mkdir(exist_ok=True)
    built = home / name / f"build/{kind}-{name}.so"
    if not built.exists():
        here = {"cwd": home, "env": installation.environment}
        run(installation.command, "plugin", "new", name, "--kind", kind, **here)
        run("cmake", "-S", name, "-B", f"{name}/build", f"-DCMAKE_PREFIX_PATH={installation.prefix / 'usr'}", **here)
        run("cmake", "--build", f"{name}/build", **here)
        run("ctest", "--test-dir", f"{name}/build", "--output-on-failure", **here)
        assert str(ROOT) not in (home / name / "build/CMakeCache.txt").read_text(), "it was built with the source tree"
    return built


def add_plugin(installation, built):
    """Puts it into the plugin folder; returns its SHA-256."""
    placed = installation.plugins / built.name
    shutil.copy(built, placed)
    placed.chmod(0o755)
    return hashlib.sha256(placed.read_bytes()).hexdigest()


@pytest.fixture
def partner():
    one = LinePartner()
    yield one
    one.stop()


def example(path, *changes):
    """A file of the template's conf.d as sections, with changes."""
    parser = configparser.ConfigParser(delimiters=("=",), inline_comment_prefixes=(";",), interpolation=None)
    parser.read(path)
    return conf({name: dict(parser[name]) for name in parser.sections()}, *changes)


SITE = {"site": {"name": "Acme"}, "link files": {"connector": "dir", "path": None},
        "service orders": {"type": "opaque", "direction": "receive", "link": "files", "folder": "orders",
                           "settle": "100 ms", "rescan": "500 ms"},
        "service answers": {"type": "opaque", "direction": "send", "link": "files", "folder": "answers",
                            "from": "partner/answers"}}


def set_up(agent, stranger, partner, *changes):
    """The template's agreement with this partner, under the plugin `hello`, whose file is pinned."""
    built = make_plugin(stranger, "hello", "connector")
    agent.settings["plugins"] = {built.name: add_plugin(stranger, built)}
    agent.write_agent_conf()
    for folder in ("orders", "answers"):
        agent.site_folder(folder)
    agent.write_conf("site.conf", conf(SITE, {"link files": {"path": agent.site}}))
    agent.write_conf("partner.conf", example(
        built.parent.parent / "conf.d/partner.conf",
        {"agreement": {"valid-for": "30 years"}, "endpoint line": {"host": "127.0.0.1", "port": partner.port},
         "link line": {"poll": "200 ms"}, "service orders": {"retry-first": "300 ms"}}, *changes))


@pytest.mark.long
def test_a_new_connector_carries_messages_under_an_agreement(agent, stranger, partner):
    set_up(agent, stranger, partner)
    partner.boxes["out-tray"] = [("m1", "first.txt", b"one"), ("m2", "second.txt", bytes(range(256)) * 2000)]
    agent.start()
    answers = agent.site / "answers"
    wait_for(lambda: (answers / "second.txt").exists(), lambda: f"the answers; the log ends:\n{agent.log_tail()}")
    assert (answers / "first.txt").read_bytes() == b"one"
    assert (answers / "second.txt").read_bytes() == bytes(range(256)) * 2000
    assert not partner.boxes["out-tray"] and not partner.rejected

    partner.refuse = "later the tray is full"
    agent.drop("orders", "order.txt", b"twelve boxes")
    waits = agent.wait_message(name="order.txt", state="waiting")
    wait_for(lambda: "the tray is full" in str(agent.ask("show", waits["id"]).tables), "the first attempt to fail")
    partner.refuse = None
    row = agent.wait_message(name="order.txt", state="delivered")
    assert partner.stored == [("in-tray", row["id"], "order.txt", b"twelve boxes")]
    assert agent.ask("show", row["id"])["deliveries"][0]["receipt"] == "kept as 1"
    assert agent.ask("audit", "verify").code == 0
    steps = agent.ask("probe", "partner")["steps"]
    assert "messages may flow" in str(steps), steps
    listed = {row["file"]: row for row in agent.ask("plugins")["plugins"]}
    assert listed["connector-hello.so"]["pinned"] == "yes" and "partner" in listed["connector-hello.so"]["used-by"]


def test_without_the_agreement_s_word_its_plain_session_is_refused(agent, stranger, partner):
    set_up(agent, stranger, partner, {"policy encryption": {"unencrypted": None}})
    agent.start()
    wait_for(lambda: any(row["link"] == "line" and row["state"] == "parked" for row in agent.ask("status")["links"]),
             lambda: f"the link to be parked: {agent.ask('status')}")
    agent.drop("orders", "order.txt", b"twelve boxes")
    agent.wait_message(name="order.txt")
    assert not partner.stored


def test_a_new_policy_denies_by_its_rule(agent, stranger, partner):
    built = make_plugin(stranger, "guardian", "policy")
    add_plugin(stranger, built)
    set_up(agent, stranger, partner, {"policy guardian": {"words": "SECRET, do not send"}})
    agent.start()
    agent.drop("orders", "order.txt", b"twelve boxes")
    agent.wait_message(name="order.txt", state="delivered")
    agent.drop("orders", "letter.txt", b"This is SECRET.")
    row = agent.wait_message(name="letter.txt", state="quarantined")
    explained = str(agent.ask("explain", row["id"])["explanation"])
    assert "guardian.word" in explained and 'the word "SECRET" stands at byte 8' in explained.replace('\\"', '"')
    assert [name for _, _, name, _ in partner.stored] == ["order.txt"]


def test_a_plugin_that_was_replaced_is_refused_by_its_pin(agent, stranger, partner):
    set_up(agent, stranger, partner)
    placed = stranger.plugins / "connector-hello.so"
    placed.write_bytes(placed.read_bytes() + b"\n")
    answer = agent.ask("check")
    assert answer.code == 4 and "connector-hello.so" in str(answer.tables) and "SHA-256" in str(answer.tables)


@pytest.mark.parametrize("words, code, part", [
    (["Hello"], 1, "cannot be a plugin's name"),
    (["../hello"], 1, "cannot be a plugin's name"),
    (["x" * 33], 1, "1 to 32"),
    (["hello", "--kind", "protocol"], 2, "connector or policy"),
    (["hello", "--to", "there"], 1, "exists already"),
    (["hello", "--to", "no/such/folder"], 1, "cannot make the folder"),
    ([], 2, "usage: accord plugin new"),
])
def test_plugin_new_says_what_is_wrong_and_writes_nothing(stranger, tmp_path, words, code, part):
    (tmp_path / "there").mkdir()
    done = subprocess.run([stranger.command, "plugin", "new", *words], capture_output=True, text=True, check=False,
                          cwd=tmp_path, env=stranger.environment)
    assert done.returncode == code and part in done.stderr, done
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_plugin_new_without_a_template_says_what_is_missing(stranger, tmp_path):
    (tmp_path / "bin").mkdir()
    shutil.copy(stranger.command, tmp_path / "bin")
    done = subprocess.run([tmp_path / "bin/accord", "plugin", "new", "hello"], capture_output=True, text=True,
                          check=False, cwd=tmp_path, env=stranger.environment)
    assert done.returncode == 1 and "template is not installed" in done.stderr
    assert not (tmp_path / "hello").exists()


def test_the_build_tree_is_a_package_too(tmp_path):
    """For those who work on Accord itself, and with a name that is no name in C."""
    run(BUILD / "bin/accord", "plugin", "new", "my-own-thing", "--to", tmp_path / "made")
    run("cmake", "-S", tmp_path / "made", "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={BUILD}")
    run("cmake", "--build", tmp_path / "build")
    assert (tmp_path / "build/connector-my-own-thing.so").exists()
    assert not [path for path in (tmp_path / "made").rglob("*") if path.is_file() and "sample" in path.read_text()]


def test_our_own_maildir_builds_and_passes_with_nothing_but_the_package(stranger, tmp_path):
    """It is written from the public headers alone; so is its contract test, but for helpers of its own."""
    shutil.copytree(ROOT / "plugins/connectors/maildir", tmp_path / "maildir")
    shutil.copy(ROOT / "tests/contract/connector_maildir.c", tmp_path)
    (tmp_path / "unit").mkdir()
    for helper in ("scratch.h", "scratch.c"):
        shutil.copy(ROOT / "tests/unit" / helper, tmp_path / "unit")
    (tmp_path / "CMakeLists.txt").write_text("""cmake_minimum_required(VERSION 3.25)
        project(maildir C)
        add_compile_definitions(_GNU_SOURCE)
        find_package(Accord 1.1 REQUIRED COMPONENTS testkit)
        include_directories(${CMAKE_SOURCE_DIR})
        file(GLOB sources maildir/*.c)
        accord_add_plugin(maildir connector ${sources})
        enable_testing()
        accord_add_plugin_test(maildir connector connector_maildir.c unit/scratch.c)""")
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={stranger.prefix / 'usr'}")
    run("cmake", "--build", tmp_path / "build")
    run("ctest", "--test-dir", tmp_path / "build", "--output-on-failure")


def test_pkg_config_finds_headers_and_plugin_folder(stranger, tmp_path):
    """A plugin in one line, without CMake."""
    pc = next((stranger.prefix / "usr").rglob("accord-sdk.pc"))
    environment = {**os.environ, "PKG_CONFIG_PATH": str(pc.parent)}
    flags = run("pkg-config", "--cflags", "accord-sdk", env=environment).split()
    folder = run("pkg-config", "--variable=plugindir", "accord-sdk", env=environment).strip()
    assert os.path.samefile(folder, stranger.plugins)
    sources = sorted((ROOT / "sdk/template/policy").glob("*.c"))
    run("gcc", "-shared", "-fPIC", "-fvisibility=hidden", "-D_GNU_SOURCE", "-Wl,-z,now,-z,defs", *flags, *sources,
        "-o", tmp_path / "policy-sample.so")
