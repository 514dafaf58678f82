"""The store sealed at rest: nothing in the clear, keys that are missing or replaced, backups while traffic goes on, and
what they restore to."""
import os
import pwd
import shutil

import pytest

from exact import AGREEMENT, FOLDER, SITE, WINDOW, Flow, digest, plan
from harness import give, wait_for

CLEAR = [b"EQD+CN+", b"TDT+20+601W", b"MV FAULTS"]  # what only a payload holds


@pytest.fixture
def flow(agent, partner):
    agent.settings = {"store": {"segment-size": "1 MiB"}}
    agent.write_agent_conf()
    one = Flow(agent, partner())
    agent.start()
    one.wait_up()
    return one


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_socket()]




def test_nothing_in_the_clear(flow):
    """Accepted, quarantined and settled payloads, small ones and one that is staged in pieces: none of their text is
    anywhere in the state folder, while the agent runs and after."""
    agent = flow.agent
    flow.drop(5)
    flow.drop(2, broken=True)
    big = flow.folder.parent / "big.edi"
    big.write_bytes(plan(9000) + b"\n" * 700_000 + plan(9001))  # no stow plan at all, and seven pieces
    give(big)
    big.rename(flow.folder / "big.edi")
    wait_for(lambda: len(flow.states()) == 8 and not flow.left(), lambda: f"all to be taken: {flow.states()}")
    wait_for(lambda: set(flow.states().values()) <= {"delivered", "quarantined", "dead"}, "all to be settled")
    content = plan(1)
    assert all(text in content for text in CLEAR)
    for _ in range(2):
        assert len(files(agent.state)) > 5
        for path in files(agent.state):
            found = [text for text in CLEAR if text in path.read_bytes()]
            assert not found, f"{path} holds {found}"
        agent.stop()
    assert b"plan-0001.edi" in b"".join(path.read_bytes() for path in agent.state.glob("store/*.seg"))
    assert not [text for text in CLEAR if text in agent.log_path.read_bytes()]


def key_file(agent):
    return agent.state / "keys/store.key"


def refuses_to_start(agent):
    """The last line of an agent that does not start."""
    agent.start(ready=False)
    wait_for(lambda: agent.process.poll() is not None, "the agent to give up")
    assert agent.process.returncode == 1
    return agent.log().splitlines()[-1]


def test_key_missing_or_wrong(flow):
    """Without its key, or with another one, the agent says what is missing and where, changes nothing, and starts
    again as soon as the key is back."""
    agent = flow.agent
    flow.drop(3)
    flow.wait_settled()
    agent.stop()
    key = key_file(agent)
    assert key.stat().st_mode & 0o777 == 0o600 and key.stat().st_size == 32
    content = key.read_bytes()
    aside = agent.home / "aside"
    key.rename(aside)
    line = refuses_to_start(agent)
    assert str(key) in line and "put it back" in line
    assert not key.exists()
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    give(key)
    assert "not the one" in refuses_to_start(agent)
    key.write_bytes(content[:31])
    assert "31 bytes" in refuses_to_start(agent)
    key.write_bytes(content)
    key.chmod(0o644)
    assert "chmod 600" in refuses_to_start(agent)
    key.chmod(0o600)
    agent.start()
    flow.drop(1)
    flow.wait_settled()
    flow.check_partner()


def test_key_file_named_in_agent_conf(agent, partner):
    """[store] key-file: another place, such as a disk that is mounted for the start."""
    elsewhere = agent.home / "elsewhere/the.key"
    agent.settings = {"store": {"key-file": elsewhere}}
    agent.write_agent_conf()
    flow = Flow(agent, partner())
    agent.start()
    assert elsewhere.stat().st_size == 32 and not key_file(agent).exists()
    flow.drop(1)
    flow.wait_settled()


def test_keys_rotated_under_traffic(flow):
    """New keys while messages flow; what was sealed before still opens after a restart, the rotations are in the audit
    trail with the user, and the old key file opens nothing."""
    agent = flow.agent
    old = key_file(agent).read_bytes()
    for count in range(6):
        flow.drop(4)
        answer = agent.ask("key", "rotate", *(["--agreement", "isa"] if count % 2 else []))
        assert answer.code == 0, answer
    assert "copy of it" in agent.ask("key", "rotate").line
    refused = agent.ask("key", "rotate", "--agreement", "nobody")
    assert refused.code == 1 and "no agreement nobody" in refused.line
    flow.wait_settled()
    assert agent.ask("key", "rotate", "--agreement", "site").code == 0
    agent.restart()
    flow.wait_up()
    flow.drop(2)
    flow.wait_settled()
    flow.check_partner()
    flow.check_source()
    flow.check_states()
    user = pwd.getpwuid(os.getuid()).pw_name
    for chain, count in (("host", 4), ("isa", 3), ("site", 1)):
        told = [record for record in agent.audit_records(chain) if record["event.action"] == "key-rotated"]
        assert len(told) == count and all(user in record["user.name"] for record in told)
    assert agent.ask("audit", "verify").code == 0
    agent.stop()
    new = key_file(agent).read_bytes()
    assert new != old
    key_file(agent).write_bytes(old)
    assert "not the one" in refuses_to_start(agent)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_killed_while_the_key_file_is_replaced(step, flow):
    """At each step of `accord key rotate` a store is left that opens, with everything in it."""
    agent = flow.agent
    flow.drop(3)
    flow.wait_settled()
    agent.restart(environment={"ACCORD_FAULT": f"rekey:{step}"})
    flow.wait_up()
    flow.drop(2)
    assert agent.ask("key", "rotate").code != 0
    wait_for(lambda: agent.process.poll() is not None, "the agent to be killed")
    agent.start()
    flow.wait_up()
    flow.drop(1)
    flow.wait_settled()
    assert set(flow.states().values()) == {"delivered"}
    assert agent.ask("audit", "verify").code == 0


# ---- backup ----

def switch(flow, on):
    text = (flow.agent.conf / "isa.conf").read_text()
    flow.agent.write_conf("isa.conf", text.replace(f"= {'no' if on else 'yes'}\n", f"= {'yes' if on else 'no'}\n"))
    assert flow.agent.ask("reload").code == 0


def restored(flow, backup, agents):
    """Another agent, on another machine: the backup, the two secret keys, the configuration."""
    agent = agents()
    shutil.rmtree(agent.state)
    shutil.copytree(backup, agent.state)
    agent.state.chmod(0o700)
    (agent.state / "keys").mkdir(mode=0o700)
    shutil.copy(key_file(flow.agent), key_file(agent))
    shutil.copy(flow.agent.state / "audit-key.pem", agent.state / "audit-key.pem")
    agent.settings = flow.agent.settings
    agent.write_agent_conf()
    agent.site_folder("plans")
    agent.secret("isa", "id", flow.partner.user_key.private)
    agent.write_conf("site.conf", SITE.format(site=agent.site / "plans", retention="10 years"))
    agent.write_conf("isa.conf", AGREEMENT.format(
        port=flow.partner.port, user=flow.partner.user, host_key=flow.partner.host_key.fingerprint, folder=FOLDER,
        window=WINDOW))
    return agent


def test_backup_under_traffic_and_restore(flow, agents):
    """A backup is made while plans come in. Put back on an empty state folder, with the key file: everything that was
    admitted before it is there, what was open is delivered, the trail goes on and says that it was restored."""
    agent, backup = flow.agent, flow.agent.home / "backup"
    flow.drop(12)
    flow.wait_settled()
    switch(flow, False)
    flow.drop(8, broken=False)  # admitted, and held
    wait_for(lambda: len(flow.states()) == 20 and not flow.left(), lambda: f"20 messages: {flow.states()}")
    before = flow.states()
    flow.drop(30, broken=False)
    answer = agent.ask("backup", backup)
    assert answer.code == 0, answer
    assert answer["backup"][0]["folder"] == str(backup) and "copies of the store's key file" in answer.line
    wait_for(lambda: not flow.left(), "the rest to be taken")
    after = flow.states()
    assert not list(backup.rglob("*.key")) and not (backup / "audit-key.pem").exists()
    assert not (agent.home / "backup.partial").exists()
    for path in files(backup):
        assert not [text for text in CLEAR if text in path.read_bytes()], path
    agent.stop()

    for path in flow.there.iterdir():
        path.unlink()
    second = restored(flow, backup, agents)
    second.start()

    def states():
        return {row["name"]: row["state"] for row in second.ask("messages", "--limit", 256)["messages"]}
    wait_for(lambda: set(states().values()) <= {"delivered", "quarantined", "dead"},
             lambda: f"what was open to be settled: {states()}; the log ends:\n{second.log_tail()}")
    now = states()
    assert set(before) <= set(now) <= set(after)
    open_then = {name for name, state in before.items() if state == "held"}
    arrived = {path.name: digest(path.read_bytes()) for path in flow.there.iterdir()}
    assert len(open_then) == 8 and open_then <= set(arrived)
    assert arrived == {name: flow.good[name] for name in arrived}
    assert all(now[name] == state for name, state in before.items() if state != "held")

    assert second.ask("audit", "verify").code == 0
    for chain in ("host", "isa", "site"):
        told = [record for record in second.audit_records(chain) if record["event.action"] == "store-restored"]
        assert len(told) == 1 and "backup made at" in told[0]["event.reason"], chain
        ours = {record["accord.hash"] for record in agent.audit_records(chain)}
        theirs = [record["accord.hash"] in ours for record in second.audit_records(chain)]
        assert theirs == sorted(theirs, reverse=True) and theirs[0] and not theirs[-1]  # the same, then its own
    assert int(second.ask("status")["agent"][0]["incidents"]) == 1
    second.drop("plans", "plan-9000.edi", plan(9000))
    wait_for(lambda: states().get("plan-9000.edi") == "delivered", lambda: f"it to go on: {states()}")
    second.restart()
    told = [record for record in second.audit_records("host") if record["event.action"] == "store-restored"]
    assert len(told) == 1  # told once
    assert second.ask("audit", "verify").code == 0


def test_backup_put_back_beside_the_newer_trail(flow, agents):
    """Only the store's disk was lost: with the trail's own files still there, the chains go on behind them."""
    agent, backup = flow.agent, flow.agent.home / "backup"
    flow.drop(4)
    flow.wait_settled()
    assert agent.ask("backup", backup).code == 0
    flow.drop(4)
    flow.wait_settled()
    agent.stop()
    lines = {chain: len(agent.audit_records(chain)) for chain in ("host", "isa", "site")}
    shutil.rmtree(agent.state / "store")
    shutil.copytree(backup / "store", agent.state / "store")
    agent.start()
    flow.wait_up()
    assert len(flow.states()) == 4
    assert agent.ask("audit", "verify").code == 0
    for chain, count in lines.items():
        records = agent.audit_records(chain)
        actions = [record["event.action"] for record in records]
        assert len(records) > count and "store-restored" in actions[count:]
        assert [record["accord.sequence"] for record in records] == list(range(1, len(records) + 1))


def test_backups_that_are_refused(flow):
    """Into the state folder, onto something that is there, where the agent may not write: the reason is told, nothing
    is left, and the agent goes on."""
    agent = flow.agent
    there = agent.home / "there"
    there.mkdir()
    give(agent.home)
    for folder, words in ((there, "there already"), (agent.state / "copy", "in the agent's state folder"),
                          (agent.state / "audit/copy", "in the agent's state folder"),
                          ("/proc/copy", "cannot make"), (agent.home / "no/such/copy", "cannot make")):
        answer = agent.ask("backup", folder)
        assert answer.code in (1, 2) and words in answer.line, answer
    assert not list(there.iterdir()) and not list(agent.state.rglob("*copy*"))
    (agent.home / "half.partial").mkdir()
    answer = agent.ask("backup", agent.home / "half")
    assert answer.code == 1 and "not finished" in answer.line
    flow.drop(1)
    flow.wait_settled()
