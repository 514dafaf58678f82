"""The MQ link's traffic, as the system tests send it: requests from a folder of the site to a partner's queue, answers from
another queue into another folder. The partner is RabbitMQ, or amqp_partner.py where RabbitMQ cannot be made to do wrong."""
import pytest
from proton import Message
from proton.handlers import MessagingHandler
from proton.reactor import Container

from authority import Authority
from harness import ROOT, wait_for
from rabbitmq import RabbitMQ
from traffic import FOLDERS, agreed, conf, receiving, sending, write_site

SERVER = ROOT / "build/servers-rabbitmq"
USERS = {"acme": "open sesame", "feeder": "feeder"}
QUEUES = 80

SITE = {**FOLDERS, **receiving("requests", "opaque", rescan="500 ms"), **sending("responses", "opaque")}
AGREEMENT = {
    "agreement": agreed(),
    "endpoint mq": {"host": "localhost", "port": None},
    "link mq": {"connector": "mq", "endpoint": "mq", "profile": "rabbitmq", "user": "acme", "password": "mq.password",
                "trust": "root.pem", "answer-timeout": "10 s", "connect-timeout": "10 s"},
    "service request": {"type": "opaque", "direction": "send", "link": "mq", "address": None, "reply-to": None,
                        "from": "site/requests", "expect-response": "1 h", "retry-first": "300 ms",
                        "retry-longest": "1 s"},
    "service response": {"type": "opaque", "direction": "receive", "link": "mq", "address": None,
                         "correlates": "request", "to": "site/responses"},
    "policy encryption": {},
}
SENDING = {"service response": None}


# ---- the partner's programs ----

class Putter(MessagingHandler):
    """Puts messages into a queue, and ends when the broker has answered for all of them."""

    def __init__(self, url, queue, messages):
        super().__init__()
        self.url, self.queue, self.messages, self.left = url, queue, iter(messages), 0
        self.over = False

    def on_start(self, event):
        connection = event.container.connect(self.url, allowed_mechs="PLAIN", allow_insecure_mechs=True)
        event.container.create_sender(connection, f"/amq/queue/{self.queue}")

    def on_sendable(self, event):
        while event.sender.credit and self.left < 500 and not self.over:
            message = next(self.messages, None)
            if message is None:
                self.over = True
                self.end(event)
                return
            event.sender.send(message)
            self.left += 1

    def on_accepted(self, event):
        self.left -= 1
        self.on_sendable(event)
        self.end(event)

    def end(self, event):
        if self.over and not self.left:
            event.connection.close()


class Taker(MessagingHandler):
    """Takes messages out of a queue until `enough` of them says so, or none has come for some seconds."""

    def __init__(self, url, queue, enough, quiet):
        super().__init__(prefetch=500)
        self.url, self.queue, self.enough, self.quiet, self.messages = url, queue, enough, quiet, []

    def on_start(self, event):
        self.connection = event.container.connect(self.url, allowed_mechs="PLAIN", allow_insecure_mechs=True)
        event.container.create_receiver(self.connection, f"/amq/queue/{self.queue}")
        self.counted = 0
        self.timer = event.container.schedule(self.quiet, self)

    def on_timer_task(self, event):
        if self.counted == len(self.messages):
            self.connection.close()
            return
        self.counted = len(self.messages)
        self.timer = event.container.schedule(self.quiet, self)

    def on_message(self, event):
        self.messages.append(event.message)
        if self.enough(self.messages):
            self.accept(event.delivery)
            self.timer.cancel()
            self.connection.close()


class Broker:
    """RabbitMQ with queues that each test takes some of."""

    def __init__(self, folder):
        self.authority = Authority()
        names = [f"q{number:02}" for number in range(QUEUES)]
        self.names = iter(names)
        arguments = {name: {} for name in names}
        self.server = RabbitMQ(SERVER, folder, identity=self.authority.server(), trust=self.authority.trust, users=USERS,
                               queues={**arguments, "full": {"x-max-length": 2, "x-overflow": "reject-publish"}})
        self.port = self.server.tls_port
        self.url = f"amqp://feeder:feeder@127.0.0.1:{self.server.port}"

    def queue(self):
        return next(self.names)

    def put(self, queue, *messages):
        made = (one if isinstance(one, Message) else Message(one, durable=True, inferred=True) for one in messages)
        Container(Putter(self.url, queue, made)).run()

    def take(self, queue, count, quiet=20.0):
        """So many; fewer when none comes for so many seconds."""
        taker = Taker(self.url, queue, lambda messages: len(messages) >= count, quiet)
        Container(taker).run()
        return taker.messages

    def rest(self, queue, quiet=0.3):
        """What else is in it."""
        taker = Taker(self.url, queue, lambda messages: False, quiet)
        Container(taker).run()
        return taker.messages

    def answer(self, queue, count, **properties):
        """Plays the partner for so many requests; returns them."""
        requests = self.take(queue, count)
        for request in requests:
            self.put(request.reply_to.rpartition("/")[2], Message(
                b"answer to " + bytes(request.body), correlation_id=request.id, durable=True, inferred=True, **properties))
        return requests


@pytest.fixture(scope="module")
def rabbit(installation):
    if not (SERVER / "complete").exists():
        pytest.skip("RabbitMQ could not be fetched (see build/logs/servers-mq.log)")
    one = Broker(installation.folder() / "rabbitmq")
    yield one
    one.server.close()


# ---- our side ----

class Queues:
    """An agent with the agreement `isa`, and a broker: rabbitmq (Broker) or amqp_partner.AmqpPartner. Nothing runs yet."""

    def __init__(self, agent, broker, *changes, site=None):
        self.agent, self.broker = agent, broker
        self.requests, self.responses = agent.site_folder("requests"), agent.site_folder("responses")
        self.asked, self.answered = (broker.queue(), broker.queue()) if isinstance(broker, Broker) else ("in", "out")
        agent.secret("isa", "mq.password", b"open sesame\n")
        agent.secret("isa", "root.pem", broker.authority.trust)
        identity = broker.authority.client()
        agent.secret("isa", "client.pem", identity.chain)
        agent.secret("isa", "client.key", identity.key)
        write_site(agent, SITE, site or {})
        self.write_agreement(*changes)

    def write_agreement(self, *changes):
        given = {"endpoint mq": {"port": self.broker.port}, "service request": {"address": self.asked,
                                                                                 "reply-to": self.answered}}
        response = {"service response": {"address": self.answered}}
        self.agent.write_conf("isa.conf", conf(AGREEMENT, given, response, *changes))

    def start(self, **how):
        self.agent.start(**how)
        self.wait_state("up")
        return self

    def wait_state(self, state):
        def rows():
            return [row["state"] for row in self.agent.ask("agreements")["agreements"] if row["agreement"] == "isa"]
        wait_for(lambda: rows() == [state], lambda: f"isa to be {state}: {rows()}; the log ends:\n{self.agent.log_tail()}")

    def send(self, name, content=None):
        content = name.encode() if content is None else content
        self.agent.drop("requests", name, content)
        return content

    def wait(self, name, state, patience=60):
        return self.agent.wait_message(name=name, state=state)

    def delivery(self, row):
        return self.agent.ask("show", row["id"])["deliveries"][0]

    def came(self):
        return sorted(path.read_bytes() for path in self.responses.iterdir() if not path.name.startswith("."))

    def wait_came(self, contents, patience=60):
        wanted = sorted(contents)
        wait_for(lambda: len(self.came()) >= len(wanted), lambda: f"{len(wanted)} to come, there are {len(self.came())}; "
                 f"the log ends:\n{self.agent.log_tail()}", patience)
        assert self.came() == wanted

    def messages(self, *arguments):
        """All rows of `accord messages`."""
        rows, last = [], ()
        while page := self.agent.ask("messages", "--limit", 256, *arguments, *last)["messages"]:
            rows += page
            last = "--before", page[-1]["id"]
        return rows

    def related(self, row):
        return {(other["is"], other["id"]) for other in self.agent.ask("show", row["id"]).tables.get("related", [])}

    def link(self):
        return next(row for row in self.agent.ask("status")["links"] if row["agreement"] == "isa")

    def wait_parked(self):
        wait_for(lambda: self.link()["state"] == "parked",
                 lambda: f"the link to be parked: {self.link()}; the log ends:\n{self.agent.log_tail()}")
        return self.link()["reason"]

    def records(self, *actions, chain="isa"):
        return [record for record in self.agent.audit_records(chain) if record["event.action"] in actions]

    def wait_record(self, action):
        return wait_for(lambda: self.records(action), lambda: f"a record {action}; the log ends:\n{self.agent.log_tail()}")[0]


def numbered(count, size=200, first=0):
    """Bodies that differ, of about that size."""
    return [b"%08d " % number + b"x" * max(0, size - 9) for number in range(first, first + count)]

