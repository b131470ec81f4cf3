"""The quality ladder and the governor, against simulated devices."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.stream.plan.governor import Governor
from rtvfi.stream.plan.ladder import Quality, Variant, given_up, ladder

PERIOD = 1001 / 24000
FULL = Quality(num_frames=3, passes=3, ratio=Fraction(5, 2))
HALF, QUARTER, LITE = Variant(0.5), Variant(0.25), Variant(0.5, is_lite=True)
VARIANTS = (HALF, QUARTER, LITE)


@dataclass
class Playback:
    """A device that needs ``call`` seconds for a full two-frame call, and half a second of ring."""

    governor: Governor
    call: float
    now: float = 0.0
    ready: float = 0.5
    speed: float = 1.0
    noise: float = 0.0
    """Deviation of the cost of a source frame, as a share of it."""
    levels: list[int] = field(default_factory=list)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            quality = self.governor.quality
            call = self.call * quality.relative_cost
            call *= max(0.2, 1 + self.noise * self.random.standard_normal())
            cost = quality.num_calls * call
            if not quality.is_bypass:
                self.governor.measure(call)
            self.governor.speed = self.speed
            self.now += PERIOD / self.speed
            self.ready = min(self.ready + PERIOD / self.speed - cost, 0.5)
            if self.ready < 0:
                self.governor.miss(self.now)
                self.ready = 0.0
            self.governor.push(self.now, self.ready / 0.5)
            self.levels.append(self.governor.level)

    @property
    def num_changes(self) -> int:
        return sum(a != b for a, b in pairwise(self.levels))


def make(call: float, full: Quality = FULL) -> Playback:
    return Playback(Governor(ladder(full, VARIANTS), PERIOD), call)


qualities = st.builds(
    Quality,
    num_frames=st.sampled_from([2, 3]),
    passes=st.integers(0, 5),
    ratio=st.sampled_from([Fraction(2), Fraction(5, 2), Fraction(1001, 400), Fraction(6)]),
)


@given(qualities, st.frozensets(st.sampled_from(VARIANTS)))
def test_every_step_is_cheaper_and_the_last_is_free(
    full: Quality, variants: frozenset[Variant]
) -> None:
    steps = ladder(full, variants)
    costs = [s.cost for s in steps]
    assert all(a > b for a, b in pairwise(costs))
    assert (steps[0], steps[-1].is_bypass, costs[-1]) == (full, True, 0)
    assert {s.variant for s in steps} - {Variant()} == variants


@given(qualities, st.frozensets(st.sampled_from(VARIANTS)))
def test_every_step_says_something_else(full: Quality, variants: frozenset[Variant]) -> None:
    said = [tuple(given_up(full, step)) for step in ladder(full, variants)]
    assert said[0] == ()
    assert len(set(said)) == len(said)


def test_the_whole_ladder() -> None:
    steps = ladder(FULL, VARIANTS)
    assert [(s.num_frames, s.variant, s.passes, s.ratio) for s in steps[:8]] == [
        (3, Variant(), 3, Fraction(5, 2)),
        (2, Variant(), 3, Fraction(5, 2)),
        (2, HALF, 3, Fraction(5, 2)),
        (2, HALF, 2, Fraction(5, 2)),
        (2, HALF, 2, Fraction(2)),
        (2, HALF, 0, Fraction(2)),
        (2, QUARTER, 0, Fraction(2)),
        (2, LITE, 0, Fraction(2)),
    ]
    assert [(s.is_sparse, s.is_bypass) for s in steps[8:]] == [(True, False), (True, True)]


def test_a_high_rate_is_halved_before_it_is_twice_that_of_the_film() -> None:
    ratios = [step.ratio for step in ladder(Quality(ratio=Fraction(5)))]
    assert ratios[:3] == [5, Fraction(5, 2), 2]


def test_what_was_given_up_is_said_in_words() -> None:
    lowest = Quality(variant=LITE, is_sparse=True)
    assert given_up(FULL, lowest) == [
        "2 pictures a call instead of 3",
        "a lighter network",
        "motion estimated at 1/2 size",
        "no passes instead of 3",
        "2 pictures per source frame instead of 2.5",
        "nothing between every second pair of frames",
    ]
    assert given_up(FULL, Quality(is_bypass=True)) == ["source frames only"]
    assert given_up(Quality(passes=2), Quality(passes=1)) == ["1 pass instead of 2"]


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


@pytest.mark.parametrize("call", [0.006, 0.008, 0.012, 0.02, 0.03])
def test_costs_that_vary_make_quality_flicker_no_more(call: float) -> None:
    playback = make(call)
    playback.noise = 0.4
    playback.run(600)
    settled = playback.levels[len(playback.levels) // 2 :]
    assert sum(a != b for a, b in pairwise(settled)) <= 14  # in five minutes
    assert max(settled) - min(settled) <= 2


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


@pytest.mark.parametrize("call", [0.004, 0.008])
def test_at_twice_the_speed_quality_settles_as_with_a_device_half_as_fast(call: float) -> None:
    fast, slow = make(call), make(2 * call)
    fast.speed = 2.0
    fast.run(300)
    slow.run(300)
    assert fast.levels[-1] == slow.levels[-1] > 0
    assert fast.num_changes < 20


def test_back_at_normal_speed_everything_comes_back() -> None:
    playback = make(call=0.003)
    playback.run(30)
    assert set(playback.levels) == {0}
    playback.speed = 3.0
    playback.run(60)
    assert playback.governor.level > 0
    playback.speed = 1.0
    playback.run(60)
    assert playback.governor.level == 0


def test_a_load_that_goes_is_seen_in_the_calls_still_made() -> None:
    """What the better step cost under load is not believed for a minute."""
    playback = make(call=0.012)
    playback.run(90)
    settled = playback.governor.level
    assert 0 < settled < len(playback.governor.standing.steps) - 1
    playback.call = 0.001
    playback.run(25 * settled)
    assert playback.governor.level == 0


def test_levels_change_by_one_unless_a_deadline_was_missed_twice() -> None:
    governor = Governor(ladder(FULL, VARIANTS), PERIOD)
    governor.miss(0.0)
    assert governor.push(0.1, 0.5) == FULL
    governor.miss(0.9)
    governor.push(0.95, 0.5)
    assert governor.level == 2


def test_misses_a_second_apart_are_forgiven() -> None:
    governor = Governor(ladder(FULL, VARIANTS), PERIOD)
    governor.miss(0.0)
    governor.miss(1.5)
    governor.push(1.6, 0.5)
    assert governor.level == 0


def test_a_short_overload_is_ridden_out() -> None:
    governor = Governor(ladder(FULL, VARIANTS), PERIOD)
    for frame in range(11):
        governor.measure(1.0)
        governor.push(frame * PERIOD, 0.5)
    assert governor.level == 0
    governor.push(11 * PERIOD, 0.5)
    assert governor.level == 1


def test_a_low_ring_that_fills_is_left_alone() -> None:
    governor = Governor(ladder(FULL, VARIANTS), PERIOD)
    for frame in range(100):
        governor.push(frame * PERIOD, frame / 1000)
    assert governor.level == 0


def test_a_low_ring_that_shrinks_costs_a_step() -> None:
    governor = Governor(ladder(FULL, VARIANTS), PERIOD)
    for frame in range(20):
        governor.push(frame * PERIOD, 0.2 - frame / 1000)
    assert governor.level == 1


def test_held_drawings_count_for_the_calls_they_need() -> None:
    governor = Governor(ladder(Quality()), PERIOD)
    for frame in range(600):
        if frame % 2 == 0:
            governor.measure(1.5 * PERIOD)
        governor.count(int(frame % 2 == 0))
        if frame > 48:
            governor.push(frame * PERIOD, 1.0)
    assert governor.level == 0
    assert governor.load(0) == pytest.approx(0.75, abs=0.1)


def test_another_ladder_goes_on_where_the_old_one_was() -> None:
    governor = Governor(ladder(FULL, VARIANTS), PERIOD)
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
    governor = Governor(ladder(FULL, VARIANTS), PERIOD)
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
    governor = Governor(ladder(FULL, VARIANTS), PERIOD)
    now = wait = 0.0
    for pause in (0.0, 0.0, 31.0):
        governor.push(now + pause, 0.5)
        now += pause
        governor.miss(now)
        governor.miss(now)
        governor.push(now, 0.5)
        wait = climb(governor, now)
        now += wait
    assert wait == pytest.approx(5, abs=2 * PERIOD)
