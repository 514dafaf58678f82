"""A store that was damaged while the agent was down: its journal cut off or with bits flipped, its index deleted
or corrupted. The agent always starts, says what is missing, keeps what had been committed before, and goes on."""
import os
import shutil

import pytest

from exact import Flow, digest, plan, seeded
from harness import Agent, Key, Partner, wait_for

MESSAGES = 8
RECORD_HEAD, SEALED_HEAD = 40, 72  # core/store/record.h
CLOSING = 96  # more bytes than the empty group has that closes a journal


def data_end(path):
    """Behind the last record, which may end with zeros; records begin at multiples of 8. The rest is preallocated."""
    return (len(path.read_bytes().rstrip(b"\0")) + 7) // 8 * 8


class Original:
    """A store with messages that wait for a partner who refused the key, of an agent that was stopped."""

    def __init__(self, installation):
        self.installation = installation
        self.agent = Agent(installation)
        self.agent.settings = {"store": {"segment-size": "1 MiB"}}
        self.agent.write_agent_conf()
        self.flow = None
        self.ends = []  # (name, where the journal ended once this message was in it)

    def fill(self, partner):
        self.flow = Flow(self.agent, partner)
        self.agent.secret("isa", "id", Key().private)
        self.agent.start()
        self.flow.wait_up()
        for count in range(MESSAGES):
            self.flow.drop(broken=False)
            wait_for(lambda: len(self.flow.states()) == count + 1 and not self.flow.left(), "the plan to be taken")
            newest = (set(self.flow.states()) - {name for name, _ in self.ends}).pop()
            self.ends.append((newest, data_end(self.journal())))
        self.agent.stop()
        return self

    def journal(self, agent=None):
        files = sorted(((agent or self.agent).state / "store").glob("*.seg"))
        assert len(files) == 1
        return files[0]

    def copy(self, agents, whole=False):
        """An agent with a copy of this state; with the same agreements, or (faster) with none."""
        copy = agents()
        shutil.rmtree(copy.state)
        shutil.copytree(self.agent.state, copy.state)
        copy.settings = self.agent.settings
        copy.write_agent_conf()
        if whole:
            copy.secret("isa", "id", self.flow.partner.user_key.private)
            copy.site_folder("plans")
            for name in ("site.conf", "isa.conf"):
                text = (self.agent.conf / name).read_text()
                copy.write_conf(name, text.replace(str(self.agent.site), str(copy.site)))
        return copy

    def before(self, offset):
        return {name for name, end in self.ends if end <= offset}


@pytest.fixture(scope="module")
def original(installation, module_partner):
    one = Original(installation)
    try:
        yield one.fill(module_partner)
    finally:
        one.agent.close()


@pytest.fixture(scope="module")
def module_partner(installation):
    one = Partner(installation.folder())
    yield one
    one.stop()


def flip(path, place, bit):
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << bit]))


def look(agent):
    """Starts it: the names of its messages, its incidents, and what its log says of them."""
    agent.start()
    names = {row["name"] for row in agent.ask("messages")["messages"]}
    incidents = int(agent.ask("status")["agent"][0]["incidents"])
    return names, incidents, [line for line in agent.log().splitlines() if "INCIDENT store.damaged" in line]


def check_trail(agent, damaged):
    """The trail goes on behind what its files have, whatever the store has lost, and tells of the damage."""
    verified = agent.ask("audit", "verify")
    assert verified.code == 0, verified
    told = [record for record in agent.audit_records("host") if record["event.action"] == "store-damaged"]
    assert bool(told) == damaged


def check_told(agent, incidents, lines, what):
    assert incidents == 1 and len(lines) == 1, agent.log_tail()
    assert what in lines[0]
    check_trail(agent, damaged=True)


def test_journal_cut_off(original, agents):
    """At twenty places: the agent starts, keeps what was committed before the place, counts what is missing in an
    incident and in the audit trail, and the trail goes on unbroken."""
    random, end = seeded("cut"), data_end(original.journal()) - CLOSING
    places = [0, 1, 4095, 4096, 4097, end] + sorted(random.sample(range(4098, end), 13))
    for place in places:
        agent = original.copy(agents)
        os.truncate(original.journal(agent), place)
        names, incidents, lines = look(agent)
        print(f"cut at {place} of {end}: {len(names)} messages left")
        assert names >= original.before(place), f"cut at {place}: too much is gone"
        check_told(agent, incidents, lines, "the end of the journal")
        assert f": {MESSAGES - len(names)} messages" in lines[0]
        agent.stop()


def test_journal_cut_in_its_closing_group(original, agents):
    """Nothing was in that last group: nothing is missing, and there is nothing to tell."""
    agent = original.copy(agents)
    os.truncate(original.journal(agent), data_end(original.journal()) - 1)
    names, incidents, lines = look(agent)
    assert len(names) == MESSAGES and incidents == 0 and not lines
    check_trail(agent, damaged=False)


def test_bits_flipped(original, agents):
    """One bit in the journal costs at most the message that it hit; that is told, and what was set aside is kept."""
    random, end = seeded("flip"), data_end(original.journal())
    content = original.journal().read_bytes()
    used = [place for place in range(4096, end) if content[place]]  # what is zero may be room between two records
    for place in sorted(random.sample(used, 8)):
        agent = original.copy(agents)
        flip(original.journal(agent), place, random.randrange(8))
        names, incidents, lines = look(agent)
        print(f"flipped at {place} of {end}: {len(names)} messages left")
        assert len(names) >= MESSAGES - 1
        check_told(agent, incidents, lines, "were set aside in")
        assert any((agent.state / "store/damaged").iterdir())
        agent.stop()


@pytest.mark.parametrize("how", ["deleted", "emptied", "overwritten", "partly overwritten"])
def test_index(how, original, agents):
    """The index can be made again from the journal: nothing is lost, and there is nothing to tell."""
    random, agent = seeded("index"), original.copy(agents)
    for path in (agent.state / "store").glob("index.sqlite*"):
        content = bytearray(path.read_bytes())
        if how == "deleted":
            path.unlink()
        elif how == "emptied":
            path.write_bytes(b"")
        elif how == "overwritten":
            path.write_bytes(random.randbytes(len(content)))
        else:
            for _ in range(10):
                at = random.randrange(max(1, len(content) - 64))
                content[at:at + 64] = random.randbytes(64)
            path.write_bytes(content)
    names, incidents, lines = look(agent)
    assert len(names) == MESSAGES
    assert incidents == 0 and not lines
    check_trail(agent, damaged=False)


def test_store_folder_gone(original, agents):
    """The whole store is gone: the trail's files still know of what was there, and the agent says how much."""
    agent = original.copy(agents)
    shutil.rmtree(agent.state / "store")
    names, incidents, lines = look(agent)
    assert not names
    check_told(agent, incidents, lines, "audit records")


def start_with_partner(agent, original):
    """The partner takes the key now. Returns the state that each message came to."""
    for path in original.flow.there.iterdir():
        path.unlink()
    agent.start()

    def states():
        rows = {row["name"]: row["state"] for row in agent.ask("messages")["messages"]}
        return rows if all(state in ("delivered", "dead") for state in rows.values()) else None
    return wait_for(states, lambda: f"what is left to be delivered; the log ends:\n{agent.log_tail()}")


def arrived(original):
    found = {path.name: digest(path.read_bytes()) for path in original.flow.there.iterdir()}
    assert found == {name: original.flow.good[name] for name in found}
    return set(found)


def test_what_is_left_is_delivered(original, agents):
    """The second half of the journal is gone: the messages before it arrive at the partner, as they were."""
    agent = original.copy(agents, whole=True)
    place = sorted(end for _, end in original.ends)[MESSAGES // 2]
    os.truncate(original.journal(agent), place)
    states = start_with_partner(agent, original)
    assert set(states) >= original.before(place) and set(states.values()) == {"delivered"}
    assert arrived(original) == set(states)
    check_trail(agent, damaged=True)


def payload_record(original, agent, name, size):
    """Where the sealed payload of a message begins: behind the heads of the one record of that size before its end."""
    ends = [end for _, end in original.ends]
    at = [one for one, _ in original.ends].index(name)
    journal = original.journal(agent).read_bytes()
    head = b"ACR1" + (SEALED_HEAD + size).to_bytes(4, "little")
    return journal.index(head, ends[at - 1], ends[at]) + RECORD_HEAD + SEALED_HEAD


@pytest.mark.parametrize("reader", ["link", "inspect"])
def test_damaged_payload_is_not_sent(reader, original, agents):
    """A bit of one message's payload is wrong: that one ends dead with the reason, the others arrive, and the process
    that was to read it goes on."""
    agent = original.copy(agents, whole=True)
    if reader == "inspect":  # another agreement: everything is judged again before it is sent
        agent.write_conf("isa.conf", (agent.conf / "isa.conf").read_text() + "; changed\n")
    name, _ = original.ends[MESSAGES // 2]
    content = plan(int(name[5:9]))
    flip(original.journal(agent), payload_record(original, agent, name, len(content)) + len(content) // 2, 0)
    states = start_with_partner(agent, original)
    assert {one for one, state in states.items() if state == "dead"} == {name}
    assert arrived(original) == set(states) - {name}
    row = next(row for row in agent.ask("messages")["messages"] if row["name"] == name)
    delivery = agent.ask("show", row["id"])["deliveries"][0]
    assert delivery["rule"] == "store.damaged" and delivery["reason"]
    assert "hub.child-failed" not in agent.log()
    check_trail(agent, damaged=True)
