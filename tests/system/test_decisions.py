"""What ends badly, what waits for a person, and what a person then decides: with a connector and a policy that do with
a message what its name says (tests/faults/plugins)."""

import pytest

from harness import BUILD, wait_for
from traffic import FOLDERS, agreed, conf, receiving, write_site

SITE = {**FOLDERS, **receiving("things", "opaque", rescan="500 ms")}
AGREEMENT = {
    "agreement": agreed(),
    "link out": {"connector": "puppet", "folder": None},
    "service out": {"type": "opaque", "direction": "send", "link": "out", "from": "site/things", "directory": "in",
                    "retry-first": "300 ms", "retry-longest": "1 s"},
    "policy fragile": {"mood": "calm"},
}


class Puppets:
    def __init__(self, agent):
        self.agent = agent
        agent.own_plugins(*(BUILD / "lib/accord/faults" / name for name in ("connector-puppet.so", "policy-fragile.so")))
        agent.site_folder("things")
        self.write_site()
        self.write()

    def write_site(self, *changes):
        write_site(self.agent, SITE, *changes)

    def write(self, *changes, name="isa"):
        self.agent.write_conf(f"{name}.conf", conf(AGREEMENT, {"link out": {"folder": self.agent.site}}, *changes))

    def start(self):
        self.agent.start()
        wait_for(lambda: {row["state"] for row in self.agent.ask("agreements")["agreements"]} == {"up"},
                 lambda: f"all to be up; the log ends:\n{self.agent.log_tail()}")
        return self

    def drop(self, *names):
        for name in names:
            self.agent.drop("things", name, name.encode())

    def wait(self, name, state):
        return self.agent.wait_message(name=name, state=state)

    def delivery(self, row):
        return self.agent.ask("show", row["id"])["deliveries"][0]

    def delivered(self):
        """Names in the order in which the partner got them."""
        return [record["accord.name"] for record in self.agent.audit_records("isa")
                if record["event.action"] == "message-delivered"]

    def record(self, action, chain="isa"):
        return wait_for(lambda: next((record for record in self.agent.audit_records(chain)
                                      if record["event.action"] == action), None), f"a record {action}")

    def service(self):
        return next(iter(self.agent.ask("status").tables.get("services", [])), None)


def admitted(puppets, chain, *messages):
    """The records of their admission, by message."""
    def found():
        records = {record["accord.message"]: record for record in puppets.agent.audit_records(chain)
                   if record["event.action"] in ("message-admitted", "message-quarantined")}
        return set(messages) <= set(records) and records
    return wait_for(found, "the records of their admission")


@pytest.fixture
def puppets(agent):
    return Puppets(agent)


def test_message_that_ends_its_link_is_dead_and_others_go_on(puppets):
    """A message of which the connector dies, among others: the link is started again, each suspect goes alone, and the
    one is dead; all others arrive."""
    names = [f"good-{n}" for n in range(12)]
    puppets.drop(*names[:6], "poison", *names[6:])
    puppets.start()
    row = puppets.wait("poison", "dead")
    delivery = puppets.delivery(row)
    assert delivery["rule"] == "hub.connector-crashed" and delivery["reason"]
    for name in names:
        puppets.wait(name, "delivered")
    puppets.drop("later")
    puppets.wait("later", "delivered")
    assert puppets.record("delivery-dead")["rule.name"] == "hub.connector-crashed"
    failures = puppets.agent.log().count("link-isa failed")
    assert 2 <= failures <= 3, puppets.agent.log_tail()


def test_message_that_ends_its_inspector_is_quarantined(puppets):
    """A message of which the inspector dies, among others: it is set aside, and all others arrive."""
    puppets.start()
    names = [f"good-{n}" for n in range(8)]
    puppets.drop(*names[:4], "fatal", *names[4:])
    row = puppets.wait("fatal", "quarantined")
    assert row["rule"] == "hub.inspect-crashed"
    for name in names:
        puppets.wait(name, "delivered")
    assert 2 <= puppets.agent.log().count("inspect-isa failed") <= 3, puppets.agent.log_tail()


def test_dead_message_of_an_ordered_service_holds_up_those_behind_it(puppets):
    """status names the message that the others wait for; when it is retried, all arrive in order."""
    puppets.write({"service out": {"ordered": "yes"}})
    puppets.start()
    names = ["1-good", "2-refused", "3-good", "4-retry", "5-good"]
    for name in names:
        puppets.drop(name)
        wait_for(lambda wanted=name: any(row["name"] == wanted for row in puppets.agent.ask("messages")["messages"]),
                 f"{name} to be admitted")
    dead = puppets.wait("2-refused", "dead")
    service = wait_for(puppets.service, "status to say what blocks")
    assert service["blocked-by"] == dead["id"] and service["since"]
    assert puppets.wait("5-good", "waiting")
    assert puppets.delivered() == ["1-good"]
    answer = puppets.agent.ask("retry", dead["id"], "--reason", "the partner has mended it")
    assert answer.code == 0, answer
    assert answer["decisions"][0]["was"] == "dead" and answer["decisions"][0]["is"] == "waiting"
    for name in names:
        puppets.wait(name, "delivered")
    wait_for(lambda: puppets.delivered() == names, lambda: f"all in order, not {puppets.delivered()}")
    record = puppets.record("delivery-released")
    assert record["event.reason"] == "the partner has mended it" and record["user.name"]
    assert wait_for(lambda: puppets.service() is None, "nothing to block")


def test_discarded_message_lets_those_behind_it_go_on(puppets):
    """discard needs a reason; what is delivered cannot be discarded."""
    puppets.write({"service out": {"ordered": "yes"}})
    puppets.start()
    puppets.drop("1-refused")
    dead = puppets.wait("1-refused", "dead")
    puppets.drop("2-good")
    puppets.wait("2-good", "waiting")
    answer = puppets.agent.ask("discard", dead["id"])
    assert answer.code == 2 and "--reason" in answer.error + answer.line
    answer = puppets.agent.ask("discard", dead["id"], "--service", "other/out", "--reason", "wrong one")
    assert answer.code == 1
    answer = puppets.agent.ask("discard", dead["id"], "--reason", "sent by post")
    assert answer.code == 0, answer
    puppets.wait("1-refused", "discarded")
    row = puppets.wait("2-good", "delivered")
    assert puppets.record("delivery-discarded")["event.reason"] == "sent by post"
    answer = puppets.agent.ask("discard", row["id"], "--reason", "too late")
    assert answer.code == 1 and "delivered" in answer.line


def test_uncertain_message_waits_for_a_person(puppets):
    """on-uncertain = hold: it is held with an incident, also over a restart, until someone retries it; then the
    connector knows that it may be a repeat."""
    puppets.write({"service out": {"on-uncertain": "hold"}})
    puppets.start()
    puppets.drop("uncertain")
    row = puppets.wait("uncertain", "held")
    assert puppets.delivery(row)["rule"] == "hub.uncertain"
    assert puppets.record("incident-opened")["rule.name"] == "hub.uncertain"
    puppets.agent.stop()
    puppets.start()
    assert puppets.wait("uncertain", "held")
    assert puppets.agent.ask("retry", row["id"], "--reason", "they have not got it").code == 0
    row = puppets.wait("uncertain", "delivered")
    assert puppets.delivery(row)["receipt"] in ("attempt=2 deadline=yes", "attempt=3 deadline=yes")


def test_quarantined_message_is_released_or_discarded(puppets):
    """A person overrides what the content policy said, with a reason that stands in the trail."""
    puppets.start()
    puppets.drop("denied-1", "denied-2")
    first, second = puppets.wait("denied-1", "quarantined"), puppets.wait("denied-2", "quarantined")
    listed = puppets.agent.ask("quarantine", "list")["messages"]
    assert {row["name"] for row in listed} == {"denied-1", "denied-2"}
    assert {row["rule"] for row in listed} == {"fragile.name"}
    assert puppets.agent.ask("quarantine", "release", first["id"]).code == 2
    answer = puppets.agent.ask("quarantine", "release", first["id"], "--reason", "read it: harmless")
    assert answer.code == 0, answer
    puppets.wait("denied-1", "delivered")
    answer = puppets.agent.ask("quarantine", "discard", second["id"], "--reason", "spam")
    assert answer.code == 0, answer
    assert not puppets.agent.ask("quarantine", "list")["messages"]
    assert puppets.agent.ask("quarantine", "discard", second["id"], "--reason", "spam").code == 1
    record = puppets.record("quarantine-released", "site")
    assert record["event.reason"] == "read it: harmless" and record["user.name"]
    assert puppets.record("delivery-discarded", "site")["event.reason"] == "spam"


def test_agreement_at_its_store_limit_stops_only_its_own_sources(puppets):
    """One agreement is suspended and full: its source keeps its files; another agreement's messages go on; when there
    is room, all arrive."""
    puppets.write_site({"service others": {"type": "opaque", "direction": "receive", "link": "folders",
                                           "folder": "others", "settle": "100 ms", "rescan": "500 ms"}})
    puppets.agent.site_folder("others")
    puppets.write({"agreement": {"store-limit": "1 KiB"}})
    puppets.write({"service out": {"from": "site/others"}}, name="other")
    puppets.start()
    assert puppets.agent.ask("suspend", "isa", "--reason", "a test").code == 0
    for n in range(4):
        puppets.agent.drop("things", f"big-{n}", bytes(400))
    puppets.record("sources-stopped")
    puppets.agent.drop("others", "free", b"free")
    puppets.wait("free", "delivered")
    assert puppets.record("message-deferred", "site")["rule.name"] == "hub.store-limit"
    assert puppets.agent.ask("resume", "isa").code == 0
    for n in range(4):
        puppets.wait(f"big-{n}", "delivered")
    puppets.record("sources-resumed")


def test_everything_dead_under_an_agreement_is_retried_at_once(puppets):
    """retry --all-dead takes what is dead and nothing else, and says how much that was: a message that is dead for one
    service stays held for the other."""
    puppets.write({"service second": {**AGREEMENT["service out"], "on-uncertain": "hold"}})
    puppets.start()
    names = [f"refused@out-{n}" for n in range(4)] + ["refused@out-uncertain@second"]
    puppets.drop("good", *names)

    def states(name):
        row = next((row for row in puppets.agent.ask("messages")["messages"] if row["name"] == name), None)
        return {} if row is None else {delivery["to"]: delivery["state"]
                                       for delivery in puppets.agent.ask("show", row["id"])["deliveries"]}

    for name in names:
        wait_for(lambda wanted=name: states(wanted).get("isa/out") == "dead", f"{name} to be dead")
    wait_for(lambda: states(names[-1])["isa/second"] == "held", "one of them to be held for the second service")
    assert puppets.agent.ask("retry", "--all-dead", "isa/other").code == 1
    assert puppets.agent.ask("retry", "--all-dead").code == 2
    pages, last = [], ()
    while page := puppets.agent.ask("messages", "--state", "dead", "--limit", "2", *last)["messages"]:
        pages += [row["name"] for row in page]
        last = "--before", page[-1]["id"]
    assert sorted(pages) == names
    answer = puppets.agent.ask("retry", "--all-dead", "isa", "--reason", "they have mended it")
    assert answer.code == 0 and answer.line == "5 dead deliveries go on", answer
    assert [row["is"] for row in answer["decisions"]] == ["waiting"] * 5
    for name in names:
        wait_for(lambda wanted=name: states(wanted)["isa/out"] == "delivered", f"{name} to be delivered")
    assert states(names[-1])["isa/second"] == "held"
    assert puppets.record("delivery-released")["event.reason"] == "they have mended it"
    answer = puppets.agent.ask("retry", "--all-dead", "isa/out")
    assert answer.code == 1 and "nothing is dead" in answer.line


ANSWERS = {"service answers": {"type": "opaque", "direction": "receive", "link": "out", "directory": "x",
                               "correlates": "out"},
           "service out": {"expect-response": "1 h"}}


def related(puppets, row):
    return {(other["is"], other["id"]) for other in puppets.agent.ask("show", row["id"]).tables.get("related", [])}


def test_show_names_what_answers_a_message_and_what_it_answers(puppets):
    """A request and its answer point at each other; other messages point nowhere. The second answer has the source id
    of the first, and is flagged."""
    puppets.write(ANSWERS)
    puppets.start()
    rows = {}
    for name in ("ask-1", "good", "ask-2"):
        puppets.drop(name)
        rows[name] = puppets.wait(name, "delivered")
    answers = wait_for(lambda: len(found := [row for row in puppets.agent.ask("messages")["messages"]
                                             if row["name"] == "answer"]) == 2 and found, "two answers")
    second, first = answers
    assert related(puppets, rows["ask-1"]) == {("answer", first["id"])}
    assert related(puppets, rows["ask-2"]) == {("answer", second["id"])}
    assert related(puppets, first) == {("request", rows["ask-1"]["id"])}
    assert related(puppets, second) == {("request", rows["ask-2"]["id"])}
    assert related(puppets, rows["good"]) == set()
    assert second["flags"] == "changed-repeat" and not first.get("flags")
    assert puppets.agent.ask("show", second["id"])["message"][0]["flags"] == "changed-repeat"
    records = admitted(puppets, "isa", first["id"], second["id"])
    assert records[second["id"]]["accord.details.repeat"] == "changed-repeat"
    assert "accord.details.repeat" not in records[first["id"]]


def test_same_content_without_a_name_of_its_source_is_a_possible_repeat(puppets, tmp_path):
    """What is submitted has no source id: the second time it is admitted too, and flagged."""
    puppets.start()
    path = tmp_path / "twice"
    path.write_bytes(b"the same")
    first, second = (puppets.agent.ask("submit", "site/things", path)["submitted"][0]["id"] for _ in range(2))
    assert first != second
    rows = {row["id"]: row for row in puppets.agent.ask("messages")["messages"]}
    assert rows[second]["flags"] == "possible-repeat" and not rows[first].get("flags")
    assert puppets.agent.ask("show", second)["message"][0]["flags"] == "possible-repeat"
    assert puppets.agent.ask("show", first)["message"][0]["flags"] == ""
    records = admitted(puppets, "site", first, second)
    assert records[second]["accord.details.repeat"] == "possible-repeat"
    assert "accord.details.repeat" not in records[first]
