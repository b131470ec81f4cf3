"""The quality ladder and the margin gate, against simulated devices."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.stream.governor import Governor, MarginGate, Quality, ladder

PERIOD = 1001 / 24000
FULL = Quality(num_frames=3, passes=3, ratio=Fraction(5, 2))


@dataclass
class Playback:
    """A device that needs ``call`` seconds for a full two-frame call, and half a second of ring."""

    governor: Governor
    call: float
    now: float = 0.0
    ready: float = 0.5
    levels: list[int] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            quality = self.governor.quality
            cost = quality.num_calls * self.call * quality.relative_cost
            if not quality.is_bypass:
                self.governor.measure(self.call * quality.relative_cost)
            self.now += PERIOD
            self.ready = min(self.ready + PERIOD - cost, 0.5)
            if self.ready < 0:
                self.governor.miss(self.now)
                self.ready = 0.0
            self.governor.push(self.now, self.ready / 0.5)
            self.levels.append(self.governor.level)

    @property
    def num_changes(self) -> int:
        return sum(a != b for a, b in pairwise(self.levels))


def make(call: float, full: Quality = FULL) -> Playback:
    return Playback(Governor(ladder(full), PERIOD), call)


qualities = st.builds(
    Quality,
    num_frames=st.sampled_from([2, 3]),
    flow_scale=st.sampled_from([1.0, 0.5]),
    passes=st.integers(0, 5),
    ratio=st.sampled_from([Fraction(2), Fraction(5, 2), Fraction(1001, 400), Fraction(6)]),
)


@given(qualities, st.booleans(), st.booleans(), st.booleans())
def test_every_step_is_cheaper_and_the_last_is_free(
    full: Quality, has_lite: bool, has_free_grid: bool, has_sparse: bool
) -> None:
    steps = ladder(full, has_lite=has_lite, has_free_grid=has_free_grid, has_sparse=has_sparse)
    costs = [s.num_calls * s.relative_cost for s in steps]
    assert all(a > b for a, b in pairwise(costs))
    assert (steps[0], steps[-1].is_bypass, costs[-1]) == (full, True, 0)
    assert has_free_grid or {s.ratio for s in steps} == {full.ratio}
    assert has_lite or not any(s.is_lite for s in steps)


def test_the_whole_ladder() -> None:
    steps = ladder(FULL, has_free_grid=True)
    assert [(s.num_frames, s.flow_scale, s.passes, s.ratio) for s in steps[:6]] == [
        (3, 1.0, 3, Fraction(5, 2)),
        (2, 1.0, 3, Fraction(5, 2)),
        (2, 0.5, 3, Fraction(5, 2)),
        (2, 0.5, 2, Fraction(5, 2)),
        (2, 0.5, 2, Fraction(2)),
        (2, 0.5, 0, Fraction(2)),
    ]
    assert [(s.is_lite, s.is_bypass) for s in steps[6:]] == [(True, False), (True, True)]


@pytest.mark.parametrize(
    ("quality", "calls"),
    [
        (Quality(ratio=Fraction(2)), 1),
        (Quality(ratio=Fraction(5, 2)), 2),
        (Quality(ratio=Fraction(1001, 400)), 2.5),
        (Quality(ratio=Fraction(5, 2), passes=2), 4),
        (Quality(ratio=Fraction(5, 2), is_sparse=True), 1),
        (Quality(is_bypass=True), 0),
    ],
)
def test_calls_per_source_frame(quality: Quality, calls: float) -> None:
    assert quality.num_calls == pytest.approx(calls, abs=1e-9)


def test_a_fast_device_gives_up_nothing() -> None:
    playback = make(call=0.001)
    playback.run(120)
    assert set(playback.levels) == {0}


@pytest.mark.parametrize("call", [0.006, 0.008, 0.012, 0.02, 0.03, 0.05])
def test_a_slow_device_settles_where_it_keeps_up(call: float) -> None:
    playback = make(call)
    playback.run(600)
    governor = playback.governor
    assert governor.load(governor.level) < 1
    assert governor.level > 0
    settled = playback.levels[len(playback.levels) // 2 :]
    # The only visits elsewhere are rises tried a minute apart.
    assert settled.count(max(settled, key=settled.count)) > 0.9 * len(settled)
    assert playback.num_changes < 40


def test_a_hopeless_device_shows_the_source() -> None:
    playback = make(call=10.0)
    playback.run(10)
    assert playback.governor.quality.is_bypass


def test_a_device_that_recovers_gets_everything_back() -> None:
    playback = make(call=10.0)
    playback.run(60)
    playback.call = 0.001
    playback.run(600)
    assert playback.governor.level == 0


def test_levels_change_by_one_unless_a_deadline_was_missed_twice() -> None:
    governor = Governor(ladder(FULL), PERIOD)
    governor.miss(0.0)
    assert governor.push(0.1, 0.5) == FULL
    governor.miss(0.9)
    governor.push(0.95, 0.5)
    assert governor.level == 2


def test_misses_a_second_apart_are_forgiven() -> None:
    governor = Governor(ladder(FULL), PERIOD)
    governor.miss(0.0)
    governor.miss(1.5)
    governor.push(1.6, 0.5)
    assert governor.level == 0


def test_a_short_overload_is_ridden_out() -> None:
    governor = Governor(ladder(FULL), PERIOD)
    for frame in range(11):
        governor.measure(1.0)
        governor.push(frame * PERIOD, 0.5)
    assert governor.level == 0
    governor.push(11 * PERIOD, 0.5)
    assert governor.level == 1


def test_a_low_ring_that_fills_is_left_alone() -> None:
    governor = Governor(ladder(FULL), PERIOD)
    for frame in range(100):
        governor.push(frame * PERIOD, frame / 1000)
    assert governor.level == 0


def test_a_low_ring_that_shrinks_costs_a_step() -> None:
    governor = Governor(ladder(FULL), PERIOD)
    for frame in range(20):
        governor.push(frame * PERIOD, 0.2 - frame / 1000)
    assert governor.level == 1


def test_held_drawings_count_for_the_calls_they_need() -> None:
    governor = Governor(ladder(Quality(), has_lite=False), PERIOD)
    for frame in range(600):
        if frame % 2 == 0:
            governor.measure(1.5 * PERIOD)
        governor.count(int(frame % 2 == 0))
        if frame > 48:
            governor.push(frame * PERIOD, 1.0)
    assert governor.level == 0
    assert governor.load(0) == pytest.approx(0.75, abs=0.1)


def test_another_ladder_goes_on_where_the_old_one_was() -> None:
    governor = Governor(ladder(FULL), PERIOD)
    governor.change(ladder(Quality(passes=1)))
    assert governor.level == 0
    governor.miss(0.0)
    governor.miss(0.0)
    passes = governor.push(0.0, 0.0).passes
    governor.change(ladder(Quality(passes=passes + 1)))
    assert governor.level > 0
    assert governor.quality.passes <= passes


def climb(governor: Governor, start: float) -> float:
    """Seconds of calm until the governor rises."""
    level = governor.level
    now = start
    while governor.level == level:
        now += PERIOD
        governor.push(now, 1.0)
    return now - start


def test_a_failed_rise_doubles_the_wait() -> None:
    governor = Governor(ladder(FULL), PERIOD)
    governor.push(0.0, 0.5)
    now, waits = 0.0, []
    for _ in range(6):
        governor.miss(now)
        governor.miss(now)
        governor.push(now, 0.5)
        waits.append(climb(governor, now))
        now += waits[-1]
    assert waits == pytest.approx([5, 10, 20, 40, 60, 60], abs=2 * PERIOD)


def test_a_rise_that_held_restores_trust() -> None:
    governor = Governor(ladder(FULL), PERIOD)
    now = wait = 0.0
    for pause in (0.0, 0.0, 30.0):
        governor.push(now + pause, 0.5)
        now += pause
        governor.miss(now)
        governor.miss(now)
        governor.push(now, 0.5)
        wait = climb(governor, now)
        now += wait
    assert wait == pytest.approx(5, abs=2 * PERIOD)


# The margin gate.


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


def test_priming_is_never_cheap_until_its_time_is_up() -> None:
    gate = MarginGate(priming_seconds=1.0)
    gate.restart(100.0)
    assert not gate.decide(0.0, 0.1, 1.0, 100.9)
    assert gate.decide(0.0, 0.1, 1.0, 101.0)


def test_priming_ends_when_the_player_has_started() -> None:
    gate = MarginGate(priming_seconds=1.0)
    gate.restart(0.0)
    gate.started()
    assert gate.decide(0.0, 0.1, 1.0, 0.1)


def test_a_restart_forgives() -> None:
    gate = MarginGate()
    assert gate.decide(0.0, 0.1, 1.0, 0.0)
    gate.restart(1.0)
    gate.started()
    assert not gate.decide(0.5, 0.1, 1.0, 1.0)


margins = st.floats(-1, 3)


@given(st.lists(margins, max_size=30), st.floats(0, 0.2), st.floats(0.05, 3))
def test_the_gate_switches_only_across_both_thresholds(
    lefts: list[float], cost: float, attainable: float
) -> None:
    gate = MarginGate()
    before = False
    for margin in lefts:
        cheap = gate.decide(margin, cost, attainable)
        if cheap != before:
            limit = min(0.3 * attainable, 0.3) if cheap else min(0.6 * attainable, 0.6)
            assert (margin - cost < limit) is cheap
        before = cheap
