"""The accord command and a running agent: what each verb answers, how it ends, and who may ask."""
import os
import pathlib
import pwd
import subprocess

import pytest
from harness import Agent, Partner, account, asyncssh, give, wait_for
from traffic import Traffic, plan, receiving

NASTY = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202eexe.slp\r\nforged line"
ID = "06h0000000000000000000aa"  # of nobody's


class Nasty(asyncssh.SFTPServer):
    """Refuses a file, or hangs up, with words that are meant for a terminal."""
    refuses = hangs_up = False

    def open(self, path, pflags, attrs):
        if Nasty.refuses and pflags & asyncssh.FXF_WRITE:
            raise asyncssh.SFTPFailure(NASTY)
        if Nasty.hangs_up:
            self.channel.get_connection().disconnect(asyncssh.DISC_BY_APPLICATION, NASTY)
        return super().open(path, pflags, attrs)


@pytest.fixture(scope="module")
def traffic(installation):
    agent, server = Agent(installation), Partner(installation.folder(), server=Nasty)
    for folder in ("ace", "small"):
        agent.site_folder(folder)
    one = Traffic(agent, server, site={**receiving("ace", "ace-transaction"),
                                       **receiving("small", "stow-plan", max_size="1 KiB")})
    yield one.start()
    agent.close()
    server.stop()


@pytest.fixture
def submit(traffic):
    """A function that submits bytes under a name."""
    folder = traffic.agent.installation.folder()

    def run(service, content, name="plan.edi"):
        path = folder / name
        path.write_bytes(content)
        return traffic.agent.ask("submit", service, path)
    return run


def people(traffic, *words):
    """What a person sees."""
    return subprocess.run([traffic.agent.installation.command, "--conf", traffic.agent.conf, *words], check=False,
                          capture_output=True, env=traffic.agent.installation.environment)


# ---- submit ----

def test_a_submitted_file_is_accepted_and_delivered(traffic, submit):
    content = plan("SUBMITTED")
    answer = submit("site/stow-plans", content, "submitted.edi")
    assert answer.code == 0
    row = answer["submitted"][0]
    assert row["admission"] == "accepted" and f"accord show {row['id']}" in answer.line
    assert traffic.delivered("submitted.edi", content)["id"] == row["id"]
    record = traffic.wait_record("command", chain="site", event_reason="submit")
    assert record["user.name"] == f"{pwd.getpwuid(os.getuid()).pw_name}({os.getuid()})"
    assert record["accord.details.route"] == "site/stow-plans"


@pytest.mark.parametrize("service,content,admission,rule", [
    ("site/stow-plans", plan("BROKEN", break_="unt-count"), "quarantined", "stow-plan.unt-count"),
    ("site/ace", b"A" * 80, "quarantined", "services.no-service"),
    ("site/small", plan("TOOLARGE", containers=20), "rejected", "services.size"),
], ids=["broken", "no-service", "too-large"])
def test_a_submitted_file_that_may_not_flow_is_refused_with_its_rule(traffic, submit, service, content, admission, rule):
    answer = submit(service, content)
    assert answer.code == 1
    row = answer["submitted"][0]
    assert (row["admission"], row["rule"]) == (admission, rule) and row["reason"] in answer.line
    assert (traffic.agent.ask("show", row["id"]).code == 0) == (admission == "quarantined")


@pytest.mark.parametrize("service", ["site/nothing", "nobody/stow-plans", "isa/stow-plan", "stow-plans", "/", ""])
def test_a_file_can_be_submitted_to_receiving_services_only(traffic, submit, service):
    answer = submit(service, plan("NOWHERE"))
    assert answer.code == 1 and "no receiving service" in answer.line, answer
    assert not [row for row in traffic.agent.ask("messages")["messages"] if "NOWHERE" in str(row)]


def test_what_is_no_file_cannot_be_submitted(traffic):
    for path, words in [("/nonexistent", "cannot open"), ("/tmp", "not a regular file"), ("/dev/zero", "not a regular")]:
        answer = traffic.agent.ask("submit", "site/stow-plans", path)
        assert answer.code == 1 and words in answer.line, answer


# ---- looking ----

def test_status_shows_the_whole_agent(traffic):
    answer = traffic.agent.ask("status")
    assert answer.code == 0
    assert {row["agreement"]: row["state"] for row in answer["agreements"]} == {"isa": "up", "site": "up"}
    assert {(row["agreement"], row["link"], row["connector"], row["state"]) for row in answer["links"]} == \
        {("isa", "sftp", "sftp", "open"), ("site", "folders", "dir", "open")}
    processes = {row["process"]: row for row in answer["processes"]}
    assert set(processes) == {"link-site/folders", "link-isa", "guard-isa", "inspect-isa"}
    assert {int(row["pid"]) for row in processes.values()} == set(traffic.agent.children())
    for row in processes.values():
        assert row["state"] == "ready" and row["failures"] == "0" and "seccomp yes" in row["walls"]
    assert answer["queues"][0]["agreement"] == "isa" and int(answer["queues"][0]["delivered"]) >= 1
    assert answer["agent"][0]["incidents"] == "0"
    shown = people(traffic, "status").stdout.decode()
    for word in ("agreements", "isa", "link-isa", "seccomp yes", f"127.0.0.1:{traffic.server.port}"):
        assert word in shown


def test_agreements_show_their_dates_with_the_last_day(traffic):
    row = next(row for row in traffic.agent.ask("agreements")["agreements"] if row["agreement"] == "isa")
    assert (row["from"], row["until"]) == ("2026-01-01", "2055-12-31") and row["left"].startswith("29 years")


def test_messages_can_be_chosen(traffic, submit):
    submit("site/stow-plans", plan("CHOSEN"), "chosen.edi")
    traffic.wait("chosen.edi", "delivered")
    submit("site/ace", b"B" * 80, "refused.txt")

    def names(*words):
        answer = traffic.agent.ask("messages", *words)
        assert answer.code == 0
        return [row["name"] for row in answer["messages"]]
    assert names()[:2] == ["refused.txt", "chosen.edi"], "newest first"
    assert "chosen.edi" in names("--state", "delivered") and "refused.txt" not in names("--state", "delivered")
    assert "refused.txt" in names("--state", "quarantined") and "chosen.edi" not in names("--state", "quarantined")
    assert set(names("--type", "ace-transaction")) & {"refused.txt", "chosen.edi"} == {"refused.txt"}
    assert "refused.txt" not in names("--agreement", "isa") and "chosen.edi" in names("--agreement", "isa")
    assert names("--limit", "1") == ["refused.txt"]
    assert names("--state", "dead", "--type", "stix-1") == []


@pytest.mark.parametrize("words,code,line", [
    (["show", ID], 1, f"there is no message {ID}"),
    (["explain", ID], 1, f"there is no message {ID}"),
    (["show", "x"], 2, "24 characters"),
    (["explain", "../../etc/passwd"], 2, "24 characters"),
    (["show", "\x1b[2J" * 6], 2, "24 characters"),
    (["messages", "--state", "lost"], 2, "states are"),
    (["messages", "--limit", "0"], 2, "limit is"),
    (["messages", "--limit", "1000000"], 2, "limit is"),
    (["reload"], 0, "the configuration was loaded"),
    (["version"], 0, ""),
    (["audit", "verify"], 0, "are unbroken"),
    (["check"], 0, "sound"),
])
def test_how_a_command_ends(traffic, words, code, line):
    answer = traffic.agent.ask(*words)
    assert answer.code == code and line in answer.line + answer.error, answer
    assert people(traffic, *words).returncode == code


def test_version_tells_of_both(traffic):
    answer = traffic.agent.ask("version")
    assert [row["program"] for row in answer["version"]] == ["accord", "accordd"]
    assert len({row["version"] for row in answer["version"]}) == 1


@pytest.mark.parametrize("way", ["refuses", "hangs_up"])
def test_a_partners_words_cannot_reach_the_terminal(traffic, submit, way):
    setattr(Nasty, way, True)
    answer = submit("site/stow-plans", plan(f"RUDE{way}"[:14].replace("_", "")), f"{way}\x1b[31m.edi")
    message = answer["submitted"][0]["id"]
    wait_for(lambda: "owned" in traffic.agent.ask("show", message)["deliveries"][0]["reason"],
             lambda: f"the partner's words: {traffic.agent.ask('show', message)}")
    shown = [people(traffic, *words).stdout for words in (["show", message], ["explain", message], ["messages"])]
    traffic.wait_record("delivery-retried", accord_message=message)
    path = next((traffic.agent.state / "audit/isa").iterdir())
    for output in [*shown, traffic.agent.log_path.read_bytes(), path.read_bytes()]:
        text = output.decode()
        assert not set(text) & set("\x1b\x07\r\u009b\u202e"), f"{text!r}"
        assert "\nforged line" not in text
    assert "owned" in shown[0].decode(), "the words themselves should be there to be read"
    setattr(Nasty, way, False)
    traffic.wait(f"{way}_[31m.edi", "delivered")


# ---- who may ask ----

def as_stranger(traffic, *words):
    stranger = account("games")
    return subprocess.run([traffic.agent.installation.command, "--state", traffic.agent.state, *words], check=False,
                          capture_output=True, text=True, env=traffic.agent.installation.environment,
                          user=stranger.pw_uid, group=stranger.pw_gid, extra_groups=[])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run a command as somebody else")
def test_another_user_is_refused(traffic):
    done = as_stranger(traffic, "status")
    assert done.returncode == 3 and not done.stdout
    assert "this user may not talk to the agent" in done.stderr and "as root or as its user" in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run a command as somebody else")
def test_another_user_is_refused_also_when_the_folder_lets_him_in(traffic):
    state, socket = traffic.agent.state, traffic.agent.state / "control.sock"
    try:
        state.chmod(0o755)
        socket.chmod(0o666)
        for words in (["status"], ["submit", "site/stow-plans", __file__], ["reload"]):
            done = as_stranger(traffic, *words)
            assert done.returncode in (1, 3) and not done.stdout, done
            assert "hung up" in done.stderr or "cannot" in done.stderr
    finally:
        socket.chmod(0o600)
        state.chmod(0o700)
    assert traffic.agent.ask("status").code == 0


# ---- the agent's own ports ----

def listening():
    """Inodes of TCP sockets that listen, in this network namespace."""
    found = {}
    for name in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] == "0A":
                found[cells[9]] = cells[1]
    return found


def sockets_of(pid):
    found = set()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(entry)
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def test_no_process_of_the_agent_listens_on_a_port(agent, partner):
    server = partner()
    before = listening()
    traffic = Traffic(agent, server).start()
    traffic.delivered("plan.edi", traffic.send("plan.edi"))
    # While the session is open: who else listens now is none of ours.
    new = set(listening()) - set(before)
    if os.getuid() == 0:
        assert before, "the partner does not listen?"
        for pid in [agent.process.pid, *agent.children()]:
            mine = sockets_of(pid)
            assert mine, f"process {pid} has no socket at all; this looks in the wrong place"
            assert not mine & set(listening()), f"process {pid} listens"
    else:
        # The agent's descriptors are nobody's to see, not even its own user's.
        uid = str(os.getuid())
        mine = {line.split()[9] for name in ("tcp", "tcp6")
                for line in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:] if line.split()[7] == uid}
        assert not new & mine


def test_children_are_in_no_network(agent, partner, not_run):
    traffic = Traffic(agent, partner()).start()
    rows = agent.ask("status")["processes"]
    for row in rows:
        if "namespaces no" in row["walls"]:
            not_run("namespaces", row["walls"])
            assert "seccomp yes" in row["walls"]
            continue
        if os.getuid() == 0:
            devices = pathlib.Path(f"/proc/{row['pid']}/net/dev").read_text().splitlines()[2:]
            assert [line.split(":")[0].strip() for line in devices] in ([], ["lo"]), row
            assert os.readlink(f"/proc/{row['pid']}/ns/net") != os.readlink("/proc/self/ns/net")
    traffic.delivered("plan.edi", traffic.send("plan.edi"))
