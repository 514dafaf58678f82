"""State folders of older formats: opened, carried on with, and never written in the old form again."""
import json
import tarfile

import pytest

from exact import Flow, digest, plan
from harness import ROOT, give, wait_for

NEWEST = 3
CLEAR = b"EQD+CN+"


def version(path):
    with path.open("rb") as segment:
        return int.from_bytes(segment.read(20)[16:20], "little")


def fixture(old):
    return ROOT / f"tests/fixtures/store-format-{old}"


@pytest.fixture
def old():
    return 1


@pytest.fixture
def flow(agent, partner, old):
    """A flow whose agent has the old state folder; not started yet. Nothing in it has had its time, whenever this
    runs."""
    with tarfile.open(fixture(old) / "state.tar.xz") as archive:
        archive.extractall(agent.state)
    for path in agent.state.rglob("*"):
        give(path)
    agent.settings = {"store": {"segment-size": "1 MiB", "message-retention": "100 years"}}
    agent.write_agent_conf()
    return Flow(agent, partner())


@pytest.mark.parametrize("old", [1, 2])
def test_an_older_format(flow, old):
    """Everything in it is there, as it was; what was held is delivered, also the payload of several pieces, which was
    not sealed in format 1; what comes now is sealed, in a new file; and the trail goes on unbroken."""
    expected = json.loads((fixture(old) / "expected.json").read_text())
    agent, there = flow.agent, flow.there
    flow.agent.write_conf("isa.conf", (agent.conf / "isa.conf").read_text().replace("= yes", "= no", 1))
    agent.start()
    assert flow.states() == expected["messages"]
    lines = {chain: agent.audit_records(chain) for chain in expected["lines"]}
    assert all(len(lines[chain]) >= count for chain, count in expected["lines"].items())
    first = agent.state / "store/journal-0000000001.seg"
    assert version(first) == old and (CLEAR in first.read_bytes()) == (old == 1)
    old = first.read_bytes()

    flow.agent.write_conf("isa.conf", (agent.conf / "isa.conf").read_text().replace("= no", "= yes", 1))
    agent.ask("reload")
    flow.wait_up()
    wanted = {name: "delivered" if state == "held" else state for name, state in expected["messages"].items()}
    wanted["plan-0007.edi"] = "dead"
    wait_for(lambda: flow.states() == wanted, lambda: f"what was held to be settled: {flow.states()}")
    arrived = {path.name: digest(path.read_bytes()) for path in there.iterdir()}
    assert arrived == {name: expected["sha256"][name] for name in ("plan-0005.edi", "plan-0006.edi", "large.edi")}

    agent.drop("plans", "plan-0100.edi", plan(100))
    wait_for(lambda: flow.states().get("plan-0100.edi") == "delivered", "a new plan to arrive")
    agent.stop()
    newer = sorted(set((agent.state / "store").glob("*.seg")) - {first})
    assert newer and all(version(path) == NEWEST and CLEAR not in path.read_bytes() for path in newer)
    assert first.read_bytes().rstrip(b"\0") == old.rstrip(b"\0")
    assert (agent.state / "keys/store.key").stat().st_size == 32 and (agent.state / "store/keyring").exists()

    agent.start()
    assert len(flow.states()) >= len(wanted)
    assert agent.ask("audit", "verify").code == 0
    for chain, before in lines.items():
        assert agent.audit_records(chain)[:len(before)] == before
    assert int(agent.ask("status")["agent"][0]["incidents"]) == 0


def test_a_newer_format_is_left_alone(flow):
    """A file of the journal that a newer agent wrote: this one does not start, and says so."""
    agent = flow.agent
    agent.start()
    agent.stop()
    path = max((agent.state / "store").glob("*.seg"))
    content = bytearray(path.read_bytes())
    content[16] += 1
    content[24:28] = crc32c(content[:24]).to_bytes(4, "little")
    path.write_bytes(content)
    give(path)
    agent.start(ready=False)
    wait_for(lambda: agent.process.poll() is not None, "the agent to give up")
    assert f"has format {NEWEST + 1} and this agent reads up to format {NEWEST}" in agent.log().splitlines()[-1]
    assert path.read_bytes() == content


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
