"""Small luma pictures of host planes, and the part of one that motion from another cannot explain.

The pictures are float32, (H, W), in 8-bit codes whatever the stream's depth.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rtvfi.core.frame import plane_views

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo

    Floats = NDArray[np.float32]

_FINE_PIXELS: Final = 240 * 135
"""Approximate number of pixels of a fine picture: 1/8 of 1920x1080 in both directions."""
_COARSE_PIXELS: Final = 48 * 27
_MOST_ROWS: Final = 8
"""Largest number of source rows read for one row of a fine picture."""
_BLOCK: Final = 6
_REACH: Final = (5, 8)
"""Search range in rows and columns, in each direction: about a sixth of the picture."""
_LEAST_DETAIL: Final = 2.0
"""Added to a picture's own detail, 8-bit codes: a picture with little detail proves little."""
_GAINS: Final = (0.25, 2.0)


class Luma(NamedTuple):
    """The luma of one picture."""

    fine: Floats
    """About 240x135."""
    coarse: Floats
    """About 48x27."""
    mean: float
    """Mean of the coarse picture."""
    deviation: float
    """Standard deviation of the coarse picture."""


class Lumas:
    """Makes the small luma pictures of one stream's payloads."""

    def __init__(self, info: StreamInfo) -> None:
        self._info = info
        self._unit = 1 << info.format.bits - 8
        self._cell = _cell(info.height, info.width, _FINE_PIXELS)
        self._step = max(1, self._cell // _MOST_ROWS)
        rows, columns = info.height // self._cell, info.width // self._cell
        self._coarse_cell = _cell(rows, columns, _COARSE_PIXELS)
        self._weights = np.ones(self._cell, np.float32)

    def make(self, payload: NDArray[np.uint8]) -> Luma:
        """Means of square cells; incomplete cells at the bottom and right edge are left out."""
        cell = self._cell
        luma = plane_views(payload, self._info)[0]
        rows, columns = (length // cell for length in luma.shape)
        luma = luma[: rows * cell, : columns * cell]
        offsets = range(0, cell, self._step)
        sums = luma[0::cell].astype(np.uint16)
        for offset in offsets[1:]:
            sums += luma[offset::cell]
        wide = sums.astype(np.float32).reshape(-1, cell) @ self._weights
        fine = wide.reshape(rows, columns) / np.float32(cell * len(offsets) * self._unit)
        coarse = block_means(fine, self._coarse_cell)
        return Luma(fine, coarse, float(coarse.mean()), float(coarse.std()))


def _cell(height: int, width: int, pixels: int) -> int:
    """Side of the square cells that give about ``pixels`` cells; at least one cell fits."""
    return max(1, min(round(math.sqrt(height * width / pixels)), height, width))


def block_means(picture: Floats, side: int) -> Floats:
    """Means of square cells; incomplete cells at the edges are left out."""
    rows, columns = (length // side for length in picture.shape)
    squares = picture[: rows * side, : columns * side].reshape(rows, side, columns, side)
    means: Floats = squares.mean((1, 3))
    return means


class Matcher:
    """Compares two coarse pictures of one size."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._block = min(_BLOCK, *shape)
        rows, columns = (length // self._block for length in shape)
        self._shape = rows * self._block, columns * self._block
        side = np.repeat(np.eye(columns, dtype=np.float32), self._block, axis=0)
        self._sum_columns = side / self._block

    def at_rest(self, a: Luma, b: Luma) -> float:
        """Like ``novelty`` without searching for motion: fast, and never smaller."""
        here = self._crop(b.coarse)
        apart = np.abs(self._crop(_graded(a, b)) - here)
        return float(apart.mean()) / (self._detail(here) + _LEAST_DETAIL)

    def novelty(self, a: Luma, b: Luma) -> float:
        """How much of ``b`` is not in ``a``: 0 = nothing is new, about 1 = everything is.

        Each block of ``b`` is searched around its place in ``a``, after contrast and brightness
        were equalised. The mean residual is divided by the detail within blocks, which is the
        residual that a flat colour would leave.
        """
        here = self._crop(b.coarse)
        (up, left), (rows, columns) = _REACH, self._shape
        around = np.pad(self._crop(_graded(a, b)), ((up, up), (left, left)), mode="edge")
        moved = np.lib.stride_tricks.sliding_window_view(around, self._shape)
        apart = np.abs(moved - here).reshape(-1, columns) @ self._sum_columns
        by_block = apart.reshape(-1, rows // self._block, self._block, apart.shape[-1]).mean(2)
        return float(by_block.min(0).mean()) / (self._detail(here) + _LEAST_DETAIL)

    def _crop(self, picture: Floats) -> Floats:
        rows, columns = self._shape
        return picture[:rows, :columns]

    def _detail(self, picture: Floats) -> float:
        side = self._block
        means = block_means(picture, side).repeat(side, 0).repeat(side, 1)
        return float(np.abs(picture - means).mean())


def _graded(a: Luma, b: Luma) -> Floats:
    """``a`` with the brightness of ``b`` and, within limits, its contrast."""
    low, high = _GAINS
    gain = min(max((b.deviation + 1) / (a.deviation + 1), low), high)
    return (a.coarse - np.float32(a.mean)) * np.float32(gain) + np.float32(b.mean)
