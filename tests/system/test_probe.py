"""accord probe: an agreement's endpoints step by step; what may not be dialled is not, and what is dialled is recorded."""
import os
import pwd
import socket
import subprocess

import pytest
from harness import Agent, Partner, Port, accepts, wait_for
from traffic import Traffic

NO_LINK = "name and TCP are sound; no link has gone further"
UNKNOWN = "does-not-exist.invalid"


class Listener:
    """Somebody who waits to be connected to, and looks at what comes."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(10)
        self.port = self.socket.getsockname()[1]

    def next(self):
        """The next connection's address, and all the bytes that came before its end."""
        connection, address = self.socket.accept()
        with connection:
            connection.settimeout(10)
            return f"{address[0]}:{address[1]}", connection.recv(100)

    def nobody_came(self):
        self.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            self.socket.accept()
        self.socket.settimeout(10)


class Silent:
    """A port that answers nothing: its queue is full."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0)
        self.port = self.socket.getsockname()[1]
        self.queue = []
        while self.join():
            pass

    def join(self):
        one = socket.socket()
        one.settimeout(0.5)
        try:
            one.connect(("127.0.0.1", self.port))
        except TimeoutError:
            one.close()
            return False
        self.queue.append(one)
        return True

    def callers(self):
        """How many are in the middle of connecting (SYN_SENT)."""
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table][1:]
        return sum(row[2].endswith(f":{self.port:04X}") and row[3] == "02" for row in rows)

    def close(self):
        for one in (self.socket, *self.queue):
            one.close()


@pytest.fixture(scope="module")
def silent():
    one = Silent()
    yield one
    one.close()


@pytest.fixture(scope="module")
def listener():
    one = Listener()
    yield one
    one.socket.close()


@pytest.fixture(scope="module")
def traffic(installation, listener, silent):
    """`isa` has an endpoint for each fate; `slow` has one that takes ten minutes; `off` and `old` may not be dialled."""
    agent, server, nobody = Agent(installation), Partner(installation.folder()), Port()
    patient = {"host": "127.0.0.1", "port": silent.port, "connect-timeout": "10 min"}
    here = {"host": "127.0.0.1", "port": listener.port, "connect-timeout": "10 s"}
    one = Traffic(agent, server, {"endpoint open": here,
                                  "endpoint bound": {**here, "source-address": "127.0.0.9"},
                                  "endpoint refused": {**here, "port": nobody.number},
                                  "endpoint unknown": {**here, "host": UNKNOWN},
                                  "endpoint other-family": {**here, "source-address": "::1"},
                                  "endpoint silent": {**here, "port": silent.port, "connect-timeout": "1 s"},
                                  "endpoint tunnelled": {**here, "tunnel": "ipsec"}})
    for name, says in (("slow", {}), ("off", {"enabled": "no"}), ("old", {"acknowledged": "2020-01-01", "valid-for": "1 year"})):
        agent.secret(name, "id", server.user_key.private)
        one.write_agreement({"agreement": says, "endpoint open": here, "endpoint silent": patient,
                             "service stow-plan": None, "link sftp": None, "endpoint sftp": None}, name=name)
    yield one.start()
    agent.close()
    server.stop()


def steps(answer):
    return [(row["endpoint"], row["step"], row["result"]) for row in answer["steps"]]


def wait_record(traffic, endpoint):
    def found():
        return [record for record in traffic.records("connection-attempted")
                if record.get("accord.details.endpoint") == endpoint]
    wait_for(found, lambda: f"a record of an attempt at {endpoint}: {traffic.records()[-5:]}")
    return found()[0]


def test_an_endpoint_that_answers_is_connected_to_and_sent_nothing(traffic, listener):
    answer = traffic.agent.ask("probe", "isa/open")
    assert answer.code == 0, answer
    assert steps(answer) == [("open", "dns", "ok"), ("open", "tcp", "ok")]
    dns, tcp = answer["steps"]
    assert dns["address"] == "127.0.0.1" and tcp["address"] == f"127.0.0.1:{listener.port}"
    assert listener.next() == (tcp["source"], b""), "the partner sees another address, or bytes"
    assert all(0 <= int(row["ms"]) < 10000 for row in (dns, tcp))
    assert answer.line.endswith(NO_LINK)
    listener.nobody_came()


def test_the_source_address_of_the_endpoint_is_used(traffic, listener):
    answer = traffic.agent.ask("probe", "isa/bound")
    assert answer.code == 0, answer
    source = answer["steps"][1]["source"]
    assert source.startswith("127.0.0.9:") and listener.next() == (source, b"")


def test_a_refused_port_fails_with_what_to_do(traffic):
    answer = traffic.agent.ask("probe", "isa/refused")
    assert answer.code == 1, answer
    assert steps(answer) == [("refused", "dns", "ok"), ("refused", "tcp", "failed")]
    row = answer["steps"][1]
    assert row["reason"] == "Connection refused" and "check the endpoint's port" in row["advice"]
    assert "1 step failed" in answer.line and row["advice"] in answer.line


def test_a_port_that_is_silent_fails_within_connect_timeout(traffic):
    answer = traffic.agent.ask("probe", "isa/silent")
    assert answer.code == 1, answer
    assert steps(answer) == [("silent", "dns", "ok"), ("silent", "tcp", "failed")]
    row = answer["steps"][1]
    assert row["reason"] == "Connection timed out" and 900 <= int(row["ms"]) < 10000 and "firewall" in row["advice"]


@pytest.fixture
def under_way(traffic, silent):
    """A probe that waits for an endpoint for ten minutes."""
    traffic.wait_up("slow")
    command = subprocess.Popen([traffic.agent.installation.command, "--conf", traffic.agent.conf, "--json", "probe",
                                "slow/silent"], stdout=subprocess.PIPE, text=True,
                               env=traffic.agent.installation.environment)
    wait_for(lambda: silent.callers() == 1, "the probe to connect")
    yield command
    command.kill()
    command.communicate()


def test_a_probe_ends_with_its_command(traffic, silent, under_way):
    under_way.kill()
    wait_for(lambda: silent.callers() == 0, "the connecting to be given up")
    assert traffic.agent.ask("probe", "isa/refused").code == 1


def test_suspending_the_agreement_ends_its_probe(traffic, silent, under_way):
    assert traffic.agent.ask("suspend", "slow").code == 0
    try:
        output, _ = under_way.communicate(timeout=10)
        assert under_way.returncode == 1 and "not up" in output, output
        assert silent.callers() == 0
    finally:
        traffic.agent.ask("resume", "slow")


def test_an_unknown_host_fails_at_its_name(traffic):
    answer = traffic.agent.ask("probe", "isa/unknown")
    assert answer.code == 1, answer
    assert steps(answer) == [("unknown", "dns", "failed")]
    row = answer["steps"][0]
    assert row["address"] == UNKNOWN and UNKNOWN in row["reason"] and "DNS" in row["advice"]
    record = wait_record(traffic, "unknown")
    assert record["event.outcome"] == "failure" and record["rule.name"] == "hub.connect-failed"


def test_an_address_of_another_family_than_the_source_is_no_way_out(traffic, listener):
    answer = traffic.agent.ask("probe", "isa/other-family")
    assert answer.code == 1, answer
    assert steps(answer) == [("other-family", "dns", "ok"), ("other-family", "tcp", "skipped"),
                             ("other-family", "tcp", "failed")]
    assert "source-address" in answer.line
    listener.nobody_came()


def test_an_endpoint_that_demands_a_tunnel_is_not_dialled(traffic, listener):
    answer = traffic.agent.ask("probe", "isa/tunnelled")
    assert answer.code == 1, answer
    assert steps(answer) == [("tunnelled", "tunnel", "failed")]
    assert "tunnel-not-provable" in answer["steps"][0]["reason"]
    assert wait_record(traffic, "tunnelled")["rule.name"] == "hub.tunnel-not-provable"
    listener.nobody_came()


def test_all_endpoints_are_tried_in_their_order_whatever_fails(traffic, listener):
    answer = traffic.agent.ask("probe", "isa")
    assert answer.code == 1, answer
    names = [row["endpoint"] for row in answer["steps"]]
    assert list(dict.fromkeys(names)) == ["sftp", "open", "bound", "refused", "unknown", "other-family", "silent",
                                         "tunnelled"]
    assert "5 steps failed: first refused, tcp: Connection refused" in answer.line
    assert {listener.next()[1], listener.next()[1]} == {b""}
    assert traffic.state() == "up" and accepts(traffic.server.port)


@pytest.mark.parametrize("name,words", [("off", ("not up", "disabled")), ("off/open", ("not up", "disabled")),
                                        ("old", ("not-in-force",))])
def test_an_agreement_that_does_not_allow_it_is_not_dialled(traffic, listener, name, words):
    answer = traffic.agent.ask("probe", name)
    assert answer.code == 1 and not answer["steps"], answer
    assert all(word in answer.line for word in words), answer
    listener.nobody_came()
    agreement = name.split("/")[0]
    record = traffic.wait_record("command", chain=agreement, event_reason="probe")
    assert record["event.outcome"] == "failure" and record["accord.details.refused"]
    assert not traffic.records("connection-attempted", chain=agreement)


def test_a_suspended_agreement_is_not_dialled(traffic, listener):
    assert traffic.agent.ask("suspend", "isa").code == 0
    try:
        answer = traffic.agent.ask("probe", "isa/open")
        assert answer.code == 1 and not answer["steps"] and "suspended" in answer.line, answer
        listener.nobody_came()
    finally:
        traffic.agent.ask("resume", "isa")
        traffic.wait_up()


@pytest.mark.parametrize("name,words", [("nobody", "no agreement of that name"), ("../isa", "no agreement of that name"),
                                        ("", "no agreement of that name"), ("isa/nothing", "no endpoint of that name"),
                                        ("isa/127.0.0.1", "no agreement of that name"), ("site", "no endpoint")])
def test_only_endpoints_that_an_agreement_lists_are_dialled(traffic, name, words):
    answer = traffic.agent.ask("probe", name)
    assert answer.code == 1 and not answer["steps"] and words in answer.line, answer


def test_a_probe_is_in_the_audit_trail_with_who_asked(traffic, listener):
    answer = traffic.agent.ask("probe", "isa/open")
    listener.next()
    user = f"{pwd.getpwuid(os.getuid()).pw_name}({os.getuid()})"
    record = wait_record(traffic, "open")
    assert record["event.outcome"] == "success" and record["user.name"] == user, record
    assert record["accord.details.purpose"] == "probe"
    commands = [record for record in traffic.records("command", event_reason="probe")
                if record["accord.details.name"] == "isa/open"]
    assert commands and commands[0]["user.name"] == user and commands[0]["event.outcome"] == "success"
    wait_for(lambda: any(answer["steps"][1]["source"] in record.values() for record in traffic.records()),
             "the address that the partner saw to be recorded")


def test_people_see_a_table_and_what_was_not_tried(traffic, listener):
    done = subprocess.run([traffic.agent.installation.command, "--conf", traffic.agent.conf, "probe", "isa/open"],
                          capture_output=True, text=True, check=False, env=traffic.agent.installation.environment)
    listener.next()
    assert done.returncode == 0, done
    assert done.stdout.split("\n")[0].split() == ["ENDPOINT", "STEP", "RESULT", "ADDRESS", "SOURCE", "MS"]
    assert NO_LINK in done.stdout + done.stderr


def test_an_agent_that_stops_ends_its_probes(traffic, silent, under_way):
    """The last one: the agent is not needed any more."""
    traffic.agent.stop()
    output, _ = under_way.communicate(timeout=10)
    assert under_way.returncode == 1 and ("not up" in output or "stopping" in output), output
    assert silent.callers() == 0
