"""One state folder, and what may happen to it."""
import subprocess

from exact import Flow, Ledger
from harness import wait_for


def test_two_hubs_on_one_state_folder(agent, partner):
    """A second agent with the same state folder refuses to start and says why; the first does not notice."""
    ledger = Ledger()
    flow = Flow(agent, partner(server=ledger.server()))
    agent.start()
    flow.wait_up()
    flow.drop(3)
    for _ in range(3):
        second = subprocess.run([agent.installation.daemon, "--conf", agent.conf], capture_output=True, text=True,
                                timeout=30, env=agent.installation.environment, check=False)
        assert second.returncode == 1
        assert str(agent.state) in second.stderr and "another" in second.stderr, second.stderr
        flow.drop(2)
    flow.wait_settled()
    flow.check_all(ledger)
    assert agent.process.poll() is None and agent.ask("status").code == 0


def test_second_hub_after_the_first_was_killed(agent, partner):
    """The lock goes with the process that had it: after a kill the next start succeeds at once."""
    flow = Flow(agent, partner())
    agent.start()
    flow.wait_up()
    flow.drop(3)
    agent.process.kill()
    agent.process.wait()
    agent.start()
    flow.kills += 1
    flow.wait_settled()
    flow.check_all()


def test_agreement_edited_in_mid_transfer(agent, partner):
    """The agreement's file is changed, and changed back, while bodies are on their way: they finish or are sent again
    under the new one, each arrives once."""
    ledger = Ledger()
    flow = Flow(agent, partner(server=ledger.server()))
    agent.start()
    flow.wait_up()
    text = (agent.conf / "isa.conf").read_text()
    for turn in range(4):
        flow.drop(6)
        begun = sum(ledger.begun.values())
        wait_for(lambda: sum(ledger.begun.values()) > begun, lambda: f"a body to be on its way; {agent.log_tail()}")
        agent.write_conf("isa.conf", text.replace("retry-longest = 1 s", f"retry-longest = {2 + turn} s"))
        agent.reload()
        flow.kills += 1
    flow.wait_settled()
    flow.check_all(ledger)
