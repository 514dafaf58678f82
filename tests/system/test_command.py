"""The accord command where no agent runs: checking, validating, usage, exit codes."""
import hashlib
import os
import subprocess

import pytest
from harness import BUILD, ROOT, account, give

FIXTURES = ROOT / "tests/fixtures/stow-plan"

SITE = """
[site]
name = Acme

[link plans]
connector = dir
path      = {site}

[service stow-plans]
type      = stow-plan
direction = receive
link      = plans
"""

AGREEMENT = """
[agreement]
title        = A
partner      = B
enabled      = yes
acknowledged = 2026-01-01
valid-for    = 30 years

[endpoint sftp]
host = sftp.example
port = 22

[link sftp]
connector = sftp
endpoint  = sftp
user      = acme
key       = id
host-key  = SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU

[service stow-plan]
type      = stow-plan
direction = send
link      = sftp
directory = /in
from      = site/stow-plans

[policy encryption]
ssh-ciphers = aes256-gcm@openssh.com

[policy content]
"""


@pytest.fixture
def configured(agent):
    """An agent's folders with a sound conf.d; it is not started."""
    agent.write_conf("site.conf", SITE.format(site=agent.site_folder("plans")))
    agent.write_conf("isa.conf", AGREEMENT)
    agent.secret("isa", "id", b"secret")
    give(agent.home)
    return agent


def errors(answer):
    return [row for row in answer["problems"] if row["severity"] == "error"]


def test_check_finds_a_sound_folder_sound(configured):
    answer = configured.ask("check")
    assert answer.code == 0, answer
    assert not errors(answer)


def test_check_lists_every_mistake_with_its_line(configured):
    configured.write_conf("isa.conf", AGREEMENT.replace("connector = sftp", "connector = sfpt")
                          .replace("port = 22", "port = 70000").replace("[policy content]", "[policy contents]"))
    answer = configured.ask("check")
    assert answer.code == 4, answer
    lines = {(row["file"], row["line"]) for row in errors(answer)}
    wanted = ["port = 70000", "connector = sfpt", "[policy contents]"]
    text = (configured.conf / "isa.conf").read_text().splitlines()
    for mistake in wanted:
        assert ("isa.conf", str(text.index(mistake) + 1)) in lines, f"{mistake}: {answer}"
    assert any("sftp" in row["text"] for row in errors(answer)), "the nearest name is not offered"


def test_check_for_people_is_written_as_compilers_do(configured):
    configured.write_conf("isa.conf", AGREEMENT.replace("port = 22", "port = 70000"))
    done = subprocess.run([configured.installation.command, "--conf", configured.conf, "check"], capture_output=True,
                          text=True, check=False, env=configured.installation.environment)
    assert done.returncode == 4
    assert "isa.conf:11: " in done.stdout and "70000" in done.stdout
    assert "1 error" in done.stderr


def test_check_says_what_this_user_may_not_read(configured):
    if os.getuid() != 0:
        pytest.skip("only root can run a command as someone who may not read the secrets")
    stranger = account("games")
    folder = configured.credentials / "isa"
    os.chown(folder, 0, 0)
    done = subprocess.run([configured.installation.command, "--conf", configured.conf, "--json", "check"],
                          capture_output=True, text=True, check=False, user=stranger.pw_uid, group=stranger.pw_gid,
                          extra_groups=[], env=configured.installation.environment)
    assert done.returncode == 5, done
    assert "not checked" in done.stdout


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.glob("good-*.edi")))
def test_validate_allows_a_good_stow_plan(configured, name):
    answer = configured.ask("validate", "stow-plan", FIXTURES / name)
    assert answer.code == 0, answer
    assert answer["verdict"][0]["answer"] == "allow"


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.glob("broken-*.edi")))
def test_validate_names_the_rule_that_a_broken_stow_plan_breaks(configured, name):
    answer = configured.ask("validate", "stow-plan", FIXTURES / name, "--agreement", "isa")
    assert answer.code == 1, answer
    verdict = answer["verdict"][0]
    assert verdict["answer"] == "deny"
    assert verdict["rule"] == "stow-plan." + name.removeprefix("broken-").removesuffix(".edi")
    assert verdict["reason"]


def test_validate_needs_no_configuration(configured):
    answer = configured.ask("validate", "stow-plan", FIXTURES / "good-2.0.edi", conf=configured.home / "none")
    assert answer.code == 0, answer


def test_validate_takes_an_empty_file_and_a_large_one(configured):
    for size in (0, 20_000_000):
        path = configured.home / "file"
        path.write_bytes(b"x" * size)
        answer = configured.ask("validate", "stow-plan", path)
        assert answer.code == 1, answer
        assert answer["verdict"][0]["size"] == str(size)


def test_validate_refuses_what_it_cannot_ask_about(configured):
    plan = FIXTURES / "good-2.0.edi"
    assert configured.ask("validate", "stow-plam", plan).line.endswith("did you mean `stow-plan`?")
    assert configured.ask("validate", "stow-plan", configured.home / "missing").code == 5
    assert configured.ask("validate", "stow-plan", configured.home).code == 5
    assert configured.ask("validate", "stow-plan", plan, "--agreement", "nobody").code == 4


def test_without_an_agent_its_commands_say_so(configured):
    for words in (["status"], ["agreements"], ["reload"], ["messages"], ["show", "x"], ["explain", "x"],
                  ["submit", "site/stow-plans", FIXTURES / "good-2.0.edi"]):
        answer = configured.ask(*words)
        assert answer.code == 3, (words, answer)
        assert "no agent is running" in answer.line


@pytest.mark.parametrize("words", [[], ["nonsense"], ["show"], ["show", "a", "b"], ["messages", "--limit"],
                                   ["messages", "--colour", "red"], ["audit"], ["--loud", "status"]])
def test_a_wrong_command_line_ends_with_2(configured, words):
    done = subprocess.run([configured.installation.command, *words], capture_output=True, text=True, check=False,
                          env=configured.installation.environment)
    assert done.returncode == 2
    assert done.stderr and not done.stdout


def test_version_and_help_need_nothing(configured):
    answer = configured.ask("version", conf=configured.home / "none")
    assert answer.code == 0 and answer["version"][0]["program"] == "accord"
    done = subprocess.run([configured.installation.command, "help"], capture_output=True, text=True, check=False,
                          env=configured.installation.environment)
    assert done.returncode == 0 and "audit verify" in done.stdout


def test_audit_verify_of_an_empty_folder_is_no_success(configured):
    folder = configured.home / "empty"
    folder.mkdir()
    assert configured.ask("audit", "verify", folder).code == 1


def sealed_chain(count):
    """Records of one chain, sealed as core/audit/chain.h says."""
    previous, lines = "0" * 64, []
    for sequence in range(1, count + 1):
        body = (f'{{"@timestamp":"2026-01-01T00:00:0{sequence}.000000Z","event.action":"command","accord.chain":"isa",'
                f'"accord.sequence":{sequence},"accord.previous":"{previous}"')
        previous = hashlib.sha256(body.encode()).hexdigest()
        lines.append(f'{body},"accord.hash":"{previous}"}}')
    return lines


@pytest.fixture
def trail(agent):
    folder = agent.home / "trail"
    (folder / "isa").mkdir(parents=True)
    return folder, folder / "isa/2026-01-01.jsonl"


def test_audit_verify_without_the_key_says_what_it_could_not_check(agent, trail):
    folder, path = trail
    path.write_text("\n".join(sealed_chain(5)) + "\n")
    answer = agent.ask("audit", "verify", folder)
    assert answer.code == 5, answer
    assert answer["trail"][0]["records"] == "5"
    assert answer["trail"][0]["signatures"].startswith("not checked")
    assert answer["problems"] == []


@pytest.mark.parametrize("fault, line", [("changed", "3"), ("missing", "3"), ("swapped", "4")])
def test_audit_verify_names_the_line(agent, trail, fault, line):
    folder, path = trail
    lines = sealed_chain(5)
    if fault == "changed":
        lines[2] = lines[2].replace("command", "commanD")
    elif fault == "missing":
        del lines[2]
    else:
        lines[2], lines[3] = lines[3], lines[2]
    path.write_text("\n".join(lines) + "\n")
    answer = agent.ask("audit", "verify", folder)
    assert answer.code == 1, answer
    assert {"fault": fault, "file": "isa/2026-01-01.jsonl", "line": line}.items() <= answer["problems"][0].items()


def test_the_reference_pages_are_those_of_this_build(configured):
    folder = configured.home / "reference"
    folder.mkdir()
    answer = configured.ask("reference", folder)
    assert answer.code == 0, answer
    stale = [page.name for page in sorted(folder.iterdir())
             if not (ROOT / "docs/reference" / page.name).exists()
             or page.read_text() != (ROOT / "docs/reference" / page.name).read_text()]
    assert not stale, f"run: {BUILD.relative_to(ROOT)}/bin/accord reference docs/reference"
