"""The MQ link against RabbitMQ with its AMQP 1.0 plugin: requests and answers, sessions, refusals, a broker that goes away."""
import hashlib
import os

import pytest

from harness import wait_for
from queues import SENDING, Message, Queues, numbered, rabbit  # noqa: F401

CERTIFICATE = {"user": None, "password": None, "certificate": "client.pem", "key": "client.key", "sasl": "external"}
RECEIVING = {"service request": None, "service response": {"correlates": None}}


def body(number):
    return b"request %d" % number


# ---- both ways ----

def test_a_request_and_its_answer_are_shown_together(agent, rabbit):  # noqa: F811
    """CBP-1a.1: out over one queue, in over another, and the correlation-id brings them together."""
    mq = Queues(agent, rabbit, {"service request": {"subject": "AX", "content-type": "text/plain"}}).start()
    contents = [mq.send(f"ask-{number}", body(number)) for number in range(5)]
    requests = rabbit.answer(mq.asked, 5, content_type="text/plain")
    assert sorted(bytes(request.body) for request in requests) == contents
    mq.wait_came([b"answer to " + content for content in contents])
    for request in requests:
        row = next(row for row in mq.messages() if row["id"] == request.id)
        assert row["state"] == "delivered" and request.durable and request.subject == "AX", request
        delivery = mq.delivery(row)
        assert "accepted" in delivery["receipt"], delivery
        (kind, answer), = mq.related(row)
        assert kind == "answer" and mq.related({"id": answer}) == {("request", row["id"])}
    record = mq.wait_record("message-delivered")
    assert record["accord.message"] in {request.id for request in requests}
    assert agent.ask("audit", "verify").code == 0


def test_what_comes_keeps_its_properties_and_its_own_name(agent, rabbit):  # noqa: F811
    """The application's message-id is the identity: the same again is not a second message; without one nothing is
    suppressed, and what looks alike is flagged."""
    mq = Queues(agent, rabbit, RECEIVING)
    with_id = Message(b"once", id="CBP-1", reply_to="q-back", subject="status", content_type="text/plain", durable=True,
                      inferred=True)
    again = Message(b"once", id="CBP-1", durable=True, inferred=True)
    rabbit.put(mq.answered, with_id, again, b"no name", b"no name", b"other")
    mq.start()
    wait_for(lambda: len(mq.messages()) == 4, lambda: f"four messages: {mq.messages()}; {agent.log_tail()}")
    wait_for(lambda: not rabbit.rest(mq.answered), "the queue to be empty")
    mq.wait_came([b"once", b"no name", b"no name", b"other"])
    assert sorted(row.get("flags", "") for row in mq.messages()) == ["", "", "", "possible-repeat"]


def test_large_messages_go_both_ways(agent, rabbit):  # noqa: F811
    agent.settings = {"type opaque": {"max-size": "64 MiB"}}
    agent.write_agent_conf()
    mq = Queues(agent, rabbit).start()
    content = os.urandom(1 << 20) * 24
    mq.send("large", content)
    request, = rabbit.take(mq.asked, 1, 60)
    assert hashlib.sha256(bytes(request.body)).digest() == hashlib.sha256(content).digest()
    rabbit.put(mq.answered, Message(content, correlation_id=request.id, durable=True, inferred=True))
    mq.wait_came([content], 120)
    row = mq.wait("large", "delivered")
    assert {kind for kind, _ in mq.related(row)} == {"answer"}


# ---- sessions ----

@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("sasl", ["PLAIN", "EXTERNAL"])
def test_both_versions_of_tls_and_both_ways_to_log_in(agent, rabbit, version, sasl):  # noqa: F811
    mq = Queues(agent, rabbit, {"policy encryption": {"tls-versions": version}},
                {"link mq": CERTIFICATE} if sasl == "EXTERNAL" else {}, SENDING).start()
    mq.send("ask")
    assert [bytes(message.body) for message in rabbit.take(mq.asked, 1)] == [b"ask"]
    row = mq.wait("ask", "delivered")
    assert row
    def recorded(words):
        return words in str(mq.records("session-authenticated", "session-allowed"))
    wait_for(lambda: recorded(f"'accord.details.tls.version': '{version}'")
             and recorded(f"'accord.details.sasl.mechanism': '{sasl}'"), lambda: f"the session's records: {mq.records()}")
    assert "open sesame" not in agent.log() and "open sesame" not in str(agent.audit_records())


def test_wrong_credentials_park_the_link(agent, rabbit):  # noqa: F811
    """Nobody hammers; with the right password and `accord resume` what waited goes."""
    mq = Queues(agent, rabbit, SENDING)
    agent.secret("isa", "mq.password", b"wrong\n")
    mq.start()
    mq.send("ask")
    reason = mq.wait_parked()
    assert "user" in reason or "password" in reason or "PLAIN" in reason, reason
    assert mq.wait("ask", "waiting")
    agent.secret("isa", "mq.password", b"open sesame\n")
    assert agent.ask("resume", "isa").code == 0
    mq.wait("ask", "delivered")
    assert len(rabbit.take(mq.asked, 1)) == 1


def test_a_broker_that_nobody_vouches_for_is_told_no_password(agent, rabbit):  # noqa: F811
    from authority import Authority
    mq = Queues(agent, rabbit, SENDING)
    agent.secret("isa", "root.pem", Authority("Stranger").trust)
    mq.start()
    mq.send("ask")
    assert "certificate" in mq.wait_parked()
    assert not mq.records("session-authenticated")


def test_a_queue_that_is_not_there_takes_nothing(agent, rabbit):  # noqa: F811
    """RabbitMQ 3 would accept the message and drop it."""
    mq = Queues(agent, rabbit, SENDING, {"service request": {"address": "missing"}}, {"link mq": {"answer-timeout": "2 s"}})
    mq.start()
    mq.send("ask")
    row = mq.wait("ask", "waiting")
    wait_for(lambda: "missing" in mq.delivery(row)["reason"] and int(mq.delivery(row)["attempts"]) >= 1,
             lambda: f"the reason to name the queue: {mq.delivery(row)} {mq.link()}")
    mq.write_agreement(SENDING)
    assert agent.ask("reload").code == 0
    agent.ask("resume", "isa")
    mq.wait("ask", "delivered")
    assert len(rabbit.take(mq.asked, 1)) == 1


def test_what_a_full_queue_refuses_is_not_delivered(agent, rabbit):  # noqa: F811
    """RabbitMQ 3 answers by cutting the connection; two are in the queue, and the third is not called delivered until
    there is room."""
    mq = Queues(agent, rabbit, SENDING, {"service request": {"address": "full", "ordered": "yes"}}).start()
    for number in range(4):
        mq.send(f"ask-{number}", body(number))
    wait_for(lambda: sum(row["state"] == "delivered" for row in mq.messages()) == 2, lambda: f"two of them: {mq.messages()}")
    taken = []

    def all_delivered():
        taken.extend(rabbit.rest("full", 0.5))
        return all(row["state"] == "delivered" for row in mq.messages()) and len(mq.messages()) == 4
    wait_for(all_delivered, lambda: f"the others: {mq.messages()}; {agent.log_tail()}", 60)
    taken += rabbit.rest("full", 0.5)
    assert {bytes(message.body) for message in taken} == {body(number) for number in range(4)}


def test_a_probe_walks_the_session_and_the_queues(agent, rabbit):  # noqa: F811
    mq = Queues(agent, rabbit).start()
    answer = agent.ask("probe", "isa")
    steps = [(row["step"], row["result"]) for row in answer["steps"]]
    assert answer.code == 0 and {result for _, result in steps} == {"ok"}, answer
    assert {"dns", "tcp"} <= {step for step, _ in steps} and mq.asked in str(answer.tables), answer
    mq.write_agreement({"service request": {"address": "missing"}}, {"link mq": {"answer-timeout": "2 s"}})
    assert agent.ask("reload").code == 0
    mq.wait_state("up")
    answer = agent.ask("probe", "isa")
    assert answer.code == 1 and "missing" in str(answer.tables) + answer.line, answer
    assert not rabbit.rest(mq.asked)


# ---- a broker that goes away ----

@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_broker_stops_and_starts_in_mid_transfer(agent, rabbit, how):  # noqa: F811
    """Nothing is lost either way; what went twice has one message-id, what came twice is one message."""
    count = 600
    mq = Queues(agent, rabbit, {"link mq": {"connect-timeout": "3 s"}}).start()
    contents = numbered(count)
    rabbit.put(mq.answered, *(Message(content, id=f"in-{number}", durable=True, inferred=True)
                              for number, content in enumerate(contents)))
    for number, content in enumerate(contents):
        mq.send(f"out-{number:04}", content)
    wait_for(lambda: len(mq.records("message-delivered")) > 50, lambda: f"some to go: {agent.log_tail()}", 60)
    getattr(rabbit.server, how)()
    rabbit.server.start()
    wait_for(lambda: len(mq.records("message-delivered")) >= count, lambda: f"all to go: "
             f"{len(mq.records('message-delivered'))}; {agent.log_tail()}", 90)
    taken = {}
    for message in rabbit.take(mq.asked, count) + rabbit.rest(mq.asked):
        assert taken.setdefault(message.id, bytes(message.body)) == bytes(message.body)
    assert sorted(taken.values()) == contents
    mq.wait_came(contents, 90)
    assert not rabbit.rest(mq.answered)
