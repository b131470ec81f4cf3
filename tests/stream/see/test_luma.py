"""Small luma pictures, and what block matching finds of one in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fakes import stream_info

from rtvfi.core.frame import PIXEL_FORMATS, plane_views
from rtvfi.stream.see.luma import Luma, Lumas, Matcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

RNG = np.random.default_rng(3)
WIDE = np.kron(RNG.uniform(20, 230, (12, 30)), np.ones((3, 3))).astype(np.float32)


def luma(coarse: NDArray[Any]) -> Luma:
    picture = np.ascontiguousarray(coarse, np.float32)
    return Luma(picture, picture, float(picture.mean()), float(picture.std()))


def seen(left: int, top: int = 0) -> Luma:
    """A 27x48 part of a wide picture."""
    return luma(WIDE[top : top + 27, left : left + 48])


MATCHER = Matcher((27, 48))


@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
def test_a_pixel_is_the_mean_of_its_square_in_eight_bit_codes(pixel_format: str) -> None:
    info = stream_info(1920, 1080, format=pixel_format)
    payload = np.zeros(info.payload_bytes, np.uint8)
    scale = 1 << info.format.bits - 8
    codes = RNG.integers(0, 256, (1080, 1920))
    plane_views(payload, info)[0][...] = codes * scale
    made = Lumas(info).make(payload)
    assert made.fine.shape == (135, 240)
    np.testing.assert_allclose(made.fine[7, 9], codes[56:64, 72:80].mean(), rtol=1e-5)
    assert made.coarse.shape == (27, 48)
    np.testing.assert_allclose(made.coarse[2, 3], codes[80:120, 120:160].mean(), rtol=1e-5)
    assert made.mean == pytest.approx(codes.mean(), rel=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (161, 91), (720, 1280), (3840, 2160)])
def test_any_size_gives_pictures(size: tuple[int, int]) -> None:
    info = stream_info(*size)
    made = Lumas(info).make(np.full(info.payload_bytes, 77, np.uint8))
    assert made.mean == pytest.approx(77)
    assert made.fine.size <= 2 * 240 * 135
    assert Matcher(made.coarse.shape).novelty(made, made) == 0


def test_a_pan_is_not_new() -> None:
    assert MATCHER.at_rest(seen(10, 4), seen(16, 2)) > 0.55
    assert MATCHER.novelty(seen(10, 4), seen(16, 2)) < 0.2


def test_another_picture_is_new() -> None:
    other = luma(np.kron(RNG.uniform(20, 230, (9, 16)), np.ones((3, 3))))
    assert MATCHER.novelty(seen(0), other) > 0.55


def test_brightness_and_contrast_are_not_new() -> None:
    picture = seen(5)
    faded = luma(30 + 0.5 * picture.coarse)
    assert MATCHER.novelty(picture, faded) < 0.1


def test_novelty_is_at_most_that_at_rest() -> None:
    for left in range(20):
        a, b = seen(left), seen(2 * left, left % 9)
        assert MATCHER.novelty(a, b) <= MATCHER.at_rest(a, b) + 1e-6
