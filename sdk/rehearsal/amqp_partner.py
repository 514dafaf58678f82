#!/usr/bin/python3
"""A partner's AMQP 1.0 broker to rehearse against, on this machine only: TLS, SASL PLAIN and EXTERNAL, queues in memory,
answers to requests with their correlation-id, and faults on request.

Prints one JSON object a line: first {"event": "listening", "port": N}, then what happens. Lines of JSON on its standard
input control it: {"play": "release", "service": "QUEUE", "times": 1}, {"clear": true}, {"put": "QUEUE", "text": "..."}.
"""
import argparse
import contextlib
import json
import pathlib
import ssl
import sys
import threading

from amqp_connection import KINDS, AmqpConnection, node
from authority import Authority
from partner import Faults, Partner
from proton import Message

class AmqpPartner(Partner):
    """The broker, in threads of this process. Change its attributes as it runs."""

    certificates = ssl.CERT_OPTIONAL  # EXTERNAL needs one, PLAIN does not

    def __init__(self, authority=None, port=0, identity=None, out=None, queues=()):
        self.users = {"acme": "open sesame"}        # of PLAIN
        self.mechanisms = ["PLAIN", "EXTERNAL"]
        self.credit, self.max_message_size = 200, 0  # what senders are given; 0: no limit
        self.idle_timeout, self.max_frame = None, 65536
        self.queues = {name: [] for name in queues}  # what waits, in order: (message, None)
        self.answers = {}                           # queue -> a function of the request: message or messages
        self.received, self.settled = [], []        # (queue, Message); (queue, outcome of what was given)
        self.faults = Faults(KINDS)
        self.sessions = []                          # of this process's threads: AmqpConnection
        super().__init__(authority, port, identity, out)

    def converse(self, connection, peer):
        AmqpConnection(self, connection, self.subject_of(connection)).run()

    # ---- queues ----

    def add(self, *names):
        for name in names:
            self.queues.setdefault(name, [])

    def put(self, queue, *messages):
        with self.lock:
            self.queues[queue] += [one if isinstance(one, tuple) else (one, None) for one in messages]
        self.wake()

    def wake(self):
        for session in list(self.sessions):
            session.wake()

    def take(self, queue):
        """The next message of a queue; None."""
        with self.lock:
            waiting = self.queues[queue] if queue in self.queues else []
            return waiting.pop(0) if waiting else None

    def give_back(self, queue, *entries):
        with self.lock:
            self.queues[queue][:0] = entries
        self.wake()

    def accepted(self, queue, message):
        """A message that we have answered for: it is kept, and answered if this queue answers."""
        with self.lock:
            self.received.append((queue, message))
        self.tell("taken", queue=queue, id=str(message.id), size=len(message.body or b""))
        if queue in self.answers:
            answers = self.answers[queue](message)
            self.put(node(message.reply_to) if message.reply_to else "answers",
                     *(answers if isinstance(answers, list) else [answers]))

    def bodies(self, queue):
        return [bytes(message.body) for name, message in list(self.received) if name == queue]

    # ---- orders ----

    def order(self, what, **how):
        """To every connection, now: force_close(), end_session(), detach(queue)."""
        for session in list(self.sessions):
            session.ask(what, how)


def answer_to(request, body, **properties):
    """As a partner answers: the correlation-id is the request's message-id."""
    return Message(body, correlation_id=request.id, durable=True, inferred=True, **properties)


# ---- the command ----

def control(partner, order):
    """One line of standard input."""
    if order.pop("clear", False):
        partner.faults.clear()
    if "put" in order:
        partner.put(order.pop("put"), Message(order.pop("text", "").encode(), inferred=True, durable=True))
    if "play" in order:
        partner.faults.play(order.pop("play"), **order)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 (default): any free one")
    parser.add_argument("--pki", required=True, type=pathlib.Path, help="folder for root.pem, client.pem, client.key: written")
    parser.add_argument("--queue", action="append", default=[], help="there is a queue of this name")
    parser.add_argument("--answer", action="append", default=[], metavar="QUEUE:QUEUE",
                        help="what comes to the first is answered in the second, unless the request names another")
    parser.add_argument("--mechanisms", default="PLAIN,EXTERNAL", help="SASL's, such as ANONYMOUS")
    parser.add_argument("--user", default="acme:open sesame", help="NAME:PASSWORD of PLAIN")
    parser.add_argument("--tls", default="1.2,1.3", help="versions")
    parser.add_argument("--play", action="append", default=[], metavar="FAULT[:QUEUE]",
                        help="each time: " + ", ".join(sorted(KINDS)))
    return parser.parse_args()


def echo(queue):
    def answered(request):
        request.reply_to = request.reply_to or queue
        return answer_to(request, b"answer to " + bytes(request.body))
    return answered


def main():
    options = parse()
    authority = Authority()
    options.pki.mkdir(parents=True, exist_ok=True)
    (options.pki / "root.pem").write_bytes(authority.trust)
    authority.client().write(options.pki, "client")
    partner = AmqpPartner(authority, options.port, out=sys.stdout, queues=options.queue)
    partner.mechanisms, partner.versions = options.mechanisms.split(","), tuple(options.tls.split(","))
    partner.users = dict([options.user.split(":", 1)])
    for pair in options.answer:
        asked, _, answered = pair.partition(":")
        partner.add(asked, answered)
        partner.answers[asked] = echo(answered)
    for fault in options.play:
        name, _, queue = fault.partition(":")
        partner.faults.play(name, queue or None)
    for line in sys.stdin:
        try:
            control(partner, json.loads(line))
        except (OSError, ValueError, TypeError, KeyError) as problem:
            partner.tell("not-understood", text=str(problem))
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    main()
