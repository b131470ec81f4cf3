from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from rtvfi.quality.measures.lines import line_distance, line_points

DIAGONAL = math.hypot(64, 96)


def upright(*columns: int) -> np.ndarray:
    """Black lines two pixels wide on white."""
    picture = np.full((64, 96), 255, np.uint8)
    for column in columns:
        picture[:, column : column + 2] = 0
    return picture


def points(*columns: int) -> np.ndarray:
    return line_points(upright(*columns))


def test_a_line_has_one_point_in_every_row() -> None:
    assert points(40).sum(axis=1).tolist() == [1] * 64
    assert line_points(upright(40).T).sum() == 96 - 32  # 64 x 96 turned: a level line of 64


@pytest.mark.parametrize("by", [1, 3, 8])
def test_the_distance_is_that_by_which_a_line_was_moved(by: int) -> None:
    found = line_distance(points(40 + by), points(40))
    assert found == pytest.approx(by / DIAGONAL)


def test_equal_pictures_are_no_distance_apart() -> None:
    assert line_distance(points(20, 60), points(20, 60)) == 0


def test_a_ghost_beside_the_line_counts_in_one_direction() -> None:
    # of the points made, half are 10 away; every true one is met
    assert line_distance(points(40, 50), points(40)) == pytest.approx(5 / 2 / DIAGONAL)


def test_a_line_that_is_missing_counts_as_one_too_many() -> None:
    assert line_distance(points(40), points(40, 50)) == line_distance(points(40, 50), points(40))


def test_a_soft_line_is_where_the_sharp_one_is_until_it_is_no_line() -> None:
    sharp = upright(40)
    soft = gaussian_filter(sharp.astype(float), 1.5).astype(np.uint8)
    gone = gaussian_filter(sharp.astype(float), 20).astype(np.uint8)
    assert line_distance(line_points(soft), line_points(sharp)) == pytest.approx(0, abs=0.5 / 115)
    assert line_distance(line_points(gone), line_points(sharp)) == 1


def test_a_cross_fade_of_a_moving_line_is_further_off_than_the_line() -> None:
    faded = (upright(36) // 2 + upright(44) // 2 + 1).astype(np.uint8)
    assert line_distance(line_points(faded), points(40)) == pytest.approx(4 / DIAGONAL)


def test_without_lines_in_the_truth_there_is_no_distance() -> None:
    flat = np.full((64, 96), 90, np.uint8)
    assert line_distance(points(40), line_points(flat)) is None


def test_coding_noise_is_no_line() -> None:
    noise = np.random.default_rng(0).integers(98, 103, (64, 96)).astype(np.uint8)
    assert not line_points(noise).any()
