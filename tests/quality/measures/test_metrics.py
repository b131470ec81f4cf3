from __future__ import annotations

import math

import numpy as np
import pytest

from rtvfi.quality.measures.metrics import psnr, ripple, ssim


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (32, 40), dtype=np.uint8)


def test_psnr_of_a_uniform_error_of_one_is_48_db() -> None:
    truth = np.full((8, 8), 100, np.uint8)
    assert psnr(truth + 1, truth) == pytest.approx(20 * math.log10(255))
    assert psnr(truth - 1, truth) == pytest.approx(48.13, abs=0.01)


def test_equal_pictures_have_infinite_psnr_and_ssim_one() -> None:
    assert psnr(noise(0), noise(0)) == math.inf
    assert ssim(noise(0), noise(0)) == pytest.approx(1)


def test_unrelated_pictures_have_little_in_common() -> None:
    assert ssim(noise(0), noise(1)) < 0.1


def test_ripple_is_the_change_where_both_ends_agree() -> None:
    left = noise(0)
    right = left.copy()
    right[:, 16:] ^= 1  # moves
    made = left.astype(np.int16)
    made[:, :16] = np.where(left[:, :16] < 255, made[:, :16] + 1, made[:, :16] - 1)
    made[:, 16:] = 0
    assert ripple(made.astype(np.uint8), left, right) == 1
    assert ripple(left, left, right) == 0


def test_where_all_moves_there_is_no_ripple_to_measure() -> None:
    assert ripple(noise(0), noise(0), noise(1)) is None


def test_what_fills_no_block_of_eight_is_not_looked_at() -> None:
    left = np.zeros((20, 20), np.uint8)
    made = left.copy()
    made[16:], made[:, 16:] = 200, 200
    assert ripple(made, left, left) == 0
