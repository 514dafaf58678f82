"""Kills of the hub and of the link in the middle of a transfer through RabbitMQ, each way: nothing is lost, order is kept where
it was asked for, and every repeat says that it may be one."""
import collections
import os
import signal

from exact import seeded
from harness import BUILD, give, wait_for
from load import AGREEMENT as LOAD_AGREEMENT
from load import add_plugins, lines, text_of
from queues import AGREEMENT, Message, numbered, rabbit  # noqa: F401

MESSAGES = int(os.environ.get("ACCORD_MESSAGES", 20000))
KILLS = MESSAGES // 2000
SECONDS = MESSAGES // 100  # for all to arrive, with sanitizers on busy cores
ORDERED = MESSAGES // 20
SIZE = 256
TESTKIT = BUILD / "lib/accord/testkit"


class Transfer:
    """The connectors pulse and sink on our side, a queue or two on the other. `east` brings in, `west` sends out."""

    def __init__(self, agent, broker, east, west):
        self.agent, self.broker, self.random = agent, broker, None
        if not (agent.installation.plugins / "connector-pulse.so").exists():
            add_plugins(agent.installation, BUILD)
        self.folder = agent.home / "load"
        self.folder.mkdir()
        give(self.folder)
        for name in ("east", "west"):
            agent.secret(name, "mq.password", b"open sesame\n")
            agent.secret(name, "root.pem", broker.authority.trust)
        mq = {"endpoint mq": {"host": "localhost", "port": broker.port},
              "link mq": {**AGREEMENT["link mq"], "connect-timeout": "5 s"}}
        agent.write_conf("east.conf", text_of({"agreement": LOAD_AGREEMENT, **self.filled(east, mq),
                                               "release opaque": {"to": "west"}}))
        agent.write_conf("west.conf", text_of({"agreement": LOAD_AGREEMENT, **self.filled(west, mq)}))

    def filled(self, sections, mq):
        made = {}
        for name, keys in sections.items():
            made |= mq if name == "link mq" else {name: {"folder": self.folder, **keys} if name.startswith("link") else keys}
        return made

    def start(self):
        self.agent.start()

    def kill(self, name):
        """The link or the hub, by chance."""
        link = self.agent.child(name)
        if link and self.random.random() < 0.5:
            os.kill(link, signal.SIGKILL)
            return
        self.agent.kill()
        self.agent.start()

    def lines(self, name):
        return lines(self.folder / name)

    def count(self, name):
        path = self.folder / name
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def gauge(self, agreement, service, state="delivered"):
        """Deliveries that the store knows."""
        return sum(int(row[state]) for row in self.agent.ask("status").tables.get("queues", [])
                   if row["agreement"] == agreement and row["service"] == service)

    def rage(self, name, count, total):
        """Kills at even distances; `count` says how far it is."""
        self.random = seeded(f"mq-kills-{name}")
        for kill in range(KILLS):
            goal = total * (kill + self.random.random()) / (KILLS + 1)
            wait_for(lambda: count() >= goal, lambda: f"{goal:.0f} of {total}, there are {count()}: {self.agent.log_tail()}", 120)
            self.kill(name)


def check_order(numbers):
    """What comes first of each stands in the order in which it was offered."""
    firsts = list(dict.fromkeys(numbers))
    assert firsts == sorted(firsts), next(pair for pair in zip(firsts, firsts[1:]) if pair[0] > pair[1])


def test_what_goes_out_over_kills(agent, rabbit):  # noqa: F811
    """Every message that was accepted is in the queue; what is there twice has the same message-id; those of the ordered
    service came in their order."""
    many, few = rabbit.queue(), rabbit.queue()
    sending = {"type": "opaque", "direction": "send", "link": "mq", "retry-first": "100 ms", "retry-longest": "1 s"}
    pulse = {"type": "opaque", "direction": "receive", "link": "pulse", "size": SIZE}
    transfer = Transfer(agent, rabbit, {
        "link pulse": {"connector": "pulse"},
        "service many": {**pulse, "count": MESSAGES - ORDERED}, "service few": {**pulse, "count": ORDERED, "prefix": "few",
                                                                               "window": 1}},
        {"link mq": None, "service many": {**sending, "address": many, "from": "east/many"},
         "service few": {**sending, "address": few, "from": "east/few", "ordered": "yes"}, "policy encryption": {}})
    transfer.start()
    transfer.rage("link-west", lambda: transfer.count("many.pulse"), MESSAGES - ORDERED)
    wait_for(lambda: transfer.gauge("west", "many") >= MESSAGES - ORDERED and transfer.gauge("west", "few") >= ORDERED,
             lambda: f"all to go: {agent.ask('status')}; {agent.log_tail()}", SECONDS)
    for name, queue, count in (("many", many, MESSAGES - ORDERED), ("few", few, ORDERED)):
        accepted = {line[2]: int(line[0]) for line in transfer.lines(f"{name}.pulse") if line[3] == "accepted"}
        seen, bodies = collections.Counter(), {}
        order = []
        for message in rabbit.rest(queue, 1.0):
            body = bytes(message.body)
            assert bodies.setdefault(message.id, body) == body, "one id, two contents"
            seen[message.id] += 1
            order.append(accepted.get(message.id, 0))
        assert set(accepted) <= set(seen) and len(seen) == count, f"{name}: {len(set(accepted) - set(seen))} lost of {count}"
        assert len(set(bodies.values())) == count, "one content under two ids: a repeat that nobody can tell"
        if name == "few":
            check_order([number for number in order if number])
        print(f"{name}: {sum(seen.values()) - count} repeats after {KILLS} kills")
    assert agent.ask("audit", "verify").code == 0


def test_what_comes_in_over_kills(agent, rabbit):  # noqa: F811
    """Every message of the queue is held once: the application's message-id tells repeats. What has no id comes at least once,
    and each further one is flagged."""
    many, few = rabbit.queue(), rabbit.queue()
    count, unnamed = MESSAGES - ORDERED, ORDERED
    receiving = {"type": "opaque", "direction": "receive", "link": "mq"}
    transfer = Transfer(agent, rabbit, {
        "link mq": None, "service many": {**receiving, "address": many}, "service few": {**receiving, "address": few},
        "policy encryption": {}},
        {"link sink": {"connector": "sink"},
         "service many": {"type": "opaque", "direction": "send", "link": "sink", "from": "east/many", "verify": "no",
                          "ordered": "yes"},
         "service few": {"type": "opaque", "direction": "send", "link": "sink", "from": "east/few", "verify": "no"}})
    rabbit.put(few, *numbered(unnamed, SIZE))
    rabbit.put(many, *(Message(body, id=f"m-{number:06}", durable=True, inferred=True)
                       for number, body in enumerate(numbered(count, SIZE, first=unnamed))))
    transfer.start()
    transfer.rage("link-east", lambda: transfer.count("many.sink"), count)
    wait_for(lambda: transfer.gauge("west", "many") >= count and transfer.gauge("west", "few") >= unnamed,
             lambda: f"all to come: {agent.ask('status')}; {agent.log_tail()}", SECONDS)
    wait_for(lambda: not rabbit.rest(many) and not rabbit.rest(few), "the queues to be empty")
    arrived = [line for line in transfer.lines("many.sink") if line[-1] in ("delivered", "uncertain")]
    assert {line[2] for line in arrived} == {f"m-{number:06}" for number in range(count)}
    assert len({line[1] for line in arrived}) == count, "one message-id was held as two messages"
    firsts = collections.Counter(line[2] for line in arrived if line[3] == "1")
    assert all(times == 1 for times in firsts.values()), "a repeat to the sink that did not say so"
    check_order([int(line[2][2:]) for line in arrived])
    held = flags(agent, "east/few")
    assert len(held) >= unnamed and sum(not flagged for flagged in held) == unnamed, \
        f"{len(held)} of {unnamed}, {sum(map(bool, held))} flagged"
    print(f"without names: {len(held) - unnamed} came again after {KILLS} kills, each flagged")
    assert agent.ask("audit", "verify").code == 0


def flags(agent, origin):
    """Of all messages from there."""
    found, last = [], ()
    while page := agent.ask("messages", "--limit", 256, *last)["messages"]:
        found += [row.get("flags", "") for row in page if row["origin"] == origin]
        last = "--before", page[-1]["id"]
    return found
