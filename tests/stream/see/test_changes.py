"""What moved, and the cadence of what is drawn."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.evenness import INFO, MEASURED, NUM_FRAMES, Scene, look, plan_of
from rtvfi.stream.see.changes import _LEAST_MOVING, Changes, differences

if TYPE_CHECKING:
    from rtvfi.stream.see.luma import Floats

RNG = np.random.default_rng(5)
STILL = RNG.uniform(20, 230, (90, 160)).astype(np.float32)


def noisy(deviation: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    noise = deviation * RNG.standard_normal(STILL.shape)
    return (STILL + noise).astype(np.float32)


def moving(changes: Changes, before: Floats, picture: Floats) -> float:
    """Push the next picture; which share of the tiles moved by more than the floor."""
    change = changes.push(picture)
    share = float((differences(before, picture) > changes.floor).mean())
    assert change.changed == (share > _LEAST_MOVING)
    return share


def test_the_first_frame_of_a_scene_changes_everything() -> None:
    changes = Changes()
    changes.push(STILL)
    changes.reset()
    assert changes.push(STILL) == (True, None, None)


def test_a_repeat_does_not_change() -> None:
    changes = Changes()
    changes.push(STILL)
    assert not changes.push(STILL.copy()).changed


def test_the_share_is_that_of_the_tiles() -> None:
    changes = Changes()
    changes.push(STILL)
    moved = STILL.copy()
    moved[:40, :80] += 30
    assert moving(changes, STILL, moved) == pytest.approx(50 / 240)


def test_grain_is_not_motion_once_it_is_known() -> None:
    changes = Changes()
    pictures = [noisy(0.5) for _ in range(12)]
    changes.push(pictures[0])
    shares = [moving(changes, before, after) for before, after in pairwise(pictures)]
    assert max(shares[3:]) == 0


def test_what_moves_through_grain_is_seen() -> None:
    changes = Changes()
    before, picture = noisy(0.5), noisy(0.5)
    for known in (*(noisy(0.5) for _ in range(11)), before):
        changes.push(known)
    picture[8:24, 8:24] += 12
    assert moving(changes, before, picture) == pytest.approx(4 / 240)


def test_the_noise_floor_stays_below_drawings() -> None:
    changes = Changes()
    for n in range(24):
        changes.push(np.roll(STILL, 5 * n, axis=1))
    assert changes.floor <= 4


@pytest.mark.parametrize("hold", [2, 3, 4])
def test_a_drawing_before_a_pan_has_its_own_cadence(hold: int) -> None:
    changes = Changes()
    found = None
    for n in range(30):
        picture = np.roll(STILL, 5 * n, axis=1)
        picture[20:60, 40:90] = np.roll(STILL, 31 * (n // hold), axis=0)[20:60, 40:90]
        found = changes.push(picture).cadence
    assert found == hold


@pytest.mark.parametrize("hold", [2, 3])
def test_what_repeats_as_a_whole_is_drawn_on_ones_without_its_repeats(hold: int) -> None:
    changes = Changes()
    found = None
    for n in range(20 * hold):
        picture = np.roll(STILL, 31 * (n // hold), axis=0)
        found = changes.push(picture, is_same=n % hold > 0)
    assert found is not None
    assert (found.cadence, found.drawn) == (hold, 1)


def test_what_is_held_while_the_rest_moves_is_held_without_repeats_too() -> None:
    """A figure on threes before one on twos: two frames in six repeat the whole picture."""
    changes = Changes()
    drawn = None
    for n in range(90):
        picture = STILL.copy()
        picture[10:40, 10:60] = np.roll(STILL, 31 * (n // 2), axis=0)[10:40, 10:60]
        picture[50:80, 80:140] = np.roll(STILL, 29 * (n // 3), axis=0)[50:80, 80:140]
        drawn = changes.push(picture, is_same=n % 2 > 0 and n % 3 > 0).drawn
    assert drawn == 2


def test_edges_that_pass_now_and_then_are_no_cadence() -> None:
    changes = Changes()
    found = set()
    for _ in range(80):
        picture = STILL.copy()
        tiles = RNG.random((90 // 8 + 1, 160 // 8)) < 0.3
        picture += 30 * np.kron(tiles, np.ones((8, 8)))[:90].astype(np.float32)
        found.add(changes.push(picture).cadence)
    assert found <= {None, 1}


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_the_right_passes_are_chosen_from_pictures() -> None:
    right = 0
    for seed in range(500, 540):
        scene = Scene(seed)
        used = plan_of(look(scene), "auto", INFO.source_rate / 12)[1]
        assert len(used) == NUM_FRAMES
        right += scene.is_right(used[int(MEASURED[0] * 24)])
    assert right >= 38
