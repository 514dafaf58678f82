"""Mistakes in conf.d and in the plugin folder: all are listed with what to do, what is sound runs, and what ran goes on."""
import datetime
import os
import pwd
import shutil
import signal

import pytest
from harness import BUILD, alive, give, wait_for
from traffic import SITE, Traffic, conf

FAULTS = BUILD / "lib/accord/faults"

# Lines that end with ` ;!` are mistaken, and no others.
PLANTED = {
    "agent.conf": """
[agent]
{user}
state = {state}
plugins = {plugins}
credentials = {credentials}
[log]
levle = info ;!
""",
    "site.conf": """
[site]
name = Acme
[link plans]
connector = dri ;!
path = {site}
[service other]
type = stow-plna ;!
direction = receive
link = plans
""",
    "broken.conf": """
[agreement]
title = A
partner = B
enabled = maybe ;!
acknowledged = 2026-02-30 ;!
[endpoint sftp]
host = sftp.example
port = 70000 ;!
[link sftp]
connector = sftp
endpoint = sftp
user = acme
key = id
host-kye = SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU ;!
host-key = SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU
[service stow-plan]
type = stow-plan
direction = sned ;!
link = sftp
directory = /in
[policy contnet] ;!
""",
    "lacking.conf": """
[agreement] ;!
title = A
enabled = no
[service stow-plan]
type = stow-plan
direction = send
link = nowhere ;!
""",
}


def write_planted(agent):
    for name, text in PLANTED.items():
        text = text.format(user="user = nobody" if os.getuid() == 0 else "", state=agent.state, site=agent.site,
                           plugins=agent.installation.plugins, credentials=agent.credentials)
        agent.write_conf(name, text.replace(" ;!", ""))


def planted():
    return {(name, number) for name, text in PLANTED.items()
            for number, line in enumerate(text.splitlines(), 1) if line.endswith(";!")}


def errors(answer):
    return [row for row in answer["problems"] if row["severity"] == "error"]


def test_ten_planted_mistakes_are_all_listed_with_their_lines(agent):
    agent.secret("broken", "id", b"secret")
    write_planted(agent)
    give(agent.home)
    answer = agent.ask("check")
    assert answer.code == 4
    assert len(planted()) >= 10
    assert {(row["file"], int(row["line"])) for row in errors(answer)} == planted(), answer
    texts = " ".join(row["text"] for row in errors(answer))
    for word in ("level", "dir", "stow-plan", "yes or no", "1 to 65535", "host-key", "send", "content", "partner"):
        assert word in texts, f"{word!r} is not offered: {texts}"


def test_an_agent_with_a_broken_agent_conf_does_not_start(agent):
    agent.write_conf("agent.conf", (agent.conf / "agent.conf").read_text() + "[store]\nsegment-size = 7 bananas\n")
    line = (agent.conf / "agent.conf").read_text().count("\n")
    agent.start(ready=False)
    assert agent.process.wait(30) == 1
    assert f"agent.conf:{line}: " in agent.log() and "7 bananas" in agent.log() and "MiB" in agent.log()
    assert not (agent.state / "store").exists()


def test_a_broken_agreement_stays_down_and_the_others_run(agent, sshd):
    traffic = Traffic(agent, sshd)
    traffic.write_agreement({"endpoint sftp": {"port": "70000"}}, name="other")
    agent.secret("other", "id", sshd.user_key.private)
    traffic.start()
    traffic.delivered("plan.edi", traffic.send("plan.edi"))
    assert traffic.state("other") is None
    line = (agent.conf / "other.conf").read_text().splitlines().index("port = 70000") + 1
    assert f"other.conf:{line}: " in agent.log()
    problems = agent.ask("status")["problems"]
    assert [(row["file"], row["line"]) for row in problems if row["severity"] == "error"] == [("other.conf", str(line))]
    record = traffic.wait_record("configuration-refused", chain="host")
    assert record["event.outcome"] == "failure" and f"other.conf:{line}: " in str(record)
    # Corrected while it runs.
    traffic.write_agreement({"service stow-plan": {"from": None}}, name="other")
    assert traffic.reload().code == 0
    traffic.wait_up("other")
    assert not [row for row in agent.ask("status").tables.get("problems", []) if row["severity"] == "error"]


def test_a_mistake_at_reload_keeps_what_runs_and_the_traffic_goes_on(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    children = agent.children()
    for name, text in [("isa.conf", (agent.conf / "isa.conf").read_text().replace("[policy content]", "[policy contnet]")),
                       ("site.conf", conf(SITE, {"link folders": {"path": agent.site, "colour": "red"}})),
                       ("agent.conf", (agent.conf / "agent.conf").read_text() + "[lgo]\n")]:
        sound = (agent.conf / name).read_text()
        agent.write_conf(name, text)
        answer = traffic.reload()
        assert answer.code == 4 and [row["file"] for row in errors(answer)] == [name], answer
        assert agent.ask("check").code == 4
        traffic.delivered(f"with-{name}.edi", traffic.send(f"with-{name}.edi"))
        # A broken content policy would have let this through.
        traffic.send(f"refused-{name}.edi", break_="unt-count")
        traffic.wait(f"refused-{name}.edi", "quarantined")
        agent.write_conf(name, sound)
        assert traffic.reload().code == 0
    assert agent.children() == children, "a process was restarted"
    refused = [record for record in traffic.records("configuration-refused", chain="host")
               if "accord.details.repeated" not in record]
    assert len(refused) == 3
    caller = f"{pwd.getpwuid(os.getuid()).pw_name}({os.getuid()})"
    # On a slow machine the watch on the folder may be the first to see a file.
    assert {record["user.name"] for record in refused} <= {caller, "conf.d"}


def test_a_route_to_an_agreement_that_was_broken_comes_back_with_it(agent, sshd):
    """Also when it is written in the file that had no mistake."""
    traffic = Traffic(agent, sshd, {"service stow-plan": {"from": None}},
                      site={"service stow-plans": {"to": "isa/stow-plan"}})
    sound = (agent.conf / "isa.conf").read_text()
    agent.write_conf("isa.conf", sound.replace("port = ", "prot = "))
    agent.start()
    traffic.wait_up("site")
    traffic.send("before.edi")
    traffic.wait("before.edi", "quarantined")
    agent.write_conf("isa.conf", sound)
    assert traffic.reload().code == 0
    traffic.wait_up()
    traffic.delivered("plan.edi", traffic.send("plan.edi"))


def test_the_switch_ends_the_processes_and_holds_and_gives_back(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    traffic.delivered("before.edi", traffic.send("before.edi"))
    before = {row["process"]: int(row["pid"]) for row in agent.ask("status")["processes"]}
    traffic.write_agreement({"agreement": {"enabled": "no"}})
    assert traffic.reload().code == 0
    traffic.wait_state("disabled")
    gone = [name for name, pid in before.items() if not alive(pid)]
    assert sorted(gone) == ["guard-isa", "inspect-isa", "link-isa"]
    content = traffic.send("meanwhile.edi")
    row = traffic.wait("meanwhile.edi", "held")
    explained = agent.ask("explain", row["id"])["explanation"][-1]
    assert explained["reason"] == "its file says enabled = no" and "switch the agreement on" in explained["next"]
    assert traffic.wait_record("agreement-down")["event.reason"] == "its file says enabled = no"
    agent.restart()
    assert traffic.state() == "disabled" and traffic.wait("meanwhile.edi", "held")
    traffic.write_agreement()
    assert traffic.reload().code == 0
    traffic.delivered("meanwhile.edi", content)
    traffic.wait_record("delivery-released")
    assert len(traffic.records("configuration-loaded", chain="host")) >= 2


def test_an_agreement_whose_file_is_gone_is_down_and_its_messages_are_held(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    sshd.stop()
    content = traffic.send("plan.edi")
    traffic.wait_record("delivery-retried")
    text = (agent.conf / "isa.conf").read_text()
    (agent.conf / "isa.conf").unlink()
    assert traffic.reload().code == 0
    traffic.wait_state("absent")
    assert len(agent.children()) == 1, "only the site's link is left"
    row = traffic.wait("plan.edi", "held")
    assert traffic.delivery(row)["reason"] == "its file is gone from conf.d"
    traffic.wait_record("delivery-held")
    # It is known: what comes for it now waits too, and nobody has to let it out by hand.
    later = traffic.send("later.edi")
    assert traffic.delivery(traffic.wait("later.edi", "held"))["reason"] == "its file is gone from conf.d"
    agent.restart()
    assert traffic.wait("plan.edi", "held") and traffic.wait("later.edi", "held")
    # A start without the file forgets it: there is no service, and what comes goes nowhere.
    traffic.send("last.edi")
    assert traffic.wait("last.edi", "quarantined")["rule"] == "services.no-service"
    sshd.start()
    agent.write_conf("isa.conf", text)
    assert traffic.reload().code == 0
    traffic.delivered("plan.edi", content)
    traffic.delivered("later.edi", later)


@pytest.mark.parametrize("acknowledged", ["2019-03-14", "2126-01-01"])
def test_an_agreement_out_of_its_dates_does_not_run_and_its_messages_are_held(agent, sshd, acknowledged):
    traffic = Traffic(agent, sshd, {"agreement": {"acknowledged": acknowledged, "valid-for": "3 years"}})
    assert agent.ask("check").code == 0
    agent.start()
    assert traffic.state() == "not-in-force"
    content = traffic.send("plan.edi")
    row = traffic.wait("plan.edi", "held")
    reason = traffic.delivery(row)["reason"]
    assert "expired" in reason if acknowledged < "2026" else "not in force yet" in reason
    assert [row["process"] for row in agent.ask("status")["processes"] if row["pid"]] == ["link-site/folders"]
    assert "isa.conf:" in agent.log() and ("ended on 2022-03-13: nothing flows until it is renewed" in agent.log() or "comes into force on 2126-01-01" in agent.log())
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    traffic.write_agreement({"agreement": {"acknowledged": today, "valid-for": "3 years"}})
    assert traffic.reload().code == 0
    traffic.delivered("plan.edi", content)


# ---- plugins ----

@pytest.fixture
def plugins(agent):
    """The agent's own plugin folder, to be spoilt."""
    return agent.own_plugins()


def test_bad_plugins_are_named_with_the_reason_and_the_rest_works(agent, sshd, plugins):
    wrong = {"connector-wrong-major.so": ("plugin.abi", "build the plugin against this release's headers"),
             "connector-newer-minor.so": ("plugin.abi", "install a newer Accord"),
             "connector-no-symbol.so": ("plugin.no-symbol", "is it a plugin?"),
             "connector-undefined.so": ("plugin.corrupt", "nobody_defines_this"),
             "connector-crash.so": ("plugin.crashed", "crashed while loading"),
             "connector-short.so": ("plugin.malformed", "descriptor")}
    for name in wrong:
        shutil.copy(FAULTS / name, plugins)
    (plugins / "connector-text.so").write_text("not a shared object")
    wrong["connector-text.so"] = ("plugin.corrupt", "install it again")
    shutil.copy(plugins / "connector-dir.so", plugins / "connector-open.so")
    (plugins / "connector-open.so").chmod(0o666)
    wrong["connector-open.so"] = ("plugin.unsafe-file", "chmod go-w")
    (plugins / "connector-cut.so").write_bytes((plugins / "connector-dir.so").read_bytes()[:-5000])
    wrong["connector-cut.so"] = ("plugin.corrupt", "install it again")
    traffic = Traffic(agent, sshd)
    answer = agent.ask("check")
    assert answer.code == 4
    found = {row["file"]: row["text"] for row in errors(answer)}
    assert set(found) == set(wrong), found
    for name, (rule, word) in wrong.items():
        assert f"[{rule}]" in found[name] and word in found[name], f"{name}: {found[name]}"
    traffic.start()
    for name, (rule, _) in wrong.items():
        assert f"{name}:0: plugin not loaded" in agent.log() and rule in agent.log()
    traffic.delivered("plan.edi", traffic.send("plan.edi"))
    assert "connector-crash.so" in str(traffic.wait_record("configuration-refused", chain="host"))


@pytest.mark.parametrize("why", ["corrupt", "pin"])
def test_what_needs_a_refused_plugin_stays_down_and_the_rest_runs(agent, sshd, plugins, why):
    file = plugins / "connector-sftp.so"
    whole = file.read_bytes()
    if why == "corrupt":
        file.write_bytes(whole[:len(whole) // 2])
    else:
        agent.write_conf("agent.conf", (agent.conf / "agent.conf").read_text() +
                         f"[plugins]\nconnector-sftp.so = {'0' * 64}\n")
    traffic = Traffic(agent, sshd)
    agent.start()
    traffic.wait_up("site")
    assert traffic.state() is None
    rule = {"corrupt": "plugin.corrupt", "pin": "plugin.hash"}[why]
    assert "connector-sftp.so:0: plugin not loaded" in agent.log() and f"[{rule}]" in agent.log()
    assert "there is no connector `sftp` in the plugin folder" in agent.log()
    traffic.send("plan.edi")
    traffic.wait("plan.edi", "quarantined")
    file.write_bytes(whole)
    give(file)
    agent.write_agent_conf()
    assert traffic.reload().code == 0
    traffic.wait_up()
    traffic.delivered("then.edi", traffic.send("then.edi"))


def test_a_plugin_that_is_replaced_while_it_runs_is_not_loaded_again(agent, sshd, plugins):
    traffic = Traffic(agent, sshd).start()
    new = plugins / "new"
    new.write_bytes((plugins / "connector-sftp.so").read_bytes() + b"more")
    give(new)
    new.rename(plugins / "connector-sftp.so")
    link = next(int(row["pid"]) for row in agent.ask("status")["processes"] if row["process"] == "link-isa")
    os.kill(link, signal.SIGKILL)
    record = traffic.wait_record("plugin-refused")
    assert record["rule.name"] == "plugin.hash" and "replaced on purpose" in record["event.reason"]
    content = traffic.send("plan.edi")
    traffic.wait("plan.edi", "waiting")
    assert traffic.reload().code == 0
    traffic.delivered("plan.edi", content)


def test_an_unknown_connector_is_an_error_with_the_nearest_name(agent, sshd):
    traffic = Traffic(agent, sshd, {"link sftp": {"connector": "sfpt"}})
    answer = agent.ask("check")
    assert answer.code == 4
    assert any("sfpt" in row["text"] and "`sftp`" in row["text"] for row in errors(answer)), answer
    agent.start()
    traffic.wait_up("site")
    assert traffic.state() is None and "`sftp`" in agent.log()
