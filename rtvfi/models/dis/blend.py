"""Warps both pictures along several candidate motions of each pixel, and blends the results.

The motion estimated a few pixels away is nearly as good a candidate as the one estimated at the
pixel. Up to four candidates are read from the flows, ``MARGIN`` pixels away in several directions.
Each candidate warps both pictures; its weight is higher the better these two agree (mean over a
box). Where motion is wrong, a weighted mean of candidates is better than any single one. Chroma is
warped once, along the mean of the candidates' motion.

All work is done on a grid of half size: 2 x 2 samples of luma form four channels that move
together. OpenCV's remap takes the same time for four channels as for one, so full size costs no
more than half size, and no full-size flow or weight is needed.

The picture is processed in bands of rows, to avoid float arrays of the size of the picture. The
result does not depend on how it is split into bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import cv2
import numpy as np

from rtvfi.models.dis.flow import MARGIN, codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cv2.typing import MatLike

    from rtvfi.models.dis.flow import Codes, Floats, Motion

    Guess = tuple[int, int, int]
    """A candidate: the flow (0 left to right, 1 right to left), and the offset at which it is read,
    down and right, -1 to 1, in units of ``MARGIN`` half-size pixels."""

_BOX: Final = 9
_TRUST: Final = (np.exp(-np.arange(256) / 4) + 1e-4).astype(np.float32)
"""Weight by the mean difference of two fetches, in 8-bit codes."""
_NOTHING: Final = cast("MatLike", 0)
"""OpenCV takes a number for an array of it; its types do not say so."""
_HALO: Final = _BOX // 2
"""Rows of half size a band looks at beyond itself."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One picture of (H, W), arranged for warping; h, w = ceil(H/2), ceil(W/2)."""

    luma: Codes
    """(2h, 2w, 4): see ``quartet``."""
    chroma: tuple[Codes, ...]
    """Half-size chroma: one array (h, w, 4), U, V, U, V, because two channels would take three
    times as long to warp. Full-size chroma: two arrays like ``luma``.
    """


class Rows(NamedTuple):
    """A band of half-size rows: it computes [start, stop) and reads [top, bottom)."""

    start: int
    stop: int
    top: int
    bottom: int

    @property
    def inner(self) -> slice:
        """The computed rows, counted from ``top``."""
        return slice(self.start - self.top, self.stop - self.top)


class _Fetched(NamedTuple):
    """The result of one candidate for the n computed rows."""

    x: Floats
    """(n, w): its flow."""
    y: Floats
    sign: int
    """1 if the flow is from left to right, else -1."""
    weight: Floats | None
    """(n, w), above 0; None if there is only one candidate."""
    mean: Codes
    """(n, w, 4): the blended luma."""


def quartet(plane: Codes) -> Codes:
    """Stack every sample with its right, lower and lower right neighbours: (H, W) to (2h, 2w, 4).

    The last row and column are repeated. At (2y, 2x) this has the 2 x 2 samples of pixel (y, x) of
    half size.
    """
    rows, columns = (side + side % 2 for side in plane.shape)
    below, beside = 1 + rows - plane.shape[0], 1 + columns - plane.shape[1]
    larger = cv2.copyMakeBorder(plane, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    parts = [larger[y : y + rows, x : x + columns] for y in (0, 1) for x in (0, 1)]
    return codes(cv2.merge(parts))


def spread_out(quartets: Codes) -> Codes:
    """The inverse of ``quartet`` on the half-size grid: (n, w, 4) to (2n, 2w)."""
    rows, columns = quartets.shape[:2]
    pairs = quartets.view(np.uint16 if quartets.itemsize == 1 else np.uint32)
    lines = np.ascontiguousarray(pairs.transpose(0, 2, 1))
    return codes(lines.view(quartets.dtype).reshape(2 * rows, 2 * columns))


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """Interpolates one picture between two; threads may compute bands of it in parallel."""

    ends: tuple[View, View]
    """The left and right picture."""
    motion: Motion
    """The flows between them."""
    t: float
    """0 < t < 1, 0 = left."""
    bits: int
    """Bit depth of a sample."""
    guesses: Sequence[Guess]
    """At least one, of flows that ``motion`` has."""

    def band(self, start: int, stop: int) -> tuple[Codes, list[Codes]]:
        """Compute the rows [start, stop) of half size, which are [2 start, 2 stop) of full size.

        Returns:
            Luma, (2n, 2w), and U and V, each (n, w) or, for full-size chroma, (2n, 2w).
        """
        num_rows = self.ends[0].luma.shape[0] // 2
        halo = _HALO if len(self.guesses) > 1 else 0
        rows = Rows(start, stop, max(0, start - halo), min(num_rows, stop + halo))
        fetched = [self._fetched(guess, rows) for guess in self.guesses]
        luma, x, y = self._mixed(fetched)
        return spread_out(luma), self._chroma(x, y, start)

    def _fetched(self, guess: Guess, rows: Rows) -> _Fetched:
        which, down, beside = guess
        sign = -1 if which else 1
        x, y = (self._read(axis, rows, down, beside) for axis in self.motion.flows[which])
        ends = self.ends[0].luma, self.ends[1].luma
        first, second = self._both(ends, (x, y), sign, rows.top, step=2)
        weight, inner = None, rows.inner
        if len(self.guesses) > 1:
            weight = self._trust(first, second)[inner]
        return _Fetched(
            x[inner], y[inner], sign, weight, self._between(first[inner], second[inner])
        )

    def _read(self, axis: Floats, rows: Rows, down: int, beside: int) -> Floats:
        top, left = MARGIN * (1 + down), MARGIN * (1 + beside)
        width = self.ends[0].luma.shape[1] // 2
        return axis[top + rows.top : top + rows.bottom, left : left + width]

    def _trust(self, first: Codes, second: Codes) -> Floats:
        """The weight of a candidate from its two warped pictures, (n, w)."""
        difference = cv2.cvtColor(cv2.absdiff(first, second), cv2.COLOR_BGRA2GRAY)
        if self.bits > 8:
            difference = cv2.convertScaleAbs(difference, alpha=1 / (1 << (self.bits - 8)))
        return _floats(cv2.LUT(cv2.blur(difference, (_BOX, _BOX)), _TRUST))

    def _both(
        self, ends: tuple[Codes, Codes], flow: tuple[Floats, Floats], sign: int, top: int, step: int
    ) -> tuple[Codes, Codes]:
        """Warp both pictures along a flow.

        Args:
            ends: the pictures, (H, W, 4) each.
            flow: x and y, (n, w) each.
            sign: 1 if the flow is from left to right, else -1.
            top: the first of the n rows.
            step: pixels of ``ends`` per pixel of the flow, 1 or 2.
        """
        height, width = ends[0].shape[:2]
        x, y = (
            axis[top : top + flow[0].shape[0]]
            for axis in _grid(height // step, width // step, step)
        )
        unit = sign * self.motion.unit * step / 2
        fetched = []
        for image, share in zip(ends, (-self.t, 1 - self.t), strict=True):
            to_x = cv2.scaleAdd(flow[0], share * unit, x)
            to_y = cv2.scaleAdd(flow[1], share * unit, y)
            fetched.append(_fetch(image, to_x, to_y))
        return fetched[0], fetched[1]

    def _between(self, first: Codes, second: Codes) -> Codes:
        return codes(cv2.addWeighted(first, 1 - self.t, second, self.t, 0))

    def _mixed(self, fetched: list[_Fetched]) -> tuple[Codes, Floats, Floats]:
        """Blend the candidates: luma as quartets, and the mean flow from left to right (x, y)."""
        only = fetched[0]
        if only.weight is None:
            assert only.sign > 0
            return only.mean, only.x, only.y
        weights = [guess.weight for guess in fetched if guess.weight is not None]
        total = cv2.add(weights[0], weights[1])
        for weight in weights[2:]:
            cv2.add(total, weight, dst=total)
        luma = np.zeros_like(only.mean, np.float32)
        x, y = np.zeros_like(total), np.zeros_like(total)
        for guess, weight in zip(fetched, weights, strict=True):
            share = cv2.divide(weight, total)
            quartets = cv2.multiply(guess.mean, cv2.merge([share] * 4), dtype=cv2.CV_32F)
            cv2.add(luma, quartets, dst=luma)
            add = cv2.add if guess.sign > 0 else cv2.subtract
            add(x, cv2.multiply(guess.x, share), dst=x)
            add(y, cv2.multiply(guess.y, share), dst=y)
        return self._rounded(luma), _floats(x), _floats(y)

    def _chroma(self, x: Floats, y: Floats, top: int) -> list[Codes]:
        left, right = (end.chroma for end in self.ends)
        step = 1 if len(left) == 1 else 2
        means = [
            self._between(*self._both(ends, (x, y), 1, top, step))
            for ends in zip(left, right, strict=True)
        ]
        if step == 1:
            return [means[0][..., 0], means[0][..., 1]]
        return [spread_out(mean) for mean in means]

    def _rounded(self, array: Floats) -> Codes:
        if self.bits == 8:
            return codes(cv2.convertScaleAbs(array))
        return codes(cv2.add(array, _NOTHING, dtype=cv2.CV_16U))


def _fetch(image: Codes, x: MatLike, y: MatLike) -> Codes:
    """Sample an image bilinearly at x and y; outside, the border repeats."""
    return codes(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


@lru_cache(maxsize=4)
def _grid(height: int, width: int, step: int) -> tuple[Floats, Floats]:
    """x and y of every ``step``-th pixel."""
    y, x = step * np.mgrid[:height, :width].astype(np.float32)
    return x, y


def _floats(array: MatLike) -> Floats:
    """Cast an OpenCV result to floats; see ``flow.codes``."""
    return cast("Floats", array)
