"""Maintenance windows: nothing is begun in them, everything goes on behind them, and people are told until when."""
import asyncio
import datetime
import zoneinfo

import pytest

from harness import asyncssh, wait_for
from traffic import Traffic


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def closed(begin, minutes):
    """From that minute on, for so many."""
    end = begin + datetime.timedelta(minutes=minutes)
    return f"{begin:%Y-%m-%d %H:%M} - {end:%Y-%m-%d %H:%M}"


def window(**options):
    return {"policy window": {key.replace("_", "-"): value for key, value in options.items()}}


def service_row(traffic):
    return next((row for row in traffic.agent.ask("status").tables.get("services", [])
                 if row["service"] == "stow-plan"), None)


def test_a_closed_window_keeps_messages_and_says_until_when(agent, sshd):
    begin = now().astimezone(zoneinfo.ZoneInfo("America/New_York")) - datetime.timedelta(minutes=1)
    traffic = Traffic(agent, sshd, window(closed=closed(begin, 60), time_zone="America/New_York")).start()
    content = traffic.send("plan.edi")
    waiting = traffic.wait("plan.edi", "waiting")
    wait_for(lambda: service_row(traffic), "status to say why nothing goes out")
    said = f"service stow-plan is closed until {begin + datetime.timedelta(hours=1):%Y-%m-%d %H:%M} " \
           f"America/New_York ([policy window] closed = {closed(begin, 60)})"
    assert service_row(traffic)["deferred"] == said
    assert traffic.link()["state"] == "open"  # nothing is wrong with it
    assert traffic.wait_record("delivery-retried")["event.reason"] == said
    assert not traffic.records("connection-attempted"), "no session is begun"
    # The operator opens it.
    traffic.write_agreement({"service stow-plan": {"retry-longest": "1 s"}}, window(closed="2001-01-01"))
    assert traffic.reload().code == 0
    assert traffic.delivered("plan.edi", content)["id"] == waiting["id"]
    wait_for(lambda: not service_row(traffic), "status to say no more")


class Slow(asyncssh.SFTPServer):
    """Takes bytes only when it may."""

    def __init__(self, channel, gates, **how):
        super().__init__(channel, **how)
        self.gate = asyncio.Event()
        gates.append(self.gate)

    async def write(self, file_obj, offset, data):
        await self.gate.wait()
        return super().write(file_obj, offset, data)


class Upload:
    """A file that is on its way when the window closes."""

    def __init__(self, agent, partner, **options):
        self.gates = []
        self.server = partner(server=lambda channel, **how: Slow(channel, self.gates, **how))
        self.traffic = Traffic(agent, self.server, {"link sftp": {"timeout": "3 min"}}, window(**options)).start()
        self.content = self.traffic.send("plan.edi")
        wait_for(lambda: self.gates and list(self.traffic.inbox.glob(".accord-*")), "the upload to begin")

    def go_on(self):
        for gate in self.gates:
            self.server.loop.call_soon_threadsafe(gate.set)

    def may_finish(self):
        self.traffic.send("late.edi")
        self.traffic.wait("late.edi", "waiting")
        assert self.traffic.wait("plan.edi", "sending")
        self.go_on()
        self.traffic.delivered("plan.edi", self.content)
        assert self.traffic.wait("late.edi", "waiting") and not (self.traffic.inbox / "late.edi").exists()

    def is_cut_and_tried_again(self):
        revoked = self.traffic.wait_record("session-revoked")
        assert revoked["rule.name"] == "window.closed" and "link sftp is closed until" in revoked["event.reason"]
        self.traffic.wait("plan.edi", "waiting")
        assert not (self.traffic.inbox / "plan.edi").exists()
        sessions = len(self.gates)
        self.traffic.write_agreement({"link sftp": {"timeout": "3 min"}}, window(closed="2001-01-01"))
        assert self.traffic.reload().code == 0
        wait_for(lambda: len(self.gates) > sessions, "another session")
        self.go_on()
        self.traffic.delivered("plan.edi", self.content)


@pytest.mark.long
def test_at_the_minute_it_closes_and_opens(agents, partner, sshd):
    """What is under way finishes, or is cut when the file says so; another window opens by itself. In one test, because
    the turn of a minute must be waited for."""
    wait_for(lambda: now().second < 35, "the next minute", 30)
    turn = now().replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
    opening = Traffic(agents(), sshd, {"service stow-plan": {"retry-longest": "1 h"}},
                      window(closed=closed(turn - datetime.timedelta(minutes=1), 1))).start()
    content = opening.send("plan.edi")
    finishing = Upload(agents(), partner, closed=closed(turn, 60))
    cut = Upload(agents(), partner, closed=closed(turn, 60), under_way="cut")
    wait_for(lambda: service_row(opening), "the window to be closed")
    assert now() < turn, "this machine is too slow for this test"
    wait_for(lambda: now() > turn, "the turn of the minute", 60)
    finishing.may_finish()
    cut.is_cut_and_tried_again()
    opening.delivered("plan.edi", content)
    assert opening.wait_record("message-delivered")["@timestamp"] >= f"{turn:%Y-%m-%dT%H:%M}"


def test_check_refuses_times_with_their_place(agent, sshd):
    traffic = Traffic(agent, sshd, window(closed="Sun 02:00-26:00"))
    checked = agent.ask("check")
    assert checked.code != 0
    text = str(checked.tables)
    assert "at character 11: 26:00 is not a time of day" in text and "isa.conf" in text
    traffic.write_agreement(window(closed="Sun 02:00-06:00", time_zone="Mars/Olympus"))
    assert "no such zone" in str(agent.ask("check").tables)
    traffic.write_agreement(window(closed="Sun 02:00-06:00", time_zone="America/New_York"))
    assert agent.ask("check").code == 0
