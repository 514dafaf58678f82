"""SFTP servers that reorder, stall, lie and answer with nonsense: what is wrong is told, nothing is made up, no process
dies of it, and once the server behaves its files come, once each."""
import struct
import time

import pytest

import hostile
from hostile import ATTRS, DATA, FSTAT, HANDLE, LINK, LSTAT, NAME, OPEN, OPENDIR, READ, READDIR, REMOVE, STATUS
from hostile import attrs, name_entry, packet, status, string
from harness import FORGETFUL, memory, wait_for
from test_pickup import AGREEMENT, SITE, service
from traffic import conf, partner_of, write_site

CONTENT = bytes(range(256)) * 1200  # ten READs
NOW = int(time.time()) - 100


class Told:
    """What an agent has made of a hostile partner."""

    def __init__(self, agent, server, *changes, environment=None):
        self.agent, self.server = agent, server
        self.got = agent.site_folder("got")
        write_site(agent, SITE)
        agent.write_conf("isa.conf", conf(AGREEMENT, partner_of(server), {"link sftp": {"timeout": "2 s"}}, *changes))
        agent.secret("isa", "id", server.user_key.private)
        agent.start(environment)

    def came(self):
        return {path.name: path.read_bytes() for path in self.got.iterdir() if not path.name.startswith(".")}

    def wait(self, files):
        wait_for(lambda: self.came() == files, lambda: f"{sorted(files)} to come, there are {sorted(self.came())}; "
                 f"the log ends:\n{self.agent.log_tail()}", 60)

    def wait_log(self, *words):
        wait_for(lambda: any(word in self.agent.log() for word in words),
                 lambda: f"{words} in the log, which ends:\n{self.agent.log_tail()}")

    def sound(self, count):
        """No process has died, and there are so many messages."""
        assert "hub.child-failed" not in self.agent.log(), self.agent.log_tail()
        assert len(self.agent.ask("messages", "--limit", 256)["messages"]) == count


@pytest.fixture
def server(installation):
    one = hostile.Hostile(installation.folder())
    one.files[b"a.dat"] = (CONTENT, NOW)
    yield one
    one.stop()


def replace(kind, make):
    """A script that answers requests of this kind with what `make` gives."""
    return lambda session, request, honest: make(request, honest) if request.kind == kind else honest()


def held_back(session, request, honest):
    """Replies to READ go out four at a time, the last one first."""
    session.held = getattr(session, "held", [])
    if request.kind != READ:
        out, session.held = session.held[::-1] + honest(), []
        return out
    session.held += honest()
    if len(session.held) < 4:
        return []
    out, session.held = session.held[::-1], []
    return out


def test_replies_in_another_order_are_put_in_order(agent, server):
    server.script = held_back
    told = Told(agent, server)
    told.wait({"a.dat": CONTENT})
    wait_for(lambda: server.removed == [b"a.dat"], "it to be removed")
    told.sound(1)


def fuller(request, honest):
    return [packet(DATA, request.number, string(b"x" * (request.size + 1)))]


WRONG = {
    "duplicated replies": (replace(READ, lambda r, honest: honest() * 2), "request that was not made"),
    "unknown numbers": (replace(READ, lambda r, h: [packet(DATA, r.number + 7, string(b"x"))]), "was not made"),
    "wrong type": (replace(READ, lambda r, h: [packet(HANDLE, r.number, string(b"1"))]), "answered READ"),
    "more than was asked for": (replace(READ, fuller), "answered READ"),
    "nothing, again and again": (replace(READ, lambda r, h: [packet(DATA, r.number, string(b""))]), "answered READ"),
    "no answer": (replace(READ, lambda r, h: []), "waited"),
    "cut replies": (replace(READ, lambda r, h: [string(struct.pack(">BI", DATA, r.number) + b"\0\0\1\0abc")]), "not SFTP"),
    "impossible length": (replace(READ, lambda r, h: [struct.pack(">I", 0x7fffffff)]), "does not allow"),
    "huge count": (replace(READDIR, lambda r, h: [packet(NAME, r.number, struct.pack(">I", 0x7fffffff))]), "not SFTP"),
    "names without end": (replace(READDIR, lambda r, h: [packet(NAME, r.number, struct.pack(">I", 0))]), "no end"),
    "listing of nonsense": (replace(READDIR, lambda r, h: [packet(DATA, r.number, string(b"x"))]), "READDIR"),
    "permission lost in mid-file": (replace(READ, lambda r, h: h() if r.offset < 200000 else [status(r.number, 3)]),
                                    "reading it failed"),
    "permission to list lost": (replace(OPENDIR, lambda r, h: [status(r.number, 3)]), "cannot be listed"),
    "not to be opened": (replace(OPEN, lambda r, h: [status(r.number, 3)]), "cannot be opened"),
    "handle without file": (replace(FSTAT, lambda r, h: [status(r.number, 4)]), "size cannot be read"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_and_ends(agent, server, what):
    server.script, words = WRONG[what]
    told = Told(agent, server)
    told.wait_log(words)
    assert told.came() == {}
    server.script = None
    told.wait({"a.dat": CONTENT})
    told.sound(1)


QUIET = {
    "a size that is a lie": replace(READ, lambda r, h: h() if r.offset < 100000 else [status(r.number, hostile.EOF)]),
    "a file that changes while it is read": replace(FSTAT, lambda r, h: [packet(ATTRS, r.number, attrs(len(CONTENT), NOW + 1))]),
    "a file that is renamed under us": replace(OPEN, lambda r, h: [status(r.number, hostile.NO_SUCH_FILE)]),
}


@pytest.mark.parametrize("what", QUIET)
def test_a_file_that_is_not_as_listed_is_taken_later(agent, server, what):
    kind = OPEN if "renamed" in what else FSTAT if "changes" in what else READ
    server.script = QUIET[what]
    told = Told(agent, server)
    wait_for(lambda: sum(r.kind == kind for r in server.requests) >= 2, "it to be tried again")
    assert told.came() == {} and server.removed == []
    server.script = None
    told.wait({"a.dat": CONTENT})
    told.sound(1)


def test_a_file_that_was_replaced_after_it_was_read_is_not_removed(agent, server):
    def newer(session, request, honest):
        if request.kind == LSTAT and server.files.get(b"a.dat", (b"",))[0] == CONTENT:
            server.files[b"a.dat"] = (b"newer", NOW + 5)
        return honest()
    server.script = newer
    told = Told(agent, server)
    wait_for(lambda: sorted(told.came().values()) == sorted([CONTENT, b"newer"]),
             lambda: f"both to come: {sorted(told.came())}; {agent.log_tail()}")
    wait_for(lambda: server.removed == [b"a.dat"], lambda: f"the newer one to be removed: {server.removed}")
    told.sound(2)


def test_what_cannot_be_removed_is_not_fetched_again(agent, server):
    server.script = replace(REMOVE, lambda r, h: [status(r.number, 3, "not yours")])
    told = Told(agent, server)
    told.wait_log("cannot be deleted")
    wait_for(lambda: sum(r.kind == REMOVE for r in server.requests) >= 3, lambda: f"it to be tried again: {[r.kind for r in server.requests]}; {agent.log_tail()}")
    assert sum(r.kind == OPEN for r in server.requests) == 1
    assert agent.log().count("cannot be deleted") <= 2  # the warning, and the incident
    server.script = None
    wait_for(lambda: not server.files, "it to be removed")
    told.sound(1)


def test_names_that_are_no_names_are_refused_and_others_made_safe(agent, server):
    bad = [b"", b".", b"..", b"../a", b"a/b", b"/etc/passwd", b"n\0l", b"x" * 256]
    odd = {b"new\nline": b"1", b"\xff\xfe": b"2", b"z" * 255: b"3", b"-rf *": b"4", b"caf\xc3\xa9": b"5",
           b"back\\slash": b"6", b"esc\x1b[2J": b"7"}
    server.files = {name: (content, NOW) for name, content in odd.items()}

    def names(request, honest):
        entries = [name_entry(name, attrs(5, NOW)) for name in bad] + [name_entry(b"link", attrs(5, NOW, LINK))]
        first = packet(NAME, request.number, struct.pack(">I", len(entries)) + b"".join(entries))
        return honest() if names.done or not (setattr(names, "done", True) is None) else [first]
    names.done = False
    server.script = replace(READDIR, names)
    told = Told(agent, server)
    wait_for(lambda: sorted(told.came().values()) == sorted(odd.values()),
             lambda: f"all to come: {told.came()}; {agent.log_tail()}")
    told.wait_log("names that cannot be those of files")
    opened = {request.path for request in server.requests if request.kind == OPEN}
    assert opened == {b"out/" + name for name in odd}
    for name in told.came():
        assert "/" not in name and name.isprintable() and len(name.encode()) <= 255, name
    told.sound(len(odd))


def test_a_listing_without_sizes_is_told(agent, server):
    server.script = replace(READDIR, lambda r, h: [status(r.number, hostile.EOF)] if hostile_seen(server, r) else [
        packet(NAME, r.number, struct.pack(">I", 1) + name_entry(b"a.dat", struct.pack(">I", 0)))])
    told = Told(agent, server)
    told.wait_log("without size or time")
    server.script = None
    told.wait({"a.dat": CONTENT})


def hostile_seen(server, request):
    """Every second READDIR of a handle is the end."""
    server.toggles = getattr(server, "toggles", 0) + 1
    return server.toggles % 2 == 0


def test_a_hundred_thousand_entries_are_listed_in_bounded_memory(agent, server):
    """Most of them unsettled for ever, a few of a pattern of their own; the process stays small and answers."""
    server.files = {b"take-%d" % number: (b"%d" % number, NOW) for number in range(3)}
    junk = [name_entry(b"z-file-of-a-long-name-%06d" % number, attrs(10, NOW)) for number in range(100000)]

    def many(session, request, honest):
        if request.kind != READDIR:
            return honest()
        at = getattr(session, "at", {}).setdefault(request.handle, 0) if hasattr(session, "at") else 0
        session.at = {**getattr(session, "at", {}), request.handle: at + 500}
        if at >= len(junk):
            return honest()
        some = junk[at:at + 500]
        return [packet(NAME, request.number, struct.pack(">I", len(some)) + b"".join(some))]
    server.script = many
    told = Told(agent, server, service(poll="1 s", settle="2 s", pattern="take-*, z-file-of-a-long-name-*"),
                environment=FORGETFUL)
    wait_for(lambda: set(told.came()) >= {"take-0", "take-1", "take-2"} or told.agent.ask("status").code == 0 and
             sum(r.kind == READDIR for r in server.requests) > 400, "listings", 60)
    link = agent.child("link-isa")
    assert memory(link) < 100 << 10, f"{memory(link)} KiB"
    wait_for(lambda: sum(name.startswith("take-") for name in told.came()) == 3,
             lambda: f"those three: {sorted(told.came())[:5]}; {agent.log_tail()}", 90)
    assert "hub.child-failed" not in agent.log()
