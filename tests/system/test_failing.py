"""A process that fails again and again, and a log that nobody reads, stop nothing else."""
import os
import re
import signal
import subprocess
import time

from harness import give, wait_for
from traffic import AGREEMENT, Traffic, conf, partner_of


def row(agent, name):
    return next(row for row in agent.ask("agreements")["agreements"] if row["agreement"] == name)


def ready(agent, process):
    return next((int(row["pid"]) for row in agent.ask("status")["processes"]
                 if row["process"] == process and row["state"] == "ready"), None)


def test_agreement_whose_process_fails_again_and_again_is_shown_failing_and_others_go_on(agent, partner):
    server = partner()
    traffic = Traffic(agent, server)
    agent.secret("other", "id", server.user_key.private)
    agent.write_conf("other.conf", conf(AGREEMENT, partner_of(server), {"service stow-plan": {"from": None},
                                                                       "policy content": None}))
    traffic.start()
    for _ in range(6):
        os.kill(wait_for(lambda: ready(agent, "guard-other"), "the guard to be ready"), signal.SIGKILL)
        wait_for(lambda: row(agent, "other")["state"] == "failing", lambda: f"failing: {row(agent, 'other')}")
    assert "ended by signal 9" in row(agent, "other")["reason"]
    assert row(agent, "isa")["state"] == "up"
    traffic.delivered("plan.edi", traffic.send("plan.edi"))
    pauses = [int(ms) for ms in re.findall(r"guard-other failed: .*; starting it again in (\d+) ms", agent.log())]
    assert [round(ms / 100) for ms in pauses] == [1, 2, 4, 8, 16, 32]
    traffic.wait_state("up", "other")


def test_hub_goes_on_when_nobody_reads_its_log(agent, partner):
    traffic = Traffic(agent, partner())
    reader, writer = os.pipe()
    give(agent.home)
    log, agent.log_path = agent.log_path, agent.home / "unused"
    try:
        agent.process = subprocess.Popen([agent.installation.daemon, "--conf", agent.conf], stdin=subprocess.DEVNULL,
                                         stdout=writer, stderr=writer, cwd="/", env=agent.installation.environment)
        os.close(writer)
        wait_for(agent.answers, "the agent to answer")
        traffic.wait_up()

        def lost():
            # Other mistakes each time: the same ones would be told once.
            name = f"unknown-{time.monotonic_ns()}"
            agent.write_conf("broken.conf", "[agreement]\n" + "".join(f"{name}-{i} = 1\n" for i in range(300)))
            agent.ask("reload")
            return [row for row in agent.ask("metrics")["metrics"]
                    if row["metric"] == "accord_log_lines_lost_total" and int(row["value"])]
        wait_for(lost, "lines to be lost", 60)
        traffic.delivered("plan.edi", traffic.send("plan.edi"))
        assert agent.stop() == 0
    finally:
        os.close(reader)
        agent.log_path = log
