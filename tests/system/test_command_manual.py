"""What people find beside the command: manual pages and the shell's completion."""
import shutil
import subprocess

import pytest
from harness import BUILD, ROOT

PAGES = sorted((ROOT / "docs/reference").glob("*.[158]"))


def accord(*words):
    done = subprocess.run([BUILD / "bin/accord", "--conf", ROOT / "conf.d", *words], capture_output=True, text=True,
                          check=True)
    return done.stdout.split()


@pytest.mark.skipif(not shutil.which("groff"), reason="groff, which would show a page, is not here")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_manual_page_is_sound(page):
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", page], capture_output=True, text=True, check=True)
    assert not done.stderr
    assert len(done.stdout) > 1000


def test_every_command_has_its_place_in_the_manual():
    manual = (ROOT / "docs/reference/accord.1").read_text()
    for command in accord("complete", ""):
        assert f".B {command}" in manual


@pytest.mark.parametrize("typed, offered", [
    (["sho"], ["show"]),
    (["audit", "v"], ["verify"]),
    (["validate", "stow"], ["stow-plan"]),
    (["messages", "--agreement", ""], ["cbp-isa", "cisa-ais", "site"]),
    (["messages", "--limit", "5", "--ty"], ["--type"]),
    (["no-such-command", ""], []),
])
def test_completion_offers(typed, offered):
    assert sorted(accord("complete", *typed)) == offered


def test_bash_completes_behind_the_command_s_own_options():
    script = f"""source {ROOT}/core/cli/completion.bash; PATH={BUILD}/bin:$PATH
        COMP_WORDS=(accord --conf {ROOT}/conf.d --json messages --agreement c) COMP_CWORD=6
        _accord; echo "${{COMPREPLY[@]}}" """
    assert subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout == "cbp-isa cisa-ais\n"
