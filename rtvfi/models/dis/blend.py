"""Fetching a new picture along several guesses of its motion, and mixing what they give.

The motion found a few pixels beside a place is nearly as good a guess as the one found there. Up to
four guesses are taken from the flows, read ``MARGIN`` pixels away in several directions. Each
fetches the place from both pictures; the better these two fetches agree (mean over a box), the more
the guess weighs. A mean of guesses loses less where motion is wrong than any one of them. Chroma is
fetched once, along the mean of the guesses' motion.

All work is done on a grid of half size: 2 x 2 samples of luma are the four channels of one place
and move together. OpenCV fetches four channels in the time of one, so full size costs no more than
half size, and no flow or weight of full size is made.

Work is done in bands of rows, so that no float array of the size of the picture is passed over. A
band depends on nothing but its place: how many there are does not show.
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
    """Flow (0 left to right, 1 right to left), and where it is read: ``MARGIN`` times so many
    pixels of half size further down and right, -1 to 1."""

_BOX: Final = 9
_TRUST: Final = (np.exp(-np.arange(256) / 4) + 1e-4).astype(np.float32)
"""Weight by the mean difference of two fetches, in 8-bit codes."""
_NOTHING: Final = cast("MatLike", 0)
"""OpenCV takes a number for an array of it; its types do not say so."""
_HALO: Final = _BOX // 2
"""Rows of half size a band looks at beyond itself."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What is fetched from one picture of (H, W); h, w = ceil(H/2), ceil(W/2)."""

    luma: Codes
    """(2h, 2w, 4): see ``quartet``."""
    chroma: tuple[Codes, ...]
    """One of (h, w, 4), U and V twice, where chroma has half size: two channels would take three
    times as long to fetch. Otherwise two like ``luma``."""


class Rows(NamedTuple):
    """A band: which rows of half size are made, and which are looked at, both half open."""

    start: int
    stop: int
    top: int
    bottom: int

    @property
    def inner(self) -> slice:
        """What is made, counted from ``top``."""
        return slice(self.start - self.top, self.stop - self.top)


class _Fetched(NamedTuple):
    """What a guess gives for the rows that are made."""

    x: Floats
    """(n, w): its flow."""
    y: Floats
    sign: int
    """1 where the flow runs from left to right."""
    weight: Floats | None
    """(n, w), above 0; None where there is no other guess."""
    mean: Codes
    """(n, w, 4): luma."""


def quartet(plane: Codes) -> Codes:
    """(H, W) to (2h, 2w, 4): every sample, the one right of it, below, and right of that.

    The last row and column repeat. Read at (2y, 2x), this gives the 2 x 2 samples of place (y, x)
    of half size.
    """
    rows, columns = (side + side % 2 for side in plane.shape)
    below, beside = 1 + rows - plane.shape[0], 1 + columns - plane.shape[1]
    larger = cv2.copyMakeBorder(plane, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    parts = [larger[y : y + rows, x : x + columns] for y in (0, 1) for x in (0, 1)]
    return codes(cv2.merge(parts))


def spread_out(quartets: Codes) -> Codes:
    """(n, w, 4) to (2n, 2w): each quartet's samples to their places."""
    rows, columns = quartets.shape[:2]
    pairs = quartets.view(np.uint16 if quartets.itemsize == 1 else np.uint32)
    lines = np.ascontiguousarray(pairs.transpose(0, 2, 1))
    return codes(lines.view(quartets.dtype).reshape(2 * rows, 2 * columns))


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """Between two pictures at one moment; bands of it may be made by several threads."""

    ends: tuple[View, View]
    """Left and right."""
    motion: Motion
    """Theirs."""
    t: float
    """0 < t < 1, 0 = left."""
    bits: int
    """Of a sample."""
    guesses: Sequence[Guess]
    """At least one, of flows that ``motion`` has."""

    def band(self, start: int, stop: int) -> tuple[Codes, list[Codes]]:
        """Make the rows [start, stop) of half size, [2 start, 2 stop) of full size.

        Returns:
            Luma (2n, 2w) of the new picture, and U and V, of half size or of that size.
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
        """How far two fetches of the same place can be believed, (n, w)."""
        difference = cv2.cvtColor(cv2.absdiff(first, second), cv2.COLOR_BGRA2GRAY)
        if self.bits > 8:
            difference = cv2.convertScaleAbs(difference, alpha=1 / (1 << (self.bits - 8)))
        return _floats(cv2.LUT(cv2.blur(difference, (_BOX, _BOX)), _TRUST))

    def _both(
        self, ends: tuple[Codes, Codes], flow: tuple[Floats, Floats], sign: int, top: int, step: int
    ) -> tuple[Codes, Codes]:
        """Samples of both pictures along a flow.

        Args:
            ends: (H, W, 4) each.
            flow: x and y, (n, w) each.
            sign: 1 if it runs from left to right, else -1.
            top: the first of the n rows.
            step: pixels of ``ends`` from place to place, 1 or 2.
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
        """Luma as quartets, and the flow from left to right."""
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
    """Samples at these places, bilinear; outside, the border repeats."""
    return codes(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


@lru_cache(maxsize=4)
def _grid(height: int, width: int, step: int) -> tuple[Floats, Floats]:
    """x and y of every ``step``-th place."""
    y, x = step * np.mgrid[:height, :width].astype(np.float32)
    return x, y


def _floats(array: MatLike) -> Floats:
    """What OpenCV made of floats: see ``flow.codes``."""
    return cast("Floats", array)
