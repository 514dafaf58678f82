"""Load between two agreements, and that its accounting is exact: what the fault tests and the bench count with."""
import load
import pytest
from harness import BUILD, wait_for


@pytest.fixture
def flow(agent):
    agent.own_plugins()
    load.add_plugins(agent, BUILD)

    def make(pulse, sink=None, **others):
        return load.Load(agent, pulse, sink, **others)
    return make


def test_everything_accepted_arrives_once_and_undamaged(agent, flow):
    one = flow({"count": 2000, "size": "1 KiB", "window": 512})
    agent.start()
    one.wait(2000)
    assert {answer.number for answer in one.answers()} == set(range(1, 2001))
    assert all(count == 1 for count in one.arrived().values())
    assert not one.damaged()
    assert agent.ask("audit", "verify").code == 0


def test_sizes_from_nothing_to_many_pieces(agent, flow):
    many = [flow({"count": 3, "size": size, "prefix": f"size{size}"}, name=f"s{size}")
            for size in (0, 1, 7, 4095, 131072, 131073, 400001)]
    agent.start()
    for one in many:
        one.wait(3)
        assert not one.damaged()
        assert one.duplicates() == (0, 0)


def test_pulse_goes_on_behind_what_was_answered(agent, flow):
    one = flow({"count": 3000, "window": 64, "pace": 2000})
    agent.start()
    wait_for(lambda: one.count("pulse") > 200, lambda: str(one))
    agent.kill()
    before = one.count("pulse")
    assert before < 3000
    agent.start()
    one.wait(3000)
    assert len({answer.number for answer in one.answers()}) == 3000
    assert not one.lost()
    assert one.duplicates()[1] == 0, "what came twice did not say that it may have come before"


def test_sink_misbehaves_as_it_is_told(agent, flow):
    one = flow({"count": 60}, {"fail-every": 7}, service={"retry-first": "100 ms", "retry-longest": "200 ms"})
    agent.start()
    wait_for(lambda: len(one.arrived()) == 60, lambda: f"{one}; {agent.log_tail()}")
    assert [arrival.state for arrival in one.arrivals()].count("failed") >= 60 // 7
    assert {arrival.attempt for arrival in one.arrivals()} > {1}
    assert not one.lost()
