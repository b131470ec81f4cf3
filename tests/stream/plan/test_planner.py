"""The planner against schedules worked out by hand and by an independent exact model."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from schedules import Blender, Shown, lookahead, stamps_at

from rtvfi.core.rates import Grid, Times
from rtvfi.core.stamp import Stamp
from rtvfi.stream.plan.planner import Copy, Mid, Planner, PlanOptions, Retime, Retime3

GOLDENS = Path(__file__).parents[2] / "goldens" / "scheduling_wanted.json"
CASES: dict[str, dict[str, Any]] = json.loads(GOLDENS.read_text())["cases"]

F = Fraction


def play(case: dict[str, Any]) -> Blender:
    num = case["n"]
    end = F(case.get("end", num))
    pts = [F(p) for p in case.get("pts", range(num))]
    drawings = case.get("drawings", range(num))
    same = [i for i in range(1, num) if drawings[i] == drawings[i - 1]]
    options = PlanOptions(
        passes=case["L"],
        num_frames=3 if case["mode"] == "drba" else 2,
        tail=cast("Literal['hold', 'stretch']", case["tail"]),
    )
    blender = Blender(Planner(Grid(F(0), F(case["grid"])), options))
    blender.run(stamps_at(pts, end, case["cuts"], same), end)
    return blender


def drawing_weights(case: dict[str, Any], weights: dict[int, float]) -> list[float]:
    """Weights by drawing, so that equal frames may stand for each other."""
    drawings = case.get("drawings", range(case["n"]))
    totals = [0.0] * (max(drawings) + 1)
    for i, weight in weights.items():
        totals[drawings[i]] += weight
    return totals


def letter(shown: Shown) -> str:
    return {Copy: "c", Retime: "t", Retime3: "3"}[type(shown.action)]


@pytest.mark.parametrize("name", CASES)
def test_golden_schedule(name: str) -> None:
    case = CASES[name]
    blender = play(case)
    assert len(blender.shown) == case["n_out"] == len(case["out"])
    assert {"mid": blender.num_mids, "retime": blender.num_retimes} == case["calls"]
    # Goldens say which reads decide an output alone; in grid order none precedes its predecessor.
    reads = list(accumulate((row[2] for row in case["out"]), max))
    for k, (shown, (first, weights, _, action)) in enumerate(
        zip(blender.shown, case["out"], strict=True)
    ):
        assert shown.pts == k * F(case["grid"])
        wanted = drawing_weights(case, {first + i: w for i, w in enumerate(weights)})
        got = drawing_weights(case, {i: float(w) for i, w in shown.weights.items()})
        assert got == pytest.approx(wanted, abs=2e-4), f"output {k}"
        assert letter(shown) == action[0], f"output {k}"
        assert shown.reads == reads[k], f"output {k}"
        if isinstance(shown.action, Retime | Retime3) and case["mode"] == "drba":
            assert float(shown.action.t) == pytest.approx(action[-1], abs=2e-4)


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if "max_lookahead" in c])
def test_golden_lookahead_is_within_the_declared_one(name: str) -> None:
    case = CASES[name]
    options = PlanOptions(passes=case["L"], num_frames=3 if case["mode"] == "drba" else 2)
    assert case["max_lookahead"] <= lookahead(options)


def test_two_frames_at_twice_the_rate() -> None:
    planner = Planner(Grid(F(10), F(1, 2)))
    first, second = stamps_at([F(10), F(11)], F(12))
    assert planner.push(first) == [Copy(0, F(10), (0, 0))]
    assert planner.push(second) == [
        Retime(1, F(21, 2), (0, 0), (0, 1), F(1, 2)),
        Copy(2, F(11), (0, 1)),
    ]
    assert planner.needed() == {(0, 1)}
    assert planner.flush() == [Copy(3, F(23, 2), (0, 1))]
    assert planner.needed() == frozenset()


def test_a_single_frame_is_held_to_its_end() -> None:
    shown = Blender(Planner(Grid(F(0), F(1, 4)))).run([Stamp(0, F(0), F(1))])
    assert [s.action for s in shown] == [Copy(k, F(k, 4), (0, 0)) for k in range(4)]


def test_an_end_before_the_last_frame_is_not_believed() -> None:
    planner = Planner(Grid(F(0), F(1)))
    for stamp in stamps_at([F(0), F(1), F(2)], F(3)):
        planner.push(stamp)
    planner.push(Stamp(3, F(3), F(5)))
    assert [a.index for a in planner.flush(F(2)) if isinstance(a, Copy)] == [4]


def test_flushing_twice_gives_nothing_more() -> None:
    planner = Planner(Grid(F(0), F(1, 2)))
    planner.push(Stamp(0, F(0), F(1)))
    assert planner.flush()
    assert planner.flush() == []


def test_a_frame_that_is_not_later_is_a_bug() -> None:
    planner = Planner(Grid(F(0), F(1, 2)))
    planner.push(Stamp(0, F(1), F(2)))
    with pytest.raises(ValueError, match="follows"):
        planner.push(Stamp(1, F(1), F(2)))


def test_equal_frames_are_copies_of_the_first() -> None:
    pts = [F(i) for i in range(4)]
    shown = Blender(Planner(Grid(F(0), F(1, 2)))).run(stamps_at(pts, F(4), same=[1, 2]))
    assert [s.action for s in shown[:5]] == [Copy(k, F(k, 2), (0, 0)) for k in range(5)]
    assert isinstance(shown[5].action, Retime)
    assert (shown[5].action.left, shown[5].action.right) == ((0, 0), (0, 3))


def test_only_level_zero_is_a_source_frame() -> None:
    options = PlanOptions(passes=1)
    shown = Blender(Planner(Grid(F(0), F(1, 2)), options)).run(stamps_at([F(0), F(1)], F(2)))
    copies = [s.action for s in shown if isinstance(s.action, Copy)]
    assert [c.image[0] == 0 for c in copies] == [True, False, True, True]


@pytest.mark.parametrize("at", [F(13, 4), F(7, 2), F(15, 4)])
def test_a_stretched_tail_ends_with_its_scene_where_times_vary(at: Fraction) -> None:
    """The last output before the cut at 4 is its scene's last frame, however close to the cut."""
    pts = [F(i) for i in (0, 1, 2, 3, 4, 5)]
    times = (*(F(k, 2) for k in range(7)), at, F(4), F(9, 2), F(5), F(11, 2))
    options = PlanOptions(passes=2, tail="stretch")
    planner = Planner(Times(F(0), F(1, 2), times), options)
    shown = Blender(planner).run(stamps_at(pts, F(6), cuts=[4]), F(6))
    assert [s.pts for s in shown] == list(times)
    assert shown[7].weights == {3: F(1)}
    assert shown[6].content(pts) == 2 + 1 / (at - 2)  # at 3 s, on the way from 2 to 3


def test_a_mid_is_named_by_its_level_and_leftmost_frame() -> None:
    planner = Planner(Grid(F(0), F(1)), PlanOptions(passes=2))
    actions = [a for s in stamps_at([F(0), F(1), F(2)], F(3)) for a in planner.push(s)]
    assert [a for a in actions if isinstance(a, Mid)] == [
        Mid((1, 0), (0, 0), (0, 1)),
        Mid((1, 1), (0, 1), (0, 2)),
        Mid((2, 0), (1, 0), (1, 1)),
    ]


def test_snap_copies_the_nearer_knot() -> None:
    pts = [F(0), F(999, 1000), F(2)]
    grid = Grid(F(0), F(1))
    exact = Blender(Planner(grid)).run(stamps_at(pts, F(3)))
    near = Blender(Planner(grid, PlanOptions(snap=F(1, 64)))).run(stamps_at(pts, F(3)))
    assert isinstance(exact[1].action, Retime)
    assert near[1].action == Copy(1, F(1), (0, 1))


@pytest.mark.parametrize("wrong", [{"passes": 6}, {"passes": -1}, {"snap": F(1, 2)}])
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PlanOptions(**wrong)


def test_fewer_passes_end_with_a_ramp_and_more_begin_with_one() -> None:
    planner = Planner(Grid(F(0), F(1)), PlanOptions(passes=2))
    blender = Blender(planner)
    stamps = stamps_at([F(i) for i in range(12)], F(12))
    for i, stamp in enumerate(stamps):
        if i in (4, 8):
            planner.adjust(PlanOptions(passes=0 if i == 4 else 2))
        blender.push(stamp)
    blender.flush()
    blended = [s.index for s in blender.shown if len(s.weights) > 1]
    assert blended == [1, 2, 8, 9, 10]
