from __future__ import annotations

import math

import numpy as np
import pytest

from rtvfi.quality.metrics import psnr, ssim


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
