"""How far the output is ahead, and the gate that decides call by call."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fakes import FakeClock, FakePlayhead
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.stream.run import margin
from rtvfi.stream.run.margin import RISE_SECONDS, Margin, MarginGate


@pytest.mark.parametrize(("attainable", "low", "high"), [(0.5, 0.15, 0.3), (2.0, 0.3, 0.6)])
def test_the_gate_has_hysteresis(attainable: float, low: float, high: float) -> None:
    gate = MarginGate()
    cost = 0.02

    def cheap(left: float) -> bool:
        return gate.decide(left + cost, cost, attainable)

    assert not cheap(low + 0.001)
    assert cheap(low - 0.001)
    assert cheap(high - 0.001)
    assert not cheap(high + 0.001)
    assert not cheap(low + 0.001)


def test_a_cost_counts_before_it_is_paid() -> None:
    assert not MarginGate().decide(0.4, 0.05, 1.0)
    assert MarginGate().decide(0.4, 0.2, 1.0)


def test_a_restart_forgives() -> None:
    gate = MarginGate()
    assert gate.decide(0.0, 0.1, 1.0)
    gate.restart()
    assert not gate.decide(0.5, 0.1, 1.0)


margins = st.floats(-1, 3)


@given(st.lists(margins, max_size=30), st.floats(0, 0.2), st.floats(0.05, 3))
def test_the_gate_switches_only_across_both_thresholds(
    lefts: list[float], cost: float, attainable: float
) -> None:
    gate = MarginGate()
    before = False
    for left in lefts:
        cheap = gate.decide(left, cost, attainable)
        if cheap != before:
            limit = min(0.3 * attainable, 0.3) if cheap else min(0.6 * attainable, 0.6)
            assert (left - cost < limit) is cheap
        before = cheap


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    made = FakeClock()
    monkeypatch.setattr(margin, "time", SimpleNamespace(monotonic=made))
    return made


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 0.8), (2.0, 0.4), (0.5, 1.6)])
def test_at_another_speed_the_same_film_is_another_time(
    clock: FakeClock, speed: float, seconds: float
) -> None:
    playhead = FakePlayhead(10.0)
    playhead.set_speed(speed)
    looked = Margin(playhead, 1.0)
    looked.look(10.8, 0.0)
    assert looked.seconds == pytest.approx(seconds)
    clock.advance(2 * RISE_SECONDS)
    looked.look(10.8, 0.0)
    assert looked.settled_share == pytest.approx(0.8)


def test_what_is_time_enough_at_normal_speed_is_too_little_at_twice(clock: FakeClock) -> None:
    playhead = FakePlayhead(10.0)
    looked = Margin(playhead, 1.0)
    looked.look(10.9, 0.2)
    clock.advance(2 * RISE_SECONDS)
    assert not looked.look(10.8, 0.3)
    playhead.set_speed(2.0)
    assert looked.look(10.8, 0.3)


def test_a_margin_below_the_playhead_is_a_miss_once_it_had_time(clock: FakeClock) -> None:
    looked = Margin(FakePlayhead(10.0), 1.0)
    looked.look(9.9, 0.0)
    assert not looked.is_missed
    clock.advance(2 * RISE_SECONDS)
    looked.look(9.9, 0.0)
    assert looked.is_missed
