"""The rehearsal broker, by an ordinary client: what the tests and the demonstration rely on."""
import pytest
from proton import ConnectionException, Message, SSLDomain
from proton.utils import BlockingConnection, LinkDetached, SendException

from harness import wait_for

from amqp_partner import AmqpPartner, answer_to


@pytest.fixture(name="broker")
def amqp_partner():
    with AmqpPartner(queues=["in", "out"]) as one:
        yield one
        assert not one.errors, one.errors


@pytest.fixture
def client(broker, tmp_path):
    """A function that connects: by password, or with a certificate (external=True)."""
    (tmp_path / "root.pem").write_bytes(broker.authority.trust)
    broker.authority.client().write(tmp_path, "client")
    made = []

    def connect(external=False, password="open sesame", mechanisms=None):
        domain = SSLDomain(SSLDomain.MODE_CLIENT)
        domain.set_trusted_ca_db(str(tmp_path / "root.pem"))
        domain.set_peer_authentication(SSLDomain.VERIFY_PEER_NAME)
        if external:
            domain.set_credentials(str(tmp_path / "client.pem"), str(tmp_path / "client.key"), None)
        who = {} if external else {"user": "acme", "password": password}
        made.append(BlockingConnection(
            f"amqps://localhost:{broker.port}", ssl_domain=domain, timeout=20, **who,
            allowed_mechs=mechanisms or ("EXTERNAL" if external else "PLAIN")))
        return made[-1]
    yield connect
    for one in made:
        one.close()


def test_it_takes_and_answers(broker, client):
    broker.answers["in"] = lambda request: answer_to(request, b"yes: " + bytes(request.body))
    connection = client()
    sender = connection.create_sender("/amq/queue/in")
    for number in range(300):
        sender.send(Message(b"%d" % number, id=f"id-{number}", reply_to="/amq/queue/out", inferred=True))
    assert broker.bodies("in") == [b"%d" % number for number in range(300)]
    receiver = client(external=True).create_receiver("out", credit=50)
    for number in range(300):
        answer = receiver.receive(timeout=20)
        assert bytes(answer.body) == b"yes: %d" % number and answer.correlation_id == f"id-{number}"
        receiver.accept()
    # This client keeps the last ones back until it has something else to say.
    wait_for(lambda: broker.settled[:200] == [("out", "accepted")] * 200, lambda: len(broker.settled))
    assert [(one["mechanism"], one["user"]) for one in broker.told("login")] == [("PLAIN", "acme"), ("EXTERNAL", "acme")]


def test_it_takes_large_messages_whole(broker, client):
    body = bytes(range(256)) * (40 << 10)
    client().create_sender("in").send(Message(body, inferred=True), timeout=60)
    assert broker.bodies("in") == [body]


def test_what_was_not_settled_comes_again(broker, client):
    broker.put("out", *(Message(b"%d" % number, inferred=True) for number in range(4)))
    connection = client()
    receiver = connection.create_receiver("out", credit=4)
    assert bytes(receiver.receive(timeout=20).body) == b"0"
    connection.close()
    receiver = client().create_receiver("out", credit=4)
    assert [bytes(receiver.receive(timeout=20).body) for _ in range(4)] == [b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize("how", [{"password": "wrong"}, {"mechanisms": "ANONYMOUS"}])
def test_it_refuses_strangers(client, how):
    with pytest.raises(ConnectionException):
        client(**how)


@pytest.mark.parametrize("fault", ["release", "reject"])
def test_outcomes_are_as_asked_for(broker, client, fault):
    broker.faults.play(fault, "in", times=1)
    sender = client().create_sender("in")
    with pytest.raises(SendException):
        sender.send(Message(b"no", inferred=True))
    sender.send(Message(b"yes", inferred=True))
    assert broker.bodies("in") == [b"yes"]


@pytest.mark.parametrize("fault", ["not-found", "detach", "force-close", "cut", "refuse-login", "no-sasl",
                                   "garbage", "close-at-open"])
def test_connections_and_links_end_as_asked_for(broker, client, fault):
    broker.faults.play(fault, times=1)
    with pytest.raises((ConnectionException, LinkDetached)):
        client().create_sender("in").send(Message(b"no", inferred=True))
    assert not broker.received
    client().create_sender("in").send(Message(b"yes", inferred=True))
    assert broker.bodies("in") == [b"yes"]
