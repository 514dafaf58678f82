"""Every way to edit conf.d while the agent runs: it is watched, sets of changes are taken on together or not at all, what
has mistakes goes on as it ran, and commands edit the switch."""
import os
import pathlib
import pwd
import shutil
import subprocess
import time

import pytest
from harness import FORGETFUL, account, descriptors, give, memory, wait_for
from traffic import Traffic

ROOT = os.getuid() == 0


def reason(traffic, name="isa"):
    return next(row["reason"] for row in traffic.agent.ask("agreements")["agreements"] if row["agreement"] == name)


def wait_kept(traffic, words, name="isa"):
    wait_for(lambda: words in reason(traffic, name),
             lambda: f"{name} to say {words!r}: {traffic.agent.ask('agreements')}; the log ends:\n{traffic.agent.log_tail()}")
    return reason(traffic, name)


# ---- the watch ----

def test_a_changed_file_is_taken_on_by_itself(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    traffic.write_agreement({"agreement": {"enabled": "no"}})
    traffic.wait_state("disabled")
    traffic.write_agreement()
    traffic.wait_up()
    traffic.delivered("plan.edi", traffic.send("plan.edi"))
    loaded = lambda: [record.get("user.name") for record in traffic.records("configuration-loaded", chain="host")]  # noqa: E731
    wait_for(lambda: loaded()[1:] == ["conf.d"] * 2, lambda: f"both changes to be recorded; there are {loaded()}")


def test_a_renamed_file_is_the_switch_there_and_back(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    for _ in range(2):
        (agent.conf / "isa.conf").rename(agent.conf / "isa.conf.off")
        traffic.wait_state("absent")
        assert len(agent.children()) == 1, "only the site's link is left"
        (agent.conf / "isa.conf.off").rename(agent.conf / "isa.conf")
        traffic.wait_up()
    traffic.delivered("plan.edi", traffic.send("plan.edi"))


def test_editors_files_are_not_looked_at(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    for name in (".isa.conf.swp", "isa.conf~", "#isa.conf#", "4913", "isa.conf.new", "Isa.conf"):
        (agent.conf / name).write_text("[nonsense\n")
    for name in (".isa.conf.swp", "isa.conf~", "4913"):
        (agent.conf / name).unlink()
    # In place, as some editors write.
    text = (agent.conf / "isa.conf").read_text()
    (agent.conf / "isa.conf").write_text(text.replace("enabled = yes", "enabled = no"))
    traffic.wait_state("disabled")
    wait_for(lambda: len(traffic.records("configuration-loaded", chain="host")) == 2, "the change to be recorded")
    assert not traffic.records("configuration-refused", chain="host")


def test_the_watch_can_be_switched_off(agents, sshd):
    """A second agent, which watches, has seen its change: the first has had as much time."""
    agent, other = agents(), agents()
    text = (agent.conf / "agent.conf").read_text()
    agent.write_conf("agent.conf", text.replace("[agent]", "[agent]\nwatch = no"))
    traffic, watched = Traffic(agent, sshd).start(), Traffic(other, sshd).start()
    traffic.write_agreement({"agreement": {"enabled": "no"}})
    watched.write_agreement({"agreement": {"enabled": "no"}})
    watched.wait_state("disabled")
    assert traffic.state() == "up"
    agent.reload()
    traffic.wait_state("disabled")
    agent.write_conf("agent.conf", text)
    assert traffic.reload().code == 0
    traffic.write_agreement()
    traffic.wait_up()


def test_a_folder_that_is_moved_and_replaced_is_watched_again(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    aside = agent.home / "conf.aside"
    agent.conf.rename(aside)
    wait_for(lambda: "is not there: everything goes on" in agent.log(), "the agent to miss its folder")
    new = agent.home / "conf.new"
    shutil.copytree(aside, new)
    give(new)
    (new / "isa.conf").write_text((new / "isa.conf").read_text().replace("enabled = yes", "enabled = no"))
    new.rename(agent.conf)
    traffic.wait_state("disabled")
    traffic.write_agreement()
    traffic.wait_up()


# ---- mistakes ----

def test_a_broken_edit_goes_on_as_it_ran_and_says_so(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    children = agent.children()
    sound = (agent.conf / "isa.conf").read_text()
    agent.write_conf("isa.conf", sound.replace("directory = in", "directroy = in"))
    text = wait_kept(traffic, "its file has 2 mistakes")
    assert text.startswith("runs as loaded at 20") and "`directory`" in text and traffic.state() == "up"
    traffic.delivered("plan.edi", traffic.send("plan.edi"))
    assert agent.children() == children
    agent.write_conf("isa.conf", sound)
    wait_for(lambda: reason(traffic) == "", "the mistake to be forgotten")
    assert agent.children() == children, "the file is as it ran"


def test_a_check_slot_that_objects_keeps_the_running_version(agent, sshd):
    traffic = Traffic(agent, sshd)
    text = (agent.conf / "isa.conf").read_text()
    broken = text.replace(sshd.host_key.fingerprint, "SHA256:short")
    line = broken.splitlines().index("host-key = SHA256:short") + 1
    agent.write_conf("isa.conf", broken)
    give(agent.home)
    answer = agent.ask("check")
    assert answer.code == 4
    assert [(row["file"], row["line"]) for row in answer["problems"] if row["severity"] == "error"] == [("isa.conf", str(line))]
    agent.start()  # at start the file is left out
    traffic.wait_up("site")
    assert traffic.state() is None and f"isa.conf:{line}: [link sftp]: host-key" in agent.log()
    agent.write_conf("isa.conf", text)
    traffic.wait_up()
    agent.write_conf("isa.conf", broken)
    assert "is not a fingerprint" in wait_kept(traffic, "its file has 1 mistake:")
    traffic.delivered("plan.edi", traffic.send("plan.edi"))


def test_files_that_need_a_broken_one_wait_with_it(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    site = (agent.conf / "site.conf").read_text()
    isa = (agent.conf / "isa.conf").read_text()
    new_site = site.replace("[service stow-plans]", "[service plans]")
    agent.write_conf("site.conf", new_site + "colour = red\n")
    agent.write_conf("isa.conf", isa.replace("site/stow-plans", "site/plans"))
    assert traffic.reload().code == 4
    assert "there is no [service plans] in site.conf as it runs" in reason(traffic)
    traffic.delivered("one.edi", traffic.send("one.edi"))
    # The other way round: the route's end is broken, so its beginning waits.
    agent.write_conf("site.conf", new_site)
    agent.write_conf("isa.conf", isa.replace("site/stow-plans", "site/plans") + "colour = red\n")
    assert traffic.reload().code == 4
    assert "this file waits until isa.conf is corrected" in reason(traffic, "site")
    traffic.delivered("two.edi", traffic.send("two.edi"))
    agent.write_conf("isa.conf", isa.replace("site/stow-plans", "site/plans"))
    assert traffic.reload().code == 0
    traffic.wait_up()
    traffic.wait_up("site")
    traffic.delivered("three.edi", traffic.send("three.edi"))


def test_what_needs_a_restart_is_said_and_the_rest_counts(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    text = (agent.conf / "agent.conf").read_text()
    agent.write_conf("agent.conf", text.replace(f"state = {agent.state}", f"state = {agent.state}2") +
                     "[store]\nsegment-size = 8 MiB\n[log]\nlevel = debug\n[type stow-plan]\nmax-size = 100\n")
    answer = agent.ask("--state", agent.state, "reload")
    assert answer.code == 0, answer
    later = [row["text"] for row in answer["problems"] if row["severity"] == "after a restart"]
    assert len(later) == 2 and any("state of [agent]" in row for row in later) and any("segment-size" in row for row in later)
    status = agent.ask("--state", agent.state, "status")
    assert len([row for row in status["problems"] if row["severity"] == "after a restart"]) == 2
    # The type's limit counts at once: the source's link is started again with it.
    content = traffic.send("large.edi")
    assert "larger than" in traffic.rejected("large.edi", content)
    assert not pathlib.Path(f"{agent.state}2").exists()
    agent.write_conf("agent.conf", text)
    assert traffic.reload().code == 0
    traffic.delivered("plan.edi", traffic.send("plan.edi"))


# ---- nothing changes ----

@pytest.mark.long
def test_two_hundred_reloads_leave_no_trace(agent, sshd):
    began = time.monotonic()
    traffic = Traffic(agent, sshd).start(FORGETFUL)
    sound = (agent.conf / "isa.conf").read_text()
    broken = sound + "[policy contnet]\n"
    children = agent.children()

    def reloads(count):
        for i in range(count):
            agent.write_conf("isa.conf", broken if i % 2 == 0 else sound)
            assert traffic.reload().code == (4 if i % 2 == 0 else 0)
    reloads(40)
    pid = agent.process.pid
    before = memory(pid), descriptors(pid)
    reloads(160)
    after = memory(pid), descriptors(pid)
    assert agent.children() == children and traffic.state() == "up"
    assert after[1] <= before[1] + 2, f"descriptors: {before[1]}, then {after[1]}"
    assert after[0] <= before[0] + 8000, f"kilobytes: {before[0]}, then {after[0]}"
    minutes = (time.monotonic() - began) / 60
    # Once a minute, and how often it was repeated.
    assert len(traffic.records("configuration-refused", chain="host")) <= 2 * (minutes + 1)
    assert len(traffic.records("configuration-loaded", chain="host")) == 1
    traffic.delivered("plan.edi", traffic.send("plan.edi"))
    agent.stop()
    repeated = [record for record in traffic.records("configuration-refused", chain="host") if "accord.details.repeated" in record]
    assert repeated, traffic.records("configuration-refused", chain="host")


def test_plugins_are_asked_what_they_are_once(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    cache = agent.state / "cache/plugins"
    kept = sorted(path.name for path in cache.iterdir())
    assert len(kept) == len(list(agent.installation.plugins.iterdir()))
    times = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    (cache / kept[0]).write_bytes(b"spoilt")
    agent.restart()
    traffic.wait_up()
    assert {path.name: path.stat().st_mtime_ns for path in cache.iterdir() if path.name != kept[0]} == \
        {name: when for name, when in times.items() if name != kept[0]}
    assert len((cache / kept[0]).read_bytes()) > 100


# ---- accord enable, accord disable ----

def as_owner(agent, *arguments):
    """As the user that owns conf.d, so that owner and mode stay without root's rights."""
    return subprocess.run([agent.installation.command, "--conf", agent.conf, *arguments], capture_output=True, text=True,
                          timeout=120, check=False, env=agent.installation.environment,
                          **({"user": account("nobody").pw_uid, "group": account("nobody").pw_gid} if ROOT else {}))


def test_enable_and_disable_edit_one_line_and_wait_for_it(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    path = agent.conf / "isa.conf"
    odd = "\ufeff" + path.read_text().replace("enabled = yes", "enabled   =  yes   ; the switch").replace("\n", "\r\n")
    path.write_bytes(odd.encode().rstrip(b"\r\n"))
    path.chmod(0o640)
    give(path)
    assert traffic.reload().code == 0
    traffic.wait_up()
    done = as_owner(agent, "disable", "isa")
    assert done.returncode == 0 and "isa is disabled" in done.stdout, done
    assert path.read_bytes() == odd.replace("=  yes   ; the", "=  no   ; the").encode().rstrip(b"\r\n")
    assert path.stat().st_mode & 0o7777 == 0o640 and path.stat().st_uid == account("nobody").pw_uid
    assert traffic.state() == "disabled"
    done = as_owner(agent, "enable", "isa")
    assert done.returncode == 0 and "isa is enabled and up" in done.stdout, done
    assert path.read_bytes() == odd.encode().rstrip(b"\r\n")
    traffic.delivered("plan.edi", traffic.send("plan.edi"))
    record = traffic.wait_record("command", **{"event_reason": "disable"})
    assert record["accord.details.after"] == record["accord.details.file"] != record["accord.details.before"]
    user = pwd.getpwnam("nobody") if ROOT else pwd.getpwuid(os.getuid())
    assert record["user.name"] == f"{user.pw_name}({user.pw_uid})"
    assert sorted(name.name for name in agent.conf.iterdir()) == ["agent.conf", "isa.conf", "site.conf"]


def test_enable_refuses_a_file_with_mistakes_and_disable_does_not(agent, sshd):
    traffic = Traffic(agent, sshd, {"agreement": {"enabled": "no", "acknowledged": None}, "link sftp": {"hots": "x"}})
    give(agent.home)
    before = (agent.conf / "isa.conf").read_bytes()
    answer = agent.ask("enable", "isa")
    assert answer.code == 4 and (agent.conf / "isa.conf").read_bytes() == before
    texts = " ".join(row["text"] for row in answer["problems"])
    assert "acknowledged" in texts and "hots" in texts and "nothing was changed" in answer.line
    traffic.write_agreement({"link sftp": {"hots": "x"}})
    answer = agent.ask("disable", "isa")
    assert answer.code == 0 and "no agent runs here" in answer.line
    assert b"enabled = no" in (agent.conf / "isa.conf").read_bytes()


def test_a_line_that_is_missing_is_added(agent, sshd):
    Traffic(agent, sshd, {"agreement": {"enabled": None}})
    give(agent.home)
    assert agent.ask("enable", "isa").code == 0
    assert (agent.conf / "isa.conf").read_text().startswith("[agreement]\nenabled = yes\ntitle")


def test_without_the_right_to_write_nothing_is_switched(agent, sshd, not_run):
    traffic = Traffic(agent, sshd).start()
    if not ROOT:
        (agent.conf / "isa.conf").chmod(0o444)
        answer = agent.ask("disable", "isa")
    else:
        user = pwd.getpwnam("daemon")
        (agent.conf / "isa.conf").chmod(0o644)
        done = subprocess.run([agent.installation.command, "--conf", agent.conf, "disable", "isa"], capture_output=True,
                              text=True, check=False, env=agent.installation.environment, user=user.pw_uid,
                              group=user.pw_gid, extra_groups=[])
        answer = type("Answer", (), {"code": done.returncode, "line": done.stderr})
    assert answer.code == 1 and "this user may not" in answer.line, answer.line
    assert traffic.state() == "up" and "enabled = yes" in (agent.conf / "isa.conf").read_text()


@pytest.mark.parametrize("name", ["site", "agent", "../isa", "nothing"])
def test_only_agreements_are_switched(agent, sshd, name):
    Traffic(agent, sshd)
    give(agent.home)
    answer = agent.ask("disable", name)
    assert answer.code == (1 if name == "nothing" else 2) and name in answer.line


def test_an_agreement_that_cannot_be_up_says_why(agent, sshd):
    traffic = Traffic(agent, sshd, {"agreement": {"enabled": "no", "acknowledged": "2019-03-14", "valid-for": "3 years"}})
    agent.start()
    answer = agent.ask("enable", "isa")
    assert answer.code == 1 and "not-in-force" in answer.line and "expired" in answer.line, answer
    assert traffic.state() == "not-in-force"


# ---- check, plugins, init ----

def test_a_laptop_without_the_secrets_says_what_it_did_not_check(agent, sshd):
    Traffic(agent, sshd)
    folder = agent.home / "laptop/conf.d"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o755)
    for name in ("isa.conf", "site.conf"):
        shutil.copy(agent.conf / name, folder)
    (folder / "site.conf").write_text((folder / "site.conf").read_text().replace(str(agent.site), "/srv/not-here"))
    (folder / "agent.conf").write_text("[agent]\nuser = accord-agent\nstate = /var/lib/not-here\n")
    answer = agent.ask("check", conf=folder)
    assert answer.code == 5, answer
    assert {(row["severity"], row["file"]) for row in answer["problems"]} == \
        {("not checked", "agent.conf"), ("not checked", "isa.conf"), ("not checked", "site.conf")}
    assert not pathlib.Path("/var/lib/not-here").exists()


def test_plugins_are_listed_with_who_uses_them(agent, sshd):
    Traffic(agent, sshd)
    rows = {row["file"]: row for row in agent.ask("plugins")["plugins"]}
    assert rows["connector-dir.so"]["used-by"] == "site" and rows["connector-sftp.so"]["used-by"] == "isa"
    assert rows["policy-services.so"]["kind"] == "policy" and rows["policy-services.so"]["pinned"] == "no"
    pin = rows["connector-dir.so"]["sha256"]
    agent.write_conf("agent.conf", (agent.conf / "agent.conf").read_text() + f"[plugins]\nconnector-dir.so = {pin}\n")
    rows = {row["file"]: row for row in agent.ask("plugins")["plugins"]}
    assert rows["connector-dir.so"]["pinned"] == "yes"


def init(agent, folder, answers, *options):
    return subprocess.run([agent.installation.command, "init", folder, *options], input=answers, capture_output=True,
                          text=True, timeout=120, check=False, env=agent.installation.environment)


def test_init_writes_a_sound_folder_and_never_over_another(agent):
    folder = agent.home / "begun/conf.d"
    done = init(agent, folder, "", "--yes")
    assert done.returncode == 0 and "sound" in done.stdout, done
    assert sorted(path.name for path in folder.iterdir()) == ["agent.conf", "partner.conf", "site.conf"]
    assert agent.ask("check", conf=folder).code in (0, 5)
    texts = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = init(agent, folder, "", "--yes")
    assert done.returncode == 1 and "nothing was written" in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == texts


def test_init_takes_answers_and_asks_again_for_those_that_do_not_fit(agent):
    folder = agent.home / "asked"
    answers = ["Acme Lines", "accord", str(agent.home / "s"), "not a path", str(agent.site), "cbp, fax", "cbp, ais, sftp", "Port!",
               "port", "Port of X", "no host", "sftp.example.org", "70000", "2222", "acme7", "/drop", "MD5:x",
               "SHA256:" + "B" * 43]
    done = init(agent, folder, "\n".join(answers) + "\n")
    assert done.returncode == 0, done
    text = (folder / "port.conf").read_text()
    for line in ("partner   = Port of X", "host = sftp.example.org", "port = 2222", "user      = acme7", "directory = /drop",
                 "host-key  = SHA256:" + "B" * 43, "enabled   = no"):
        assert line in text, line
    assert "name = Acme Lines" in (folder / "site.conf").read_text() and str(agent.site) in (folder / "site.conf").read_text()
    assert sorted(path.name for path in folder.iterdir()) == \
        ["agent.conf", "cbp-isa.conf", "cisa-ais.conf", "port.conf", "site.conf"]
    assert agent.ask("check", conf=folder).code in (0, 5)


@pytest.mark.parametrize("answers", ["", "Acme\n", "Acme\naccord\n" + "x\n" * 5])
def test_init_without_answers_writes_nothing(agent, answers):
    folder = agent.home / "none"
    done = init(agent, folder, answers)
    assert done.returncode == 2 and "nothing was written" in done.stderr
    assert not folder.exists()


def test_what_init_wrote_runs_when_it_is_completed(agent, sshd):
    """A rehearsal of the first day: init, key, host key, date, enable."""
    shutil.rmtree(agent.conf)
    answers = ["Acme", pwd.getpwuid(os.getuid()).pw_name if not ROOT else "nobody", str(agent.state), str(agent.site), "sftp",
               "port", "Port of X", "127.0.0.1", str(sshd.port), sshd.user, "in", sshd.host_key.fingerprint]
    done = init(agent, agent.conf, "\n".join(answers) + "\n")
    assert done.returncode == 0, done
    agent.write_conf("port.conf", (agent.conf / "port.conf").read_text().replace("; acknowledged = 2025-03-14",
                                                                              "acknowledged = 2026-01-01"))
    agent.secret("port", "id", sshd.user_key.private)
    agent.site_folder("port")
    (sshd.files / "in").mkdir()
    give(sshd.files, "daemon")
    agent.start()
    answer = agent.ask("enable", "port")
    assert answer.code == 0, answer
    agent.drop("port", "hello.txt", b"hello")
    agent.wait_message(name="hello.txt", state="delivered")
    assert (sshd.files / "in/hello.txt").read_bytes() == b"hello"


# ---- formerly ----

def test_a_renamed_agreement_takes_its_messages_along_once(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    sshd.stop()
    content = traffic.send("plan.edi")
    traffic.wait_record("delivery-retried")
    text = (agent.conf / "isa.conf").read_text()
    renamed = text.replace("[agreement]\n", "[agreement]\nformerly = isa\n")
    agent.secret("port", "id", sshd.user_key.private)
    # Both files: the new one is refused, and nothing is taken from the old one.
    agent.write_conf("port.conf", renamed)
    answer = traffic.reload()
    assert answer.code == 4 and "isa.conf is still there" in str(answer["problems"])
    assert traffic.state("port") is None and traffic.state() == "up"
    (agent.conf / "isa.conf").unlink()
    traffic.wait_up("port")
    wait_for(lambda: traffic.state() is None, "the former one to be gone from status")
    record = traffic.wait_record("agreement-adopted", chain="port")
    assert record["accord.details.formerly"] == "isa"
    sshd.start()
    traffic.delivered("plan.edi", content)
    agent.restart()
    traffic.wait_up("port")
    traffic.delivered("then.edi", traffic.send("then.edi"))
    assert traffic.state() is None
    assert len(traffic.records("agreement-adopted", chain="port")) == 1
    assert agent.ask("audit", "verify").code == 0


def test_messages_wait_for_a_new_name_over_a_restart_and_go_back_with_the_old_one(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    text = (agent.conf / "isa.conf").read_text()
    sshd.stop()
    content = traffic.send("plan.edi")
    traffic.wait_record("delivery-retried")
    agent.stop()
    agent.secret("port", "id", sshd.user_key.private)
    (agent.conf / "isa.conf").unlink()
    agent.write_conf("port.conf", text.replace("[agreement]\n", "[agreement]\nformerly = isa\n"))
    agent.start()
    traffic.wait_record("agreement-adopted", chain="port")
    # And back, in one set.
    agent.write_conf("isa.conf", text.replace("[agreement]\n", "[agreement]\nformerly = port\n"))
    (agent.conf / "port.conf").unlink()
    traffic.wait_record("agreement-adopted", chain="isa")
    # And there again: what was noted of the first time does not stand in its way.
    agent.write_conf("port.conf", text.replace("[agreement]\n", "[agreement]\nformerly = isa\n"))
    (agent.conf / "isa.conf").unlink()
    wait_for(lambda: len(traffic.records("agreement-adopted", chain="port")) == 2, "the second adoption")
    sshd.start()
    traffic.delivered("plan.edi", content)


def test_two_that_take_over_the_same_are_both_refused(agent, sshd):
    traffic = Traffic(agent, sshd).start()
    text = (agent.conf / "isa.conf").read_text().replace("[agreement]\n", "[agreement]\nformerly = isa\n")
    for name in ("one", "two"):
        agent.secret(name, "id", sshd.user_key.private)
        agent.write_conf(f"{name}.conf", text)
    (agent.conf / "isa.conf").unlink()
    answer = traffic.reload()
    assert answer.code == 4
    assert [(row["file"], row["line"]) for row in answer["problems"] if row["severity"] == "error"] == \
        [("one.conf", "2"), ("two.conf", "2")]
    assert traffic.state("one") is None and traffic.state("two") is None
