"""Miniatures of payloads and their similarity: the published values."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rtvfi.core.frame import PIXEL_FORMATS, ColorInfo, StreamInfo, plane_views
from rtvfi.stream.see.miniatures import SIZE, Miniatures, miniature, ssim

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from rtvfi.stream.see.miniatures import Miniature

    Floats = NDArray[np.float64]

TEST_SIZE = (270, 480)


@pytest.fixture(scope="module")
def vectors(root: Path) -> dict[str, Any]:
    text = (root / "tests/goldens/ssim.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def draw(kind: str, numbers: list[float]) -> Floats:
    """The test pictures of the vectors, (3, 270, 480), 0..1."""
    height, width = TEST_SIZE
    y, x = np.mgrid[:height, :width]
    if kind == "flat":
        return np.tile(np.reshape(np.array(numbers, float), (3, 1, 1)), (1, height, width))
    if kind == "ramp":
        dx, dy = numbers
        down = 0.5 * ((y / height + dy) % 1)
        return np.stack([0.5 * ((x / width + dx + 0.2 * c) % 1) + down for c in range(3)])
    if kind == "disc":
        cx, cy, radius = numbers
        m = (np.hypot(x - cx * width, y - cy * height) < radius * height).astype(float)
        return np.stack([0.2 + 0.6 * m, 0.5 - 0.3 * m, 0.8 * m + 0.1])
    cell, is_inverted = int(numbers[0]), numbers[1]
    m = ((x // cell + y // cell) % 2).astype(float)
    m = 1 - m if is_inverted else m
    return np.stack([m, 0.5 * m + 0.25, 1 - m])


def shrunk(picture: Floats) -> Miniature:
    """Bilinear to 32x32 without antialiasing, one pixel at a time."""
    height, width = TEST_SIZE
    small = np.zeros((3, SIZE, SIZE), np.float32)
    for row in range(SIZE):
        for column in range(SIZE):
            y, x = (row + 0.5) * height / SIZE - 0.5, (column + 0.5) * width / SIZE - 0.5
            top, left = int(y), int(x)
            a, b = y - top, x - left
            square = picture[:, top : top + 2, left : left + 2]
            weights = np.outer([1 - a, a], [1 - b, b])
            small[:, row, column] = (square * weights).sum((1, 2))
    return miniature(small)


def stream(size: tuple[int, int], pixel_format: str = "yuv444p10le") -> StreamInfo:
    return StreamInfo(
        width=size[1],
        height=size[0],
        format=PIXEL_FORMATS[pixel_format],
        color=ColorInfo(matrix=1, full_range=True),
        source_rate=Fraction(24),
        start=Fraction(0),
        duration=None,
        pixel_aspect=Fraction(1),
    )


def encoded(rgb: Floats, info: StreamInfo) -> NDArray[np.uint8]:
    """A full-range BT.709 payload of an RGB picture."""
    top = (1 << info.format.bits) - 1
    red, green, blue = rgb
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    planes = (
        y,
        (blue - y) / 1.8556 + (top + 1) / 2 / top,
        (red - y) / 1.5748 + (top + 1) / 2 / top,
    )
    payload = np.zeros(info.payload_bytes, np.uint8)
    step = 1 << info.format.chroma_shift
    for index, (view, plane) in enumerate(zip(plane_views(payload, info), planes, strict=True)):
        view[...] = np.rint(top * (plane[::step, ::step] if index else plane)).clip(0, top)
    return payload


def test_ssim_has_the_published_values(vectors: dict[str, Any]) -> None:
    pictures = [shrunk(draw(kind, numbers)) for kind, numbers in vectors["ssim_images"]]
    for a, b, value, *_ in vectors["ssim_pairs"]:
        assert ssim(pictures[a], pictures[b]) == pytest.approx(value, abs=2e-4)


@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
def test_ssim_of_payloads_is_that_of_the_pictures(
    vectors: dict[str, Any], pixel_format: str
) -> None:
    info = stream(TEST_SIZE, pixel_format)
    maker = Miniatures(info)
    found = [maker.make(encoded(draw(kind, n), info)) for kind, n in vectors["ssim_images"]]
    for a, b, value, *_ in vectors["ssim_pairs"]:
        assert ssim(found[a], found[b]) == pytest.approx(value, abs=0.02)
