"""What may not flow: refused with its rule, said to the operator and to the source, recorded, and kept."""
import os

import pytest
from harness import ROOT, Agent, Sshd, give, wait_for
from traffic import Traffic, plan, receiving

FIXTURES = ROOT / "tests/fixtures/stow-plan"
BROKEN = {path.stem.removeprefix("broken-"): path.read_bytes() for path in sorted(FIXTURES.glob("broken-*.edi"))}


@pytest.fixture(scope="module")
def traffic(installation):
    if Sshd.binary() is None:
        pytest.skip("OpenSSH's server could not be fetched (see build/logs/servers.log)")
    server, agent = Sshd(installation.folder()), Agent(installation)
    server.start()
    for folder in ("ace", "small", "slow"):
        agent.site_folder(folder)
    plans = {f"service {name}": {"type": "stow-plan", "direction": "send", "link": "sftp", "directory": "in",
                                 "from": f"site/{name}"} for name in ("small", "slow")}
    one = Traffic(agent, server, plans, site={**receiving("ace", "ace-transaction"),
                                              **receiving("small", "stow-plan", max_size="100 MiB"),
                                              **receiving("slow", "stow-plan", settle="3 s")})
    yield one.start()
    agent.close()
    server.stop()


def check_quarantined(traffic, name, content, rule, folder="plans"):
    """Everything that must be true of a message that was set aside; returns its reason."""
    row = traffic.wait(name, "quarantined")
    assert row["rule"] == rule and row["reason"], row
    told = traffic.rejected(name, content, folder)
    for words in (rule, row["reason"], row["id"], f"accord explain {row['id']}", "What to do"):
        assert words in told, f"{words!r} is not in {told}"
    explained = traffic.agent.ask("explain", row["id"])
    assert explained.code == 0
    step = explained["explanation"][0]
    assert (step["rule"], step["reason"]) == (rule, row["reason"]) and step["next"], step
    record = traffic.wait_record("message-quarantined", chain="site", accord_message=row["id"])
    assert (record["rule.name"], record["event.reason"], record["event.outcome"]) == (rule, row["reason"], "failure")
    assert record["accord.size"] == len(content)
    assert not (traffic.inbox / name).exists(), "the partner has it"
    return row["reason"]


def test_a_type_that_no_agreement_lists_goes_nowhere(traffic):
    content = traffic.send("entry.txt", b"A" + b" " * 79 + b"\n", folder="ace")
    reason = check_quarantined(traffic, "entry.txt", content, "services.no-service", "ace")
    assert "ace-transaction" in reason and "site/ace" in reason


def test_every_broken_stow_plan_is_refused_by_the_rule_that_it_breaks(traffic):
    for rule, content in BROKEN.items():
        traffic.send(f"{rule}.edi", content)
    for rule, content in BROKEN.items():
        check_quarantined(traffic, f"{rule}.edi", content, f"stow-plan.{rule}")
    traffic.delivered("sound.edi", traffic.send("sound.edi"))


def test_a_refusal_stands_in_the_trail_of_the_agreement_that_refused(traffic):
    traffic.send("refused.edi", break_="unt-count")
    row = traffic.wait("refused.edi", "quarantined")
    record = traffic.wait_record("message-quarantined", accord_message=row["id"])
    assert record["rule.name"] == "stow-plan.unt-count" and record["event.outcome"] == "failure"
    assert record["accord.service"] == "stow-plan" and record["accord.details.origin"] == "site/stow-plans"


GOOD = plan("HOSTILE")
HOSTILE = {
    "empty": (b"", "start"),
    "endless-segment": (GOOD[:-40] + b"FTX+" + b"A" * 3_000_000, "segment-length"),
    "endless-element": (GOOD.replace(b"601W", b"9" * 100_000, 1), "segment-length"),
    "endless-segments": (GOOD[:-40] + b"X'" * 2_000_000, None),
    "huge-count": (GOOD.replace(b"UNT+", b"UNT+" + b"9" * 400, 1), "unt-count"),
    "only-terminators": (b"'" * 5_000_000, "start"),
    "zeros": (bytes(1_000_000), "start"),
    "every-byte": (bytes(range(256)) * 400, "start"),
    "releases": (GOOD.replace(b"REHEARSAL", b"?" * 1_000_000, 1), "segment-length"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_bytes_are_refused_quickly_and_harm_nobody(traffic, kind):
    content, rule = HOSTILE[kind]
    before = traffic.agent.children()
    traffic.send(f"{kind}.edi", content)
    row = traffic.wait(f"{kind}.edi", "quarantined")
    assert row["rule"] == f"stow-plan.{rule}" if rule else row["rule"].startswith("stow-plan."), row
    assert len(row["reason"]) < 500 and row["reason"].isprintable()
    traffic.rejected(f"{kind}.edi", content)
    assert traffic.agent.children() == before, "a process was restarted"


def test_a_file_above_its_size_is_not_read_and_stays_with_its_source(traffic):
    """One that cannot be read in a lifetime: it takes no room on the disk."""
    def stored():
        """The journal grows by whole segments, smaller than the service's limit."""
        peak.append(sum(path.stat().st_size for path in (traffic.agent.state / "store").glob("*.seg")))
        return peak[-1]
    hidden, before, peak = traffic.agent.site / ".huge", traffic.agent.children(), []
    assert 0 < stored() < 100 << 20
    hidden.touch()
    os.truncate(hidden, 1 << 40)
    give(hidden)
    hidden.rename(traffic.agent.site / "small/huge.edi")
    aside = traffic.agent.site / "small/rejected"
    wait_for(lambda: stored() and (aside / "huge.edi").exists(),
             lambda: f"it to be set aside; the log ends:\n{traffic.agent.log_tail()}")
    assert (aside / "huge.edi").stat().st_size == 1 << 40
    told = (aside / "huge.edi.reason.txt").read_text()
    assert "services.size" in told and "max-size" in told and "What to do" in told
    assert "accord explain" not in told, "it promises a copy that nobody has"
    record = traffic.wait_record("message-refused", chain="site", accord_name="huge.edi")
    assert (record["rule.name"], record["event.outcome"]) == ("services.size", "failure")
    assert not [row for row in traffic.agent.ask("messages")["messages"] if row["name"] == "huge.edi"]
    assert max(peak) == peak[0], "it was read up to the limit"
    assert traffic.agent.children() == before, "a process was restarted"
    traffic.delivered("modest.edi", traffic.send("modest.edi", folder="small"))


def test_a_file_that_keeps_growing_is_taken_when_it_has_stopped(traffic):
    """It grows each 20 to 100 ms, and has come to rest when it did not for three seconds."""
    content = plan("GROWING", containers=2000)
    path = traffic.agent.site / "slow/growing.edi"
    with path.open("wb", buffering=0) as file:
        give(path)
        at, marker = 0, traffic.send("meanwhile.edi")

        def grows():
            nonlocal at
            file.write(content[at:at + 100])
            at += 100
            return (traffic.inbox / "meanwhile.edi").exists() and at > 3000
        wait_for(grows, "another file to pass the growing one")
        assert at < len(content)
        assert not [row for row in traffic.agent.ask("messages")["messages"] if row["name"] == "growing.edi"]
        file.write(content[at:])
    traffic.delivered("growing.edi", content)
    traffic.delivered("meanwhile.edi", marker)
    assert [row["state"] for row in traffic.agent.ask("messages", "--limit", "256")["messages"]
            if row["name"] == "growing.edi"] == ["delivered"]


def test_only_plain_files_with_one_name_are_taken(traffic):
    outside = traffic.agent.home / "outside.edi"
    outside.write_bytes(plan("OUTSIDE"))
    give(outside)
    put = traffic.folder / "put"
    (put.with_name("symlink.edi")).symlink_to(outside)
    os.link(outside, put.with_name("hardlink.edi"))
    os.mkfifo(put.with_name("fifo.edi"))
    put.with_name("folder.edi").mkdir()
    kinds = ["symlink.edi", "hardlink.edi", "fifo.edi"]
    wait_for(lambda: all(f"{kind} was left alone" in traffic.agent.log() for kind in kinds),
             lambda: f"the log to name them:\n{traffic.agent.log_tail()}")
    assert "put the file itself there" in traffic.agent.log() and "put a copy there" in traffic.agent.log()
    traffic.delivered("plain.edi", traffic.send("plain.edi"))
    names = [row["name"] for row in traffic.agent.ask("messages", "--limit", "256")["messages"]]
    for kind in [*kinds, "folder.edi"]:
        assert os.path.lexists(traffic.folder / kind) and kind not in names
        (put.with_name(kind)).rmdir() if kind == "folder.edi" else (put.with_name(kind)).unlink()
    assert outside.read_bytes() == plan("OUTSIDE")


def test_a_control_number_is_taken_once_also_after_a_restart(traffic):
    first = traffic.send("first.edi", plan("ONCE", containers=1))
    traffic.delivered("first.edi", first)
    second = traffic.send("second.edi", plan("ONCE", containers=2))
    reason = check_quarantined(traffic, "second.edi", second, "hub.key-used")
    assert "ONCE" in reason and "new control number" in reason
    traffic.agent.restart()
    traffic.wait_up()
    third = traffic.send("third.edi", plan("ONCE", containers=3))
    check_quarantined(traffic, "third.edi", third, "hub.key-used")
