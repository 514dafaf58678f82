"""Who may include whom. The order of the tree is a promise of docs/ARCHITECTURE.md."""
import re

from tree import ROOT, includes, read, sources

# A folder of core/ may include itself and what stands here. Everything else is a dependency that was not
# decided; if it should be, change this table and docs/decisions/0001 together.
CORE = {
    "util": set(),
    "conf": {"util"},
    "wire": {"util"},
    "audit": {"util"},
    "store": {"util", "audit"},
    "sandbox": {"util"},
    "plugin": {"util", "conf", "wire", "sandbox"},
    "host": {"util", "conf", "wire", "sandbox", "plugin"},
    "link": {"util", "conf", "wire", "sandbox", "plugin", "host"},
    "guard": {"util", "conf", "wire", "sandbox", "plugin", "host"},
    "bus": {"util", "conf", "wire", "audit", "store"},
    "hub": {"util", "conf", "wire", "audit", "store", "bus", "sandbox", "plugin"},
    "cli": {"util", "conf", "wire", "audit", "plugin"},
}

# Libraries of protocols and payloads, and those that load code: by the names of their headers.
PARSERS = {"curl/", "libssh/", "proton/", "libxml/", "libxml2/", "jansson.h", "expat.h", "zip.h", "openssl/ssl.h"}
LOADERS = {"ltdl.h", "dlfcn.h", "plugin/loader.h"}
# What each plugin, and each part of plugins/common, speaks with. Anything else outside of libc and <accord/...> is a mistake. libssh stands on
# libcrypto, from which sftp takes hashing and wiping.
PROTOCOL = {"sftp": {"libssh/", "openssl/evp.h", "openssl/crypto.h"}, "taxii": {"curl/", "openssl/"}, "mq": {"proton/", "openssl/"},
            "smtp": {"curl/", "openssl/"}, "content": {"libxml/", "jansson.h"}, "xml": {"libxml/"}, "tls": {"openssl/"},
            "curl": {"curl/", "openssl/"}}
# Parts of plugins/common that stand on another one.
COMMON = {"curl": {"tls"}}
LIBC = {"sys/", "netinet/", "arpa/", "linux/"}


def folder_of(path):
    return path.parts[1] if len(path.parts) > 2 else ""


def matches(name, patterns):
    return any(name == pattern or (pattern.endswith("/") and name.startswith(pattern)) for pattern in patterns)


def offences(paths, is_wrong):
    return [f"{path}:{number}: includes {name}" for path in paths for number, name, quoted in includes(path)
            if is_wrong(path, name, quoted)]


def test_core_includes_only_what_stands_below_it():
    paths = [path for path in sources("core") if folder_of(path)]
    assert {folder_of(path) for path in paths} <= set(CORE), "a folder of core/ is not in the table"

    def wrong(path, name, quoted):
        target = name.partition("/")[0]
        return quoted and target != folder_of(path) and target not in CORE[folder_of(path)]
    assert not offences(paths, wrong)


def test_the_order_has_no_circle():
    done = set()
    while len(done) < len(CORE):
        ready = {folder for folder, below in CORE.items() if folder not in done and below <= done}
        assert ready, f"these folders need each other: {set(CORE) - done}"
        done |= ready


def test_quoted_includes_name_files_that_exist():
    def wrong(path, name, quoted):
        places = (ROOT / "core", ROOT / "sdk", ROOT / "plugins", ROOT / "tests", (ROOT / path).parent)
        return quoted and not any((place / name).exists() for place in places)
    assert not offences(sources("core", "plugins", "sdk", "tests"), wrong)


def test_hub_bus_and_store_load_no_plugin_and_parse_no_payload():
    paths = sources("core/hub", "core/bus", "core/store", "core/audit", "core/wire", "core/util")
    assert paths
    assert not offences(paths, lambda path, name, quoted: matches(name, LOADERS | PARSERS))


def test_only_the_loader_uses_libltdl():
    loader = {"core/plugin/loader.c", "core/plugin/elf.c", "core/plugin/child.c"}
    paths = [path for path in sources("core") if str(path) not in loader]
    assert not offences(paths, lambda path, name, quoted: name in ("ltdl.h", "dlfcn.h"))


def libc_header(name):
    return matches(name, LIBC) or ("/" not in name and name in LIBC_HEADERS)


LIBC_HEADERS = {f"{name}.h" for name in """
    assert ctype errno fcntl fnmatch inttypes limits math poll pthread signal stdarg stdatomic stdbool stddef stdint
    stdio stdlib string strings time unistd dirent libgen locale""".split()}


def test_plugins_include_only_the_sdk_libc_and_their_protocol():
    def wrong(path, name, quoted):
        if quoted:  # its own folder, however it writes that
            return name.partition("/")[0] in CORE
        own = PROTOCOL.get(path.parts[2], set())
        return not (name.startswith("accord/") or libc_header(name) or matches(name, own))
    assert not offences(sources("plugins"), wrong)


def test_plugins_include_no_other_plugin():
    def wrong(path, name, quoted):
        kinds = ("connectors/", "policies/")
        other = name.startswith(kinds) and name.split("/")[1] != path.parts[2]
        # plugins/common stands below all of them, and each of its parts alone, or on what the table says.
        below = {path.parts[2]} | COMMON.get(path.parts[2], set())
        upwards = path.parts[1] == "common" and name.startswith(kinds + ("common/",)) and name.split("/")[1] not in below
        return quoted and (other or upwards)
    assert not offences(sources("plugins"), wrong)


def test_the_test_kit_includes_only_the_sdk_libc_and_its_loop():
    def wrong(path, name, quoted):
        if quoted:
            return name.partition("/")[0] in CORE
        return not (name.startswith("accord/") or libc_header(name) or name in ("uv.h", "cmocka.h", "setjmp.h"))
    assert not offences(sources("sdk/testkit", "sdk/template"), wrong)


def test_public_headers_include_only_each_other():
    def wrong(path, name, quoted):
        return quoted or not (name.startswith("accord/") or name in ("stdbool.h", "stddef.h", "stdint.h"))
    paths = sources("sdk/include")
    assert paths
    assert not offences(paths, wrong)


def test_include_guards_are_named_after_files():
    wrong = []
    for path in sources("core", "sdk/include", "plugins", endings=(".h",)):
        if path.name.endswith(".sql.h"):
            continue  # text for one place
        guard = re.sub(r"[^A-Z0-9]", "_", "_".join(path.parts[-2:]).upper())
        if f"#ifndef {guard}\n#define {guard}\n" not in read(path):
            wrong.append(f"{path}: wants the guard {guard}")
    assert not wrong
