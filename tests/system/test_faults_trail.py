"""R15: the audit trail is held against the store's heads, so that no change to it goes unseen."""
import os

import pytest

from exact import Flow, seeded
from harness import Agent, Partner

CHANGES = int(os.environ.get("ACCORD_CHANGES", "3"))


def flip(random, content):
    at = random.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << random.randrange(8)]) + content[at + 1:]


def lines_of(content):
    return content.splitlines(keepends=True)


def cut_line(random, content):
    lines = lines_of(content)
    lines.pop(random.randrange(len(lines)))
    return b"".join(lines)


def swap_lines(random, content):
    lines = lines_of(content)
    at = random.randrange(len(lines) - 1)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    return b"".join(lines)


def repeat_line(random, content):
    lines = lines_of(content)
    at = random.randrange(len(lines))
    lines.insert(random.randrange(len(lines) + 1), lines[at])
    return b"".join(lines)


def cut_end(random, content):
    return b"".join(lines_of(content)[:-1])


WAYS = [flip, cut_line, swap_lines, repeat_line, cut_end]


@pytest.fixture(scope="module")
def told(installation):
    """An agent whose trail has something to tell, and which is idle."""
    agent, server = Agent(installation), Partner(installation.folder())
    agent.settings = {"audit": {"anchor-every": "1 day"}}
    agent.write_agent_conf()
    flow = Flow(agent, server)
    try:
        agent.start()
        flow.wait_up()
        flow.drop(12)
        flow.wait_settled()
        assert agent.ask("audit", "verify").code == 0
        yield agent
        again = agent.ask("audit", "verify")
        assert again.code == 0, f"put back as it was, it verifies again: {again}"
    finally:
        agent.close()
        server.stop()


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
def test_changed_trail(way, told):
    """R15: a bit is flipped, a line cut, swapped with its neighbour or repeated, or the last line taken away, at random
    places of every chain's file: each of these is found, and the file named."""
    random = seeded(f"trail {way.__name__}")
    paths = [path for path in sorted((told.state / "audit").glob("*/*.jsonl")) if len(lines_of(path.read_bytes())) > 1]
    assert {path.parent.name for path in paths} == {"host", "site", "isa"}
    for nth in range(1 if way is cut_end else CHANGES):
        for path in paths:
            whole = changed = path.read_bytes()
            try:
                changed = way(random, whole)
                path.write_bytes(changed)
                found = told.ask("audit", "verify")
            finally:
                path.write_bytes(whole + path.read_bytes()[len(changed):])  # it may have gone on
            assert found.code == 1, f"{way.__name__} in {path} was not found: {found}"
            assert any(path.name in row["file"] for row in found["problems"]), found
