from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from rtvfi.quality.measures.motion import NEAR, deviation, follow, match, textured, warping_error


def scenery(seed: int = 0, side: int = 160) -> np.ndarray:
    """Soft random texture, 0 to 255."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 2)
    picture: np.ndarray = np.interp(noise, (noise.min(), noise.max()), (0, 255)).astype(np.uint8)
    return picture


def moved(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    there: np.ndarray = shift(picture.astype(float), (y, x), mode="nearest")
    return there.clip(0, 255).astype(np.uint8)


def inner(blocks: np.ndarray) -> np.ndarray:
    """Without the blocks that lose part of themselves over the border."""
    kept = np.zeros_like(blocks)
    kept[2:-2, 2:-2] = blocks[2:-2, 2:-2]
    return kept


@pytest.mark.parametrize(("x", "y"), [(3, 0), (-5, 2), (0, 12), (1.5, -0.5)])
def test_the_way_of_blocks_is_found_below_the_pixel(x: float, y: float) -> None:
    found = match(scenery(), moved(scenery(), x, y), NEAR)
    ways = found.way[2:-2, 2:-2].reshape(-1, 2)
    assert np.abs(ways - (x, y)).max() < 0.45
    assert np.abs(ways.mean(axis=0) - (x, y)).max() < 0.05


def test_a_far_way_is_found_with_the_reach_for_it() -> None:
    found = match(scenery(), moved(scenery(), -40, 12), 64)
    assert np.median(found.way[:, 4:], axis=(0, 1)) == pytest.approx([-40, 12], abs=0.1)


def test_a_picture_on_its_place_does_not_deviate() -> None:
    picture = scenery()
    assert deviation(picture, picture, textured(picture)) == 0


def test_deviation_is_the_distance_by_which_all_is_off() -> None:
    picture = scenery()
    found = deviation(moved(picture, 3, 4), picture, inner(textured(picture)))
    assert found == pytest.approx(5, abs=0.1)


def test_softness_is_no_deviation() -> None:
    picture = scenery()
    soft = gaussian_filter(picture.astype(float), 1.5).astype(np.uint8)
    found = deviation(soft, picture, textured(picture))
    assert found is not None
    assert found < 0.3


def test_blocks_without_corners_do_not_count() -> None:
    picture = np.full((64, 64), 128, np.uint8)
    picture[:, 24:26] = 0
    assert not textured(picture).any()
    assert deviation(picture, picture, textured(picture)) is None


def test_the_warping_error_of_the_truth_is_small_and_that_of_a_fade_is_not() -> None:
    truth = scenery()
    left, right = moved(truth, -6, 0), moved(truth, 6, 0)
    ends = (follow(truth, left), follow(truth, right))
    at_truth = warping_error(truth, ends)
    of_fade = warping_error((left // 2 + right // 2).astype(np.uint8), ends)
    assert at_truth is not None
    assert of_fade is not None
    assert at_truth < 1
    assert of_fade > 10


def test_what_is_seen_in_one_end_only_is_left_out_of_the_other() -> None:
    truth = scenery()
    end = truth.copy()
    end[:, 80:] = scenery(9)[:, 80:]
    _, seen = follow(truth, end)
    assert seen[:, :64].all()
    assert seen[:, 96:].mean() < 0.1


def test_nothing_to_follow_gives_no_warping_error() -> None:
    truth = scenery()
    ends = (follow(truth, scenery(8)), follow(truth, scenery(9)))
    assert warping_error(truth, ends) is None
