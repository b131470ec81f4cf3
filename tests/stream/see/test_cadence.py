"""How long drawings are held, from change flags."""

from __future__ import annotations

import json
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.stream.see.cadence import CadenceEstimator, estimate, passes_for

VECTORS = Path(__file__).parents[2] / "goldens" / "scheduling_vectors.json"
CASES: list[list[Any]] = json.loads(VECTORS.read_text())["cadence"]


def held(length: int, frames: int) -> list[bool]:
    """Change flags of a scene drawn on ``length``."""
    return [n % length == 0 for n in range(frames)]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_vectors(case: list[Any]) -> None:
    _, flags, cadence = case
    assert estimate(flag == "1" for flag in flags) == cadence


@given(st.integers(1, 4), st.integers(0, 3))
def test_a_regular_scene_is_recognised_wherever_it_is_cut_open(length: int, skip: int) -> None:
    assert estimate(islice(held(length, 60), skip, None)) == length


@given(st.lists(st.booleans(), max_size=60))
def test_an_estimate_is_one_to_four(flags: list[bool]) -> None:
    assert estimate(flags) in {None, 1, 2, 3, 4}


def runs(*lengths: int) -> list[bool]:
    """Change flags of drawings held so long, one after the other, and the start of another."""
    return [n == 0 for length in lengths for n in range(length)] + [True]


def test_a_hold_of_six_counts_and_one_of_seven_is_a_pose() -> None:
    assert estimate(runs(6, 6)) == 4
    assert estimate(runs(7, 7, 7)) is None


def test_twelve_counted_frames_are_enough() -> None:
    assert estimate(runs(2, 2, 2, 2, 2, 2)) == 2
    assert estimate(runs(2, 2, 2, 2, 2, 1)) is None


def test_a_run_whose_start_was_not_seen_does_not_count() -> None:
    assert estimate([False] * 3 + runs(2, 2, 2, 2, 2)) is None


@pytest.mark.parametrize(
    ("cadence", "even", "smooth"), [(1, 0, 0), (2, 1, 1), (3, 2, 3), (4, 3, 3)]
)
def test_passes(cadence: int, even: int, smooth: int) -> None:
    assert passes_for(cadence) == even
    assert passes_for(cadence, "smooth") == smooth
    assert passes_for(cadence, "smooth", cap=5) == (0, 1, 3, 5)[cadence - 1]
    assert passes_for(cadence, cap=1) == min(even, 1)


def test_a_stream_starts_on_twos() -> None:
    assert CadenceEstimator().cadence == 2


def follow(estimator: CadenceEstimator, flags: list[bool]) -> list[int]:
    return [estimator.push(f, cut=n == 0) for n, f in enumerate(flags)]


def test_a_cut_takes_over_what_the_last_scene_showed() -> None:
    estimator = CadenceEstimator()
    follow(estimator, held(3, 16))
    assert estimator.cadence == 2
    assert estimator.push(True, cut=True) == 3


def test_a_scene_too_short_to_tell_changes_nothing() -> None:
    estimator = CadenceEstimator()
    follow(estimator, held(4, 12))
    assert estimator.push(True, cut=True) == 2


@pytest.mark.parametrize(("cadence", "num_frames"), [(3, 12), (1, 24)], ids=["rises", "falls"])
def test_inside_a_scene_it_changes_after_so_many_frames_that_agree(
    cadence: int, num_frames: int
) -> None:
    found = follow(CadenceEstimator(), held(cadence, 60))
    known = next(n for n in range(60) if estimate(held(cadence, n + 1)) == cadence)
    assert found.index(cadence) == known + num_frames - 1


def test_frames_that_disagree_with_each_other_raise_nothing() -> None:
    flags = [bool(int(c)) for c in ("1000" + "100" * 9) * 3]
    raw = [estimate(flags[max(0, n - 47) : n + 1]) for n in range(len(flags))]
    found = follow(CadenceEstimator(), flags)
    rise = next(n for n, cadence in enumerate(found) if cadence != 2)
    assert raw[rise - 11 : rise + 1] == [found[rise]] * 12
    assert 4 in raw[: rise - 11]


def test_a_doubtful_scene_does_not_flicker() -> None:
    """One drawing in six on threes: what the window holds crosses the line again and again."""
    flags = [bool(int(c)) for c in ("100" + "10" * 5) * 40]
    raw = [estimate(flags[max(0, n - 48) : n]) for n in range(20, len(flags))]
    assert sum(a != b for a, b in pairwise(raw)) > 20
    found = follow(CadenceEstimator(), flags)
    assert sum(a != b for a, b in pairwise(found)) <= 1


def test_a_seek_keeps_the_cadence_and_forgets_the_scene() -> None:
    estimator = CadenceEstimator()
    follow(estimator, held(3, 60))
    estimator.reset()
    assert estimator.cadence == 3
    assert estimator.push(True, cut=True) == 3


def test_the_slowest_part_of_the_picture_rules() -> None:
    estimator = CadenceEstimator()
    found = [estimator.push(True, cut=n == 0, slowest=3 if n >= 12 else None) for n in range(40)]
    assert found.index(3) == 23
    assert estimator.push(True, cut=True) == 3


def test_a_part_seen_for_a_moment_is_forgotten_at_the_cut() -> None:
    estimator = CadenceEstimator()
    follow(estimator, held(2, 60))
    estimator.push(True, slowest=4)
    estimator.push(True, slowest=None)
    assert estimator.push(True, cut=True) == 2
