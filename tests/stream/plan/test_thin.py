"""Runs of equal frames with one knot each, at their centres."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeExecutor
from hypothesis import given
from hypothesis import strategies as st
from running import INFO, Running, fake_source, smoothed
from schedules import Blender, Shown, lookahead, stamps_at

from rtvfi.core.rates import Grid
from rtvfi.stream.plan.knots import LONGEST_RUN
from rtvfi.stream.plan.planner import Mid, Planner, PlanOptions, Retime
from rtvfi.stream.plan.steering import Retiming
from rtvfi.stream.see.cadence import MAX_CADENCE

F = Fraction
GOLDENS = Path(__file__).parents[2] / "goldens" / "scheduling_wanted.json"
CASES: dict[str, dict[str, Any]] = json.loads(GOLDENS.read_text())["cases"]
THIN = PlanOptions(thin=True)


def starts_of(runs: list[int]) -> list[int]:
    """First frames of runs of these lengths."""
    return list(accumulate(runs, initial=0))[:-1]


def play(
    runs: list[int],
    ratio: Fraction,
    cuts: frozenset[int] = frozenset(),
) -> Blender:
    """Drawings held for so many frames each; ``cuts`` are numbers of drawings."""
    starts, num = starts_of(runs), sum(runs)
    same = set(range(num)) - set(starts)
    stamps = stamps_at([F(i) for i in range(num)], F(num), {starts[c] for c in cuts}, same)
    blender = Blender(Planner(Grid(F(0), 1 / ratio), THIN))
    blender.run(stamps, F(num))
    return blender


def by_drawing(runs: list[int], shown: Shown) -> dict[int, Fraction]:
    numbers = [n for n, length in enumerate(runs) for _ in range(length)]
    weights: dict[int, Fraction] = {}
    for frame, weight in shown.weights.items():
        weights[numbers[frame]] = weights.get(numbers[frame], F(0)) + weight
    return {n: w for n, w in weights.items() if w}


def place(runs: list[int], shown: Shown) -> Fraction:
    """Number of the drawing shown, between two of them in parts."""
    return sum((n * w for n, w in by_drawing(runs, shown).items()), F(0))


@pytest.mark.parametrize("name", [n for n in CASES if n.endswith("twos") and "_L1_" in f"{n}_"])
def test_on_twos_it_shows_what_one_pass_shows_without_making_it(name: str) -> None:
    case = CASES[name]
    numbers = case["drawings"]
    same = [i for i in range(1, case["n"]) if numbers[i] == numbers[i - 1]]
    pts = [F(i) for i in range(case["n"])]
    blender = Blender(Planner(Grid(F(0), F(case["grid"])), THIN))
    blender.run(stamps_at(pts, F(case["n"]), case["cuts"], same), F(case["n"]))
    assert (blender.num_mids, len(blender.shown)) == (0, case["n_out"])
    assert blender.num_retimes <= sum(case["calls"].values())
    for shown, (first, weights, *_) in zip(blender.shown, case["out"], strict=True):
        wanted = sum(numbers[first + i] * w for i, w in enumerate(weights))
        got = sum(numbers[i] * w for i, w in shown.weights.items())
        assert float(got) == pytest.approx(wanted, abs=2e-4)


@pytest.mark.parametrize("hold", [1, 2, 3, 4])
@pytest.mark.parametrize("ratio", [F(2), F(5, 2), F(5)])
def test_drawings_move_evenly_however_long_each_is_held(hold: int, ratio: Fraction) -> None:
    runs = [hold] * 8
    places = [place(runs, s) for s in play(runs, ratio).shown if hold <= s.pts < 7 * hold]
    assert {b - a for a, b in pairwise(places)} == {1 / (ratio * hold)}


def test_twos_and_threes_in_turn_move_evenly() -> None:
    runs = [2, 3] * 4
    places = [place(runs, s) for s in play(runs, F(2)).shown if 2 <= s.pts < 18]
    assert {b - a for a, b in pairwise(places)} == {F(1, 5)}


def test_a_pose_is_held() -> None:
    runs = [2, 2, 12, 2, 2]
    shown = play(runs, F(2)).shown
    still = [s.pts for s in shown if place(runs, s) == 2]
    assert still == [F(k, 2) for k in range(11, 28)]  # of frames 4 to 15


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_runs_up_to_the_longest_are_drawings(length: int) -> None:
    runs = [2, length, 2]
    shown = play(runs, F(8)).shown
    assert [s.pts for s in shown if place(runs, s) == 1] == [2 + F(length - 1, 2)]


run_lists = st.lists(st.integers(1, 9), min_size=1, max_size=9)
ratios = st.sampled_from([F(2), F(5, 2), F(1001, 400), F(3)])


@given(run_lists, ratios, st.frozensets(st.integers(1, 8)))
def test_what_holds_for_every_stream(
    runs: list[int], ratio: Fraction, cuts: frozenset[int]
) -> None:
    cuts = cuts & frozenset(range(len(runs)))
    blender = play(runs, ratio, cuts=cuts)
    num, starts = sum(runs), starts_of(runs)
    assert [s.pts for s in blender.shown] == [k / ratio for k in range(math.ceil(num * ratio))]
    assert blender.num_mids == 0
    places = [place(runs, s) for s in blender.shown]
    assert places == sorted(places)
    for shown in blender.shown:
        now = max(n for n in range(len(runs)) if starts[n] <= shown.pts)
        first = max([c for c in cuts if c <= now], default=0)
        last = min([c for c in cuts if c > now], default=len(runs)) - 1
        weights = by_drawing(runs, shown)
        assert sum(weights.values()) == 1
        assert len(weights) <= 2
        assert first <= min(weights)
        assert max(weights) <= last
        assert abs(place(runs, shown) - now) < 1
        if shown.pts == starts[first]:
            assert weights == {first: 1}
        assert shown.reads <= math.floor(shown.pts) + 1 + lookahead(THIN)
    assert blender.max_needed <= 4


@given(run_lists, ratios, st.integers(0, 80))
def test_with_its_preroll_a_seek_shows_what_a_whole_run_shows(
    runs: list[int], ratio: Fraction, target: int
) -> None:
    num, starts = sum(runs), set(starts_of(runs))
    target %= num
    whole = play(runs, ratio).shown
    first = max(0, target - THIN.preroll)
    same = set(range(first + 1, num)) - starts
    planner = Planner(Grid(F(0), 1 / ratio), THIN)
    index = math.ceil(target * ratio)
    planner.reset(index)
    pts = [F(i) for i in range(first, num)]
    part = Blender(planner)
    part.run(stamps_at(pts, F(num), same=same, first=first), F(num))
    assert [(s.index, by_drawing(runs, s)) for s in part.shown] == [
        (s.index, by_drawing(runs, s)) for s in whole[index:]
    ]


@given(run_lists, st.dictionaries(st.integers(0, 40), st.integers(0, 4)))
def test_thinning_may_begin_and_end_inside_a_scene(
    runs: list[int], changes: dict[int, int]
) -> None:
    """0 to 3 are passes, 4 is thinning."""
    starts, num = set(starts_of(runs)), sum(runs)
    planner = Planner(Grid(F(0), F(2, 5)), THIN)
    blender = Blender(planner)
    same = set(range(num)) - starts
    for i, stamp in enumerate(stamps_at([F(i) for i in range(num)], F(num), same=same)):
        if i in changes:
            planner.adjust(THIN if changes[i] == 4 else PlanOptions(passes=changes[i]))
        blender.push(stamp)
    blender.flush(F(num))
    assert [s.index for s in blender.shown] == list(range(math.ceil(num * F(5, 2))))
    places = [place(runs, s) for s in blender.shown]
    assert places == sorted(places)
    assert places[-1] == len(runs) - 1


@pytest.mark.parametrize("first", range(6, 12))
def test_on_twos_a_change_from_a_pass_to_thinning_and_back_is_not_seen(first: int) -> None:
    runs = [2] * 12
    planner = Planner(Grid(F(0), F(2, 5)), PlanOptions(passes=1))
    blender = Blender(planner)
    same = set(range(1, 24, 2))
    for i, stamp in enumerate(stamps_at([F(i) for i in range(24)], F(24), same=same)):
        if i in (first, first + 7):
            planner.adjust(THIN if i == first else PlanOptions(passes=1))
        blender.push(stamp)
    blender.flush(F(24))
    places = [place(runs, s) for s in blender.shown if 1 <= s.pts < 22]
    assert {b - a for a, b in pairwise(places)} == {F(1, 5)}


def test_passes_and_thinning_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="thin"):
        PlanOptions(thin=True, passes=1)


# --- in the style smooth -----------------------------------------------------------------------


def test_whole_frames_that_repeat_need_no_passes() -> None:
    executor = FakeExecutor(INFO)
    plan = smoothed(executor, 160, hold=2)
    assert (plan.passes, plan.thin) == (0, True)
    made = [action for call in executor.calls for action in call]
    late = made[[getattr(action, "index", 0) > 240 for action in made].index(True) :]
    assert not any(isinstance(action, Mid) for action in late)
    assert {action.t for action in late if isinstance(action, Retime)} == {
        F(1, 4),
        F(1, 2),
        F(3, 4),
    }


def test_passes_that_were_asked_for_are_made() -> None:
    executor = FakeExecutor(INFO)
    source = fake_source(160, numbers=[i // 2 for i in range(160)])
    with Running(source.opener, executor, retiming=Retiming(style="smooth", passes=1)) as running:
        running.all()
        plan = running.pipeline.statistics().plan
    assert plan is not None
    assert (plan.passes, plan.thin) == (1, False)


@pytest.mark.parametrize("index", [240, 251, 275])
def test_a_seek_while_thinning_is_that_of_the_whole_run(index: int) -> None:
    numbers = [i // 2 for i in range(100)] + [50 + i // 3 for i in range(60)]
    executor = FakeExecutor(INFO)
    source = fake_source(160, numbers=numbers)
    with Running(source.opener, executor, retiming=Retiming(style="smooth")) as running:
        running.all()
        whole = [a for call in executor.calls for a in call if getattr(a, "index", -1) >= index]
        executor.calls.clear()
        running.all(index)
        part = [a for call in executor.calls for a in call]
    assert [(a.index, a.t) for a in part] == [(a.index, a.t) for a in whole]


def test_the_longest_run_is_what_the_cadence_knows() -> None:
    assert LONGEST_RUN == MAX_CADENCE
