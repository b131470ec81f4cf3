"""Gaps and seeks."""

from __future__ import annotations

from fractions import Fraction

import pytest
from schedules import Blender, Shown, stamps_at

from rtvfi.core.rates import Grid
from rtvfi.stream.plan.planner import Copy, Planner, PlanOptions

F = Fraction
HALVES = Grid(F(0), F(1, 2))


def copies_of(shown: list[Shown], frame: int) -> list[Fraction]:
    """When frame ``frame`` is shown unchanged."""
    return [s.pts for s in shown if s.action == Copy(s.index, s.pts, (0, frame))]


def test_missing_frames_are_a_hold_until_one_period_before_the_next() -> None:
    pts = [F(0), F(1), F(5), F(6)]
    shown = Blender(Planner(HALVES, period=F(1))).run(stamps_at(pts, F(7)))
    assert copies_of(shown, 1) == [F(k, 2) for k in range(2, 9)]
    assert shown[9].weights == {1: F(1, 2), 2: F(1, 2)}


def test_without_a_period_every_interval_is_motion() -> None:
    shown = Blender(Planner(HALVES)).run(stamps_at([F(0), F(4)], F(5)))
    assert copies_of(shown, 0) == [F(0)]


@pytest.mark.parametrize(
    ("interval", "hold_end"),
    [(F(3, 2), F(0)), (F(31, 20), F(11, 20)), (F(12, 5), F(7, 5)), (F(6), F(5))],
)
def test_a_gap_starts_above_one_and_a_half_periods(interval: Fraction, hold_end: Fraction) -> None:
    grid = Grid(F(0), F(1, 20))
    shown = Blender(Planner(grid, period=F(1))).run(stamps_at([F(0), interval], interval + 1))
    assert copies_of(shown, 0)[-1] == hold_end


def test_a_long_gap_is_held_and_starts_a_scene() -> None:
    blender = Blender(Planner(HALVES, PlanOptions(passes=1), period=F(1)))
    shown = blender.run(stamps_at([F(0), F(1), F(8), F(9)], F(10)))
    assert copies_of(shown, 1) == [F(k, 2) for k in range(2, 16)]
    assert copies_of(shown, 2)[0] == 8
    assert blender.num_mids == 2


def test_passes_see_a_gap_as_a_held_drawing() -> None:
    """Frames missing from the file plan the same as repeats of the frame before them."""
    options = PlanOptions(passes=2)
    thin = Blender(Planner(HALVES, options, F(1))).run(stamps_at([F(0), F(1), F(4), F(5)], F(6)))
    full = Blender(Planner(HALVES, options, F(1))).run(
        stamps_at([F(i) for i in range(6)], F(6), same=[2, 3])
    )
    frame = {0: 0, 1: 1, 4: 2, 5: 3}
    for a, b in zip(thin, full, strict=True):
        assert a.weights == {frame[i]: w for i, w in b.weights.items()}


def test_after_a_seek_outputs_before_the_first_frame_are_copies_of_it() -> None:
    planner = Planner(HALVES)
    planner.push(stamps_at([F(0)], F(1))[0])
    planner.reset(next_index=19)
    actions = planner.push(stamps_at([F(10)], F(11))[0])
    assert actions == [Copy(19, F(19, 2), (0, 0)), Copy(20, F(10), (0, 0))]


def test_the_first_frame_after_a_seek_repeats_none() -> None:
    planner = Planner(HALVES)
    planner.push(stamps_at([F(0)], F(1))[0])
    planner.reset(next_index=20)
    (stamp,) = stamps_at([F(10)], F(11), same=[7], first=7)
    assert planner.push(stamp) == [Copy(20, F(10), (0, 7))]


def test_frames_before_the_seek_target_only_prepare() -> None:
    """Pre-roll frames give no output; with L of them the first output is that of a whole run."""
    options = PlanOptions(passes=2)
    pts = [F(i) for i in range(12)]
    whole = Blender(Planner(HALVES, options)).run(stamps_at(pts, F(12)))
    planner = Planner(HALVES, options)
    planner.reset(next_index=12)
    part = Blender(planner).run(stamps_at(pts[4:], F(12), first=4))
    assert [(s.index, s.pts, s.weights) for s in part] == [
        (s.index, s.pts, s.weights) for s in whole[12:]
    ]


def test_after_a_seek_the_schedule_settles_within_the_passes() -> None:
    options = PlanOptions(passes=3, num_frames=3)
    pts = [F(i) for i in range(20)]
    whole = Blender(Planner(HALVES, options)).run(stamps_at(pts, F(20)))
    planner = Planner(HALVES, options)
    planner.reset(next_index=10)
    part = Blender(planner).run(stamps_at(pts[5:], F(20), first=5))
    assert [s.weights for s in part[6:]] == [s.weights for s in whole[16:]]
