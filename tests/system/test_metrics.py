"""`accord metrics` is what Prometheus expects (text format 0.0.4), says what happens, and has the names that the
documentation lists."""
import re
import subprocess

from harness import ROOT
from traffic import Traffic

NAME, LABEL = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r"[a-zA-Z_][a-zA-Z0-9_]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}=\"(?:[^\"\\\n]|\\[\\n\"])*\"(?:,{LABEL}=\"(?:[^\"\\\n]|\\[\\n\"])*\")*)\}})? "
                    r"(-?[0-9]+(?:\.[0-9]+)?)")
PAIR = re.compile(rf"({LABEL})=\"((?:[^\"\\\n]|\\[\\n\"])*)\"")


def parse(text):
    """Strictly: every family in one piece, with HELP and TYPE before its samples; no sample twice; a number for each.
    {name: (type, {labels: value})}"""
    assert text.endswith("\n")
    families, name, helped = {}, None, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped = re.fullmatch(rf"# HELP ({NAME}) (.+)", line)[1]
        elif line.startswith("# TYPE "):
            name, kind = re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge)", line).groups()
            assert helped == name and name not in families, line
            families[name] = (kind, {})
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, f"not a sample: {line!r}"
            assert sample[1] == name, f"outside its family: {line!r}"
            labels = tuple(sorted(PAIR.findall(sample[2] or "")))
            assert labels not in families[name][1], f"twice: {line!r}"
            families[name][1][labels] = float(sample[3])
            assert families[name][0] != "counter" or float(sample[3]) >= 0
    assert all(samples for _, samples in families.values())
    return families


def metrics(agent):
    done = subprocess.run([agent.installation.command, "--conf", agent.conf, "metrics"], capture_output=True, text=True,
                          timeout=60, check=False, env=agent.installation.environment)
    assert done.returncode == 0 and not done.stderr, done
    return parse(done.stdout)


def value(families, name, **labels):
    return families[name][1][tuple(sorted(labels.items()))]


def documented():
    """{name: (type, set of labels)}"""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \|", (ROOT / "docs/reference/metrics.md").read_text(), re.M)
    return {name: (kind, set() if labels == "-" else set(labels.split(", "))) for name, kind, labels in rows}


def test_metrics_say_what_has_happened(agent, partner):
    traffic = Traffic(agent, partner()).start()
    before = metrics(agent)
    assert value(before, "accord_agreement_up", agreement="isa") == 1
    assert value(before, "accord_link_up", agreement="isa", link="sftp") == 1
    traffic.delivered("good.edi", traffic.send("good.edi"))
    traffic.rejected("broken.edi", traffic.send("broken.edi", break_="unt-count"))
    after = metrics(agent)
    assert value(after, "accord_offers_total", agreement="site", service="stow-plans", outcome="accepted") == 1
    assert value(after, "accord_offers_total", agreement="site", service="stow-plans", outcome="quarantined") == 1
    assert value(after, "accord_attempts_total", agreement="isa", service="stow-plan", outcome="delivered") == 1
    assert value(after, "accord_deliveries", agreement="isa", service="stow-plan", state="delivered") == 1
    size = (traffic.inbox / "good.edi").stat().st_size
    assert value(after, "accord_accepted_bytes_total", agreement="site", service="stow-plans") == size
    assert value(after, "accord_delivered_bytes_total", agreement="isa", service="stow-plan") == size
    assert value(after, "accord_messages") == 2 and value(after, "accord_quarantined_messages") == 1
    assert value(after, "accord_commits_total") > value(before, "accord_commits_total")
    assert 0 < value(after, "accord_commit_seconds_max") <= value(after, "accord_commit_seconds_total")
    assert value(after, "accord_store_free_bytes") > 0
    assert 9000 < value(after, "accord_agreement_expires_days", agreement="isa") < 11000
    assert value(after, "accord_process_starts_total", agreement="isa", process="guard-isa") == 1


def test_metrics_are_those_that_are_documented(agent, partner):
    traffic = Traffic(agent, partner()).start()
    traffic.delivered("good.edi", traffic.send("good.edi"))
    listed = documented()
    for name, (kind, samples) in metrics(agent).items():
        assert name in listed, f"{name} is not in docs/reference/metrics.md"
        assert listed[name][0] == kind
        for labels in samples:
            assert {label for label, _ in labels} == listed[name][1], f"{name}{labels}"


def test_metrics_show_a_suspended_agreement(agent, partner):
    Traffic(agent, partner()).start()
    assert agent.ask("suspend", "isa").code == 0
    after = metrics(agent)
    assert value(after, "accord_agreement_suspended", agreement="isa") == 1
    assert value(after, "accord_agreement_up", agreement="isa") == 0
    assert value(after, "accord_agreement_state", agreement="isa", state="suspended") == 1
    assert value(after, "accord_agreement_up", agreement="site") == 1
