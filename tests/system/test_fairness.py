"""One agreement's flood leaves the others at 90 % or more of their rate, and their messages do not wait behind it."""
import collections
import time

import load
import pytest
from harness import BUILD, wait_for

PACE = 200     # messages a second of the modest one
SECONDS = 4
TRIES = 3      # the machine may be busy with something else: it has to be seen once that the flood leaves so much
LATENCY = 1.0  # from when a message was due to be offered to its arrival; mostly below 0.2, also with sanitizers

SMALL = {"size": "1 KiB", "window": 4096}
FLOODS = {
    "small messages": {"pulse": SMALL},
    "large messages": {"pulse": {"size": "400 KiB", "window": 64}},
    "a backlog that its partner takes slowly": {"pulse": {**SMALL, "size": "100"}, "sink": {"delay": "200 ms"}},
    "messages that are tried again": {"pulse": SMALL, "sink": {"fail-every": 2}, "service": {"retry-first": "100 ms"}},
    "messages that nobody takes": {"pulse": SMALL, "service": {"max-size": "100"}},
    "messages beyond the store-limit": {"pulse": SMALL, "sink": {"delay": "500 ms"}, "west": {"store-limit": "2 MiB"}},
}


def latencies(flow, since, until, first):
    """Seconds from when each message was due to be offered to its arrival, of those that arrived in between. What is
    due follows from the answers from `first` on."""
    answers = flow.answers()
    start = min(answer.time - answer.number * 1e6 / PACE for answer in answers if answer.time / 1e6 >= first)
    due = {answer.id: start + answer.number * 1e6 / PACE for answer in answers}
    return sorted((arrival.time - due[arrival.id]) / 1e6 for arrival in flow.arrivals()
                  if since <= arrival.time / 1e6 <= until and arrival.id in due)


Measured = collections.namedtuple("Measured", "rate late figures")


def measured(kind, agent, modest, flood, again=False):
    """Some seconds of both; `again`: what was late before does not count."""
    before, flooded, since = modest.count("sink"), flood.count("pulse"), time.time()
    wait_for(lambda: modest.count("sink") >= before + PACE * SECONDS, lambda: f"{modest}; flood: {flood}", 60)
    until = time.time()
    asked = time.monotonic()
    assert agent.ask("status").code == 0
    asked = time.monotonic() - asked
    rate = PACE * SECONDS / (until - since)
    flooding = (flood.count("pulse") - flooded) / (until - since)
    waits = latencies(modest, since, until, since - 1 if again else 0)
    figures = (f"{kind}: {rate:.0f} of {PACE} messages/s beside {flooding:.0f}/s; to arrival: median "
               f"{waits[len(waits) // 2] * 1000:.0f} ms, 99 % {waits[len(waits) * 99 // 100] * 1000:.0f} ms, "
               f"longest {waits[-1] * 1000:.0f} ms; status in {asked * 1000:.0f} ms")
    print(figures)
    return Measured(rate, waits[len(waits) * 99 // 100], figures)


@pytest.mark.alone
@pytest.mark.parametrize("kind", FLOODS)
def test_flood_of_one_agreement_leaves_another_its_rate(agent, record_property, kind):
    agent.own_plugins()
    load.add_plugins(agent, BUILD)
    modest = load.Load(agent, {"size": "1 KiB", "pace": PACE}, name="modest")
    flood = load.Load(agent, **FLOODS[kind], name="flood")
    agent.start(first=True)
    wait_for(lambda: flood.count("pulse") > 500 and modest.count("sink") > PACE, lambda: f"both: {flood}; {modest}", 60)
    told = [measured(kind, agent, modest, flood)]
    while told[-1].rate < 0.9 * PACE or told[-1].late >= LATENCY:
        figures = "; ".join(one.figures for one in told)
        assert len(told) < TRIES, figures
        told.append(measured(kind, agent, modest, flood, again=True))
    record_property("figures", "; ".join(one.figures for one in told))
    assert not modest.damaged() and modest.duplicates() == (0, 0)
