"""`accord audit export`: what an auditor gets is the whole trail up to the moment, verifies by itself, and says what it was
made without."""
import pathlib
import shutil
import stat

import pytest

from exact import Flow
from harness import wait_for


@pytest.fixture
def flow(agent, partner):
    agent.settings = {"audit": {"anchor-every": "1 second"}}
    agent.write_agent_conf()
    one = Flow(agent, partner())
    agent.start()
    one.wait_up()
    return one


def lines_of(folder, chain="*"):
    return {path.parent.name + "/" + path.name: path.read_bytes().splitlines(keepends=True)
            for path in sorted(pathlib.Path(folder).glob(f"{chain}/*.jsonl"))}


def anchored(agent, chain="isa"):
    return [record for record in agent.audit_records("host")
            if record["event.action"] == "audit-anchor" and f"accord.details.chain.{chain}" in record]


def verify(agent, folder):
    """As an auditor does it: nothing but the folder, and no configuration."""
    return agent.ask("audit", "verify", folder, conf=agent.home / "nothing")


def unbroken(agent, folder):
    answer = verify(agent, folder)
    assert answer.code == 0 and "unbroken" in answer.line and not answer["problems"], answer
    assert answer["trail"][0]["signatures"] == "checked" and int(answer["trail"][0]["anchors"]) > 0, answer
    return answer


def settled(flow, plans=4):
    flow.drop(plans)
    flow.wait_settled()
    wait_for(lambda: anchored(flow.agent), "an anchor that names the agreement's chain")
    return flow.agent


def test_the_whole_trail(flow):
    agent, folder = settled(flow), flow.agent.home / "copy"
    there = lines_of(agent.state / "audit")
    answer = agent.ask("audit", "export", folder)
    assert answer.code == 0, answer
    row, copied = answer["export"][0], lines_of(folder)
    assert {name.split("/")[0] for name in copied} == {"host", "isa", "site"} and row["chains"] == "3"
    assert int(row["records"]) == sum(map(len, copied.values())) and row["agent"] == "running"
    assert f"{row['records']} records in 3 chains, from {row['from']} to {row['to']}" in answer.line
    times = [line.split(b'"')[3].decode() for lines in copied.values() for line in lines]
    assert (row["from"], row["to"]) == (min(times), max(times))
    for name, lines in there.items():
        assert copied[name][:len(lines)] == lines, f"{name} lacks what was there before"
    assert sorted(path.name for path in folder.iterdir()) == ["audit-key.pub.pem", "host", "isa", "site"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        assert path.is_dir() or b"PRIVATE" not in path.read_bytes(), path
    assert not (agent.home / "copy.partial").exists()
    assert unbroken(agent, folder)["trail"][0]["records"] == row["records"]


def test_the_export_is_on_record_with_the_user(flow):
    agent = settled(flow, 1)
    assert agent.ask("audit", "export", agent.home / "copy").code == 0

    def recorded():
        return [record for record in agent.audit_records("host")
                if record["event.action"] == "command" and record.get("event.reason") == "audit export"]
    record = wait_for(recorded, "the export to be in the host's chain")[0]
    assert record["user.name"]


def test_up_to_now(flow):
    """What was committed before the command is in the copy, whether it had been exported by then or not."""
    agent = settled(flow)
    for number in range(3):
        reason = f"for the auditor {number}"
        assert agent.ask("suspend", "isa", "--reason", reason).code == 0
        folder = agent.home / f"copy{number}"
        assert agent.ask("audit", "export", folder).code == 0
        text = b"".join(line for lines in lines_of(folder, "isa").values() for line in lines).decode()
        assert reason in text
        assert agent.ask("resume", "isa").code == 0


def test_one_agreement(flow):
    """The chains that were left out are no problem, and are said; one that goes missing beside them is."""
    agent, folder = settled(flow), flow.agent.home / "copy"
    wait_for(lambda: anchored(agent, "site"), "an anchor that names the chain that is left out")
    answer = agent.ask("audit", "export", folder, "--agreement", "isa")
    assert answer.code == 0 and answer["export"][0]["left-out"] == "1", answer
    assert {name.split("/")[0] for name in lines_of(folder)} == {"host", "isa"}
    assert (folder / "left-out.txt").read_text() == "site\n"
    found = unbroken(agent, folder)
    assert "1 more chain, left out of this copy" in found.line and found["trail"][0]["left-out"] == "1"
    shutil.move(folder / "isa", agent.home / "isa")
    found = verify(agent, folder)
    assert found.code == 1 and [row["file"] for row in found["problems"]] == ["isa"], found
    shutil.move(agent.home / "isa", folder / "isa")
    (folder / "left-out.txt").unlink()
    found = verify(agent, folder)
    assert found.code == 1 and [row["file"] for row in found["problems"]] == ["site"], found


def test_the_agents_own_trail_is_never_without_a_chain(flow):
    agent = settled(flow)
    left_out, aside = agent.state / "audit/left-out.txt", agent.home / "aside"
    agent.stop()
    left_out.write_text("isa\n")
    shutil.move(agent.state / "audit/isa", aside)
    found = agent.ask("audit", "verify")
    assert found.code == 1 and "isa" in [row["file"] for row in found["problems"]], found


def test_an_agreement_without_a_trail(flow):
    agent, folder = flow.agent, flow.agent.home / "copy"
    for name, code, reason in (("nobody", 1, "no trail of an agreement nobody"), ("../audit", 2, "is no name")):
        answer = agent.ask("audit", "export", folder, "--agreement", name)
        assert answer.code == code and reason in answer.line, answer
    assert not folder.exists() and not (agent.home / "copy.partial").exists()


def test_a_changed_byte_in_the_copy_is_found(flow):
    agent, folder = settled(flow), flow.agent.home / "copy"
    agent.stop()  # with an anchor of all that there is
    assert agent.ask("audit", "export", folder).code == 0
    for path in sorted(folder.glob("*/*.jsonl")):
        whole = path.read_bytes()
        at = len(whole) // 2
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        found = verify(agent, folder)
        assert found.code == 1 and any(path.name in row["file"] for row in found["problems"]), found
        path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-2]))
        if path.parent.name != "host":
            found = verify(agent, folder)
            assert found.code == 1 and "cut" in [row["fault"] for row in found["problems"]], f"{path}: {found}"
        path.write_bytes(whole)
    unbroken(agent, folder)


def test_folders_that_are_refused(flow):
    agent = settled(flow, 1)
    there = agent.home / "there"
    there.mkdir()
    for folder, reason in ((there, "is there already"), (agent.state / "copy", "in the agent's state folder"),
                           (agent.home / "no/copy", "cannot make")):
        answer = agent.ask("audit", "export", folder)
        assert answer.code == 1 and reason in answer.line, answer
    assert not list(there.iterdir()) and not list(agent.home.rglob("*.partial"))


def test_nothing_stays_of_an_export_that_fails(flow):
    """A chain whose end is gone cannot be handed out as the trail up to now."""
    agent = settled(flow)
    path = sorted((agent.state / "audit").glob("isa/*.jsonl"))[-1]

    def without_its_end():
        whole = path.read_bytes()
        cut = b"".join(whole.splitlines(keepends=True)[:-1])
        path.write_bytes(cut)
        answer = agent.ask("audit", "export", agent.home / "copy")
        if answer.code == 0:  # a new record was just written behind the gap, so this is not the case: once more
            now = path.read_bytes()
            assert now.startswith(cut) and len(now) > len(cut)
            path.write_bytes(whole + now[len(cut):])
            shutil.rmtree(agent.home / "copy")
        return answer.code and answer
    answer = wait_for(without_its_end, "an export that finds the end gone")
    assert answer.code == 1 and "accord audit verify" in answer.line and "isa" in answer.line, answer
    assert not (agent.home / "copy").exists() and not (agent.home / "copy.partial").exists()


def test_without_an_agent_what_is_there_is_copied(flow):
    agent, folder = settled(flow), flow.agent.home / "copy"
    agent.stop()
    path = sorted((agent.state / "audit").glob("isa/*.jsonl"))[-1]
    path.write_bytes(path.read_bytes() + b'{"@timestamp":"')  # a line that was being written
    answer = agent.ask("audit", "export", folder)
    assert answer.code == 0 and answer["export"][0]["agent"] == "not running", answer
    assert "no agent runs there" in answer.line
    there = lines_of(agent.state / "audit")
    there[f"isa/{path.name}"].pop()
    assert lines_of(folder) == there
    unbroken(agent, folder)


def test_a_record_that_is_missing_is_told_and_the_rest_copied(flow):
    agent, folder = settled(flow), flow.agent.home / "copy"
    agent.stop()
    path = sorted((agent.state / "audit").glob("isa/*.jsonl"))[-1]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[4:]))
    answer = agent.ask("audit", "export", folder)
    assert answer.code == 1 and answer["export"][0]["missing"] == "2", answer
    assert "2 between them missing or damaged: accord audit verify says which" in answer.line
    assert verify(agent, folder).code == 1


def test_while_traffic_flows(flow):
    """Every copy that is made while records are written is whole in itself."""
    agent = settled(flow)
    before = len(agent.audit_records())
    for number in range(4):
        flow.drop(15)
        folder = agent.home / f"copy{number}"
        assert agent.ask("audit", "export", folder).code == 0
        unbroken(agent, folder)
        for name, lines in lines_of(folder).items():
            assert lines[-1].endswith(b"}\n"), name
    flow.wait_settled()
    wait_for(lambda: len(agent.audit_records()) > before + 60, "the traffic to be on record")
