"""Files that a partner lays out are fetched, once each, over SFTP: OpenSSH's server."""
import os
import pathlib
import signal
import time

import pytest

from exact import seeded
from harness import SERVER, give, wait_for
from traffic import FOLDERS, agreed, conf, partner_of, receiving, sending, write_site

SITE = {**FOLDERS, **sending("got", "opaque", **{"from": "isa/pickup"})}
AGREEMENT = {
    "agreement": agreed(),
    "endpoint sftp": {"host": "127.0.0.1", "port": "22"},
    "link sftp": {"connector": "sftp", "endpoint": "sftp", "user": "acme", "key": "id", "host-key": None},
    "service pickup": {"type": "opaque", "direction": "receive", "link": "sftp", "directory": "out",
                       "to": "site/got", "poll": "300 ms", "settle": "0 s"},
    "policy encryption": {"ssh-ciphers": "aes256-gcm@openssh.com, aes256-ctr"},
}


class Pickup:
    """A partner with a folder `out`, and an agent that receives from it into the site's folder `got`."""

    def __init__(self, agent, server, *changes, start=True):
        self.agent, self.server = agent, server
        self.out = server.files / "out"
        self.out.mkdir(exist_ok=True)
        self.got = agent.site_folder("got")
        give(server.files, SERVER)
        write_site(agent, SITE)
        agent.write_conf("isa.conf", conf(AGREEMENT, partner_of(server), *changes))
        agent.secret("isa", "id", server.user_key.private)
        if start:
            agent.start()

    def lay(self, name, content, age=0):
        """As a partner should: written under a hidden name, then renamed."""
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name("." + path.name[:200])
        hidden.write_bytes(content)
        if age:
            then = time.time() - age
            os.utime(hidden, (then, then))
        give(hidden, SERVER)
        hidden.rename(path)

    def there(self):
        return {str(path.relative_to(self.out)) for path in self.out.rglob("*") if path.is_file()}

    def came(self):
        """Name to content, of what has arrived."""
        return {path.name: path.read_bytes() for path in self.got.iterdir() if not path.name.startswith(".")}

    def wait(self, files, patience=30):
        wait_for(lambda: self.came() == files, lambda: f"{sorted(files)} to come, there are {sorted(self.came())}; "
                 f"the log ends:\n{self.agent.log_tail()}", patience)

    def wait_there(self, names):
        wait_for(lambda: self.there() == set(names),
                 lambda: f"{names} to be at the partner's, there are {self.there()}; log:\n{self.agent.log_tail()}")

    def messages(self):
        return sorted(row["name"] for row in self.agent.ask("messages", "--limit", 256)["messages"])


def service(**keys):
    return {"service pickup": {key.replace("_", "-"): value for key, value in keys.items()}}


def some(count, first=0):
    return {f"file-{number:03}.dat": bytes([number % 251]) * (1 + 997 * number % 70000)
            for number in range(first, first + count)}


def test_files_are_fetched_and_deleted(agent, sshd):
    pickup = Pickup(agent, sshd)
    files = {**some(30), "empty": b"", "large.bin": os.urandom(3_000_000)}
    for name, content in files.items():
        pickup.lay(name, content)
    pickup.wait(files)
    pickup.wait_there([])
    assert pickup.messages() == sorted(files)


def test_files_are_moved_and_their_names_may_be_taken(agent, sshd):
    pickup = Pickup(agent, sshd, service(after="move", move_to="done"))
    pickup.lay("a.txt", b"one")
    pickup.wait_there(["done/a.txt"])
    pickup.lay("a.txt", b"another")
    wait_for(lambda: len(pickup.there()) == 2 and "a.txt" not in pickup.there(), lambda: f"a second: {pickup.there()}")
    assert sorted(path.read_bytes() for path in (pickup.out / "done").iterdir()) == [b"another", b"one"]
    assert pickup.messages() == ["a.txt", "a.txt"]


def test_files_stay_and_are_taken_once(agent, sshd):
    pickup = Pickup(agent, sshd, service(after="keep"))
    files = some(60)
    for number, (name, content) in enumerate(files.items()):
        pickup.lay(name, content, age=3600 - number)
    pickup.wait(files)
    agent.restart()
    pickup.lay("old", b"renamed in late", age=7200)
    pickup.lay("new", b"new")
    files.update(old=b"renamed in late", new=b"new")
    pickup.wait(files)
    pickup.wait_there(files)
    assert pickup.messages() == sorted(files)


def test_patterns_folders_and_links(agent, sshd):
    pickup = Pickup(agent, sshd, service(pattern="*.xml, b?", recursive="yes", depth=2, after="keep"), start=False)
    (sshd.files / "secret.xml").write_bytes(b"not to be had")
    for name in ("a.xml", "b1", "c.txt", ".hidden.xml", "x/d.xml", "x/y/e.xml", "x/y/z/f.xml", ".h/g.xml"):
        pickup.lay(name, name.encode())
    give(pickup.out, SERVER)
    (pickup.out / "link.xml").symlink_to(sshd.files / "secret.xml")
    (pickup.out / "up").symlink_to(sshd.files)
    os.mkfifo(pickup.out / "pipe.xml")
    agent.start()
    pickup.wait({pathlib.Path(name).name: name.encode() for name in ("a.xml", "b1", "x/d.xml", "x/y/e.xml")})
    wait_for(lambda: "lies deeper" in agent.log(), "the depth to be told")
    pickup.lay("last.xml", b"last")
    wait_for(lambda: "last.xml" in pickup.came(), "one more")
    assert pickup.messages() == ["a.xml", "b1", "d.xml", "e.xml", "last.xml"]


def test_too_large_a_file_is_not_read_and_moved_away(agent, sshd):
    pickup = Pickup(agent, sshd, service(max_size="1 KiB", rejected="no"))
    pickup.lay("big", b"x" * 2000)
    pickup.lay("small", b"x")
    pickup.wait_there(["no/big"])
    pickup.wait({"small": b"x"})
    assert agent.log().count("sftp.rejected") == 1


def test_a_file_that_grows_waits(agent, sshd):
    pickup = Pickup(agent, sshd, service(settle="1 s"))
    path = pickup.out / "grows"
    content = b""
    with path.open("ab") as file:
        give(path, SERVER)
        for part in range(15):
            content += bytes([part]) * 100
            file.write(bytes([part]) * 100)
            file.flush()
            assert pickup.came() == {}
            time.sleep(0.15)
    pickup.wait({"grows": content})
    assert pickup.messages() == ["grows"]


@pytest.mark.long
@pytest.mark.parametrize("after", ["delete", "move", "keep"])
def test_exactly_once_over_kills(agent, sshd, after):
    """Kills of the hub and of the link while files are fetched: each is taken exactly once, whatever becomes of it."""
    pickup = Pickup(agent, sshd, service(after=after, move_to="done" if after == "move" else None))
    random = seeded(f"pickup-{after}")
    files = {}
    for round_ in range(int(os.environ.get("ACCORD_KILLS", 6))):
        more = some(20, 20 * round_)
        for name, content in more.items():
            pickup.lay(name, content)
        before, files = len(files), {**files, **more}
        wait_for(lambda: len(pickup.came()) >= before + random.randrange(1, 10),
                 lambda: f"some to come: {agent.log_tail()}")
        link = pickup.agent.child("link-isa")
        if random.random() < 0.5 and link:
            os.kill(link, signal.SIGKILL)
        else:
            agent.kill()
            agent.start()
    pickup.wait(files, 60)
    pickup.wait_there({"delete": [], "move": [f"done/{name}" for name in files], "keep": files}[after])
    assert pickup.messages() == sorted(files)


def steps(answer):
    return [(row["step"], row["result"]) for row in answer["steps"]]


def parked(agent):
    return [row for row in agent.ask("status").tables.get("links", []) if "park" in str(row)]


def test_a_probe_walks_the_session_and_the_folders(agent, sshd):
    """Also one that fails parks nothing, and a link that is parked may be probed."""
    send = {"service other": {"type": "opaque", "direction": "send", "link": "sftp", "directory": "none",
                              "from": "site/give"},
            "service pickup": {"poll": "1 h"}}
    pickup = Pickup(agent, sshd, send, start=False)
    write_site(agent, SITE, receiving("give", "opaque"))
    agent.site_folder("give")
    agent.start()
    wait_for(lambda: {row["state"] for row in agent.ask("agreements")["agreements"]} == {"up"}, "all to be up")
    answer = agent.ask("probe", "isa")
    assert steps(answer) == [("dns", "ok"), ("tcp", "ok"), ("handshake", "ok"), ("authentication", "ok"),
                             ("pickup", "ok"), ("other", "failed")], answer
    assert answer.code == 1 and "no such file" in answer.line and "directory" in answer.line
    (sshd.files / "none").mkdir()
    give(sshd.files / "none", SERVER)
    before = sorted(path.name for path in sshd.files.rglob("*"))
    answer = agent.ask("probe", "isa")
    assert answer.code == 0 and steps(answer)[-1] == ("other", "ok"), answer
    assert sorted(path.name for path in sshd.files.rglob("*")) == before
    (sshd.folder / "authorized_keys").write_text("")
    sshd.cut_sessions()
    answer = agent.ask("probe", "isa")
    assert steps(answer)[-1] == ("authentication", "failed"), answer
    assert not parked(agent), "a probe has parked the link"
    pickup.agent.drop("give", "x", b"x")
    wait_for(lambda: parked(agent), lambda: f"the link to be parked: {agent.ask('status').tables}")
    assert steps(agent.ask("probe", "isa"))[-2:] == [("handshake", "ok"), ("authentication", "failed")]
    (sshd.folder / "authorized_keys").write_text(sshd.user_key.public)
    answer = agent.ask("probe", "isa")
    assert answer.code == 0, answer
    assert parked(agent), "only a person resumes it"
