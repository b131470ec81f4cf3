"""Fetching a new picture along several guesses of its motion, and mixing what they give.

The motion found a few pixels beside a place is nearly as good a guess as the one found there. Four
guesses are taken from both flows, read ``SHIFT`` pixels away in four directions. Each fetches the
place from both pictures; the better these two fetches agree (mean over a box of half-size luma),
the more the guess weighs. A mean of guesses loses less where motion is wrong than any one of them.

Work is done in bands of rows, so that no float array of the size of the picture is made or passed
over. A band depends on nothing but its place: how many there are does not show.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from rtvfi.models.dis.flow import Codes, Floats, Motion

SHIFT: Final = 4
"""Pixels of half size between a place and where its motion is read."""
GUESSES: Final = ((0, 1, 1), (0, -1, -1), (1, 1, -1), (1, -1, 1))
"""Flow (0 forward, 1 backward), and the direction it is read in: down, right."""
_BOX: Final = 5
_TRUST: Final = (np.exp(-np.arange(256) / 1.5) + 1e-4).astype(np.float32)
"""Weight by the mean difference of two fetches, in 8-bit codes."""
_HALO: Final = _BOX // 2 + 1
"""Rows of half size a band looks at beyond itself: for the box, and one for doubling the size."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What is fetched from one picture."""

    small: Codes
    """(h, w, 4): luma of half size, U, V, and nothing of interest: four channels are fetched in the
    time of one, three take twice as long; h, w = ceil(H/2), ceil(W/2)."""
    large: Codes
    """(H, W): luma; (H, W, 4): luma, U, V, nothing where chroma has full size."""


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


class Flow(NamedTuple):
    """How far everything goes, float32 (h, w) each."""

    x: Floats
    y: Floats


class Guess(NamedTuple):
    """One guess of where a band came from."""

    flow: Flow
    """(n, w) each, half-size pixels, from left to right over the whole interval if sign is 1."""
    sign: float
    weight: Floats
    """(n, w), 0 to 1; all guesses of a place sum up to 1."""
    mean: Codes
    """(n, w, 4): what it gives, of half size."""


def padded(motion: Motion) -> tuple[Flow, Flow]:
    """Flows with ``SHIFT`` pixels repeated around them: forward, backward."""
    border = (SHIFT, SHIFT, SHIFT, SHIFT, cv2.BORDER_REPLICATE)
    forward, backward = (
        Flow(*(_floats(cv2.copyMakeBorder(axis, *border)) for axis in cv2.split(flow)))
        for flow in motion
    )
    return forward, backward


class Blend:
    """Between two pictures at one moment; bands of it may be made by several threads.

    Args:
        ends: left and right.
        flows: their motion, ``padded``.
        t: 0 < t < 1, 0 = left.
        bits: of a sample.
        is_fine: every guess is fetched at full size. Otherwise only their mean is, and how the
            guesses differ from it is taken from half size, at a third of the time.
    """

    def __init__(
        self,
        ends: tuple[View, View],
        flows: tuple[Flow, Flow],
        t: float,
        bits: int,
        *,
        is_fine: bool,
    ) -> None:
        self._ends = ends
        self._flows = flows
        self._t = t
        self._depth = cv2.CV_8U if bits == 8 else cv2.CV_16U
        self._bits = bits
        self._is_fine = is_fine

    def band(self, start: int, stop: int) -> tuple[Codes, Codes]:
        """Make the rows [start, stop) of half size and [2 start, 2 stop) of full size.

        Returns:
            ``View.small`` and ``View.large`` of the new picture, these rows of them.
        """
        height = self._ends[0].small.shape[0]
        rows = Rows(start, stop, max(0, start - _HALO), min(height, stop + _HALO))
        guesses = self._guesses(rows)
        mixed = _mixed([guess.mean for guess in guesses], [guess.weight for guess in guesses])
        large = self._fine(guesses, rows) if self._is_fine else self._coarse(guesses, mixed, rows)
        return self._rounded(mixed[rows.inner]), large

    def _guesses(self, rows: Rows) -> list[Guess]:
        left, right = (end.small for end in self._ends)
        width = left.shape[1]
        found = []
        for which, down, beside in GUESSES:
            sign = -1.0 if which else 1.0
            y, x = rows.top + SHIFT * (1 + down), SHIFT * (1 + beside)
            read = slice(y, y + rows.bottom - rows.top), slice(x, x + width)
            flow = Flow(*(axis[read] for axis in self._flows[which]))
            first, second = self._fetched(left, right, flow, sign, rows.top)
            weight = self._trust(first, second)
            found.append(Guess(flow, sign, weight, self._between(first, second)))
        total = found[0].weight + found[1].weight
        for guess in found[2:]:
            total += guess.weight
        for guess in found:
            cv2.divide(guess.weight, total, dst=guess.weight)
        return found

    def _trust(self, first: Codes, second: Codes) -> Floats:
        """How far two fetches of the same place can be believed, (n, w)."""
        difference: Any = cv2.absdiff(cv2.extractChannel(first, 0), cv2.extractChannel(second, 0))
        mean = cv2.blur(difference, (_BOX, _BOX))
        if self._bits > 8:
            mean = cv2.convertScaleAbs(mean, alpha=1 / (1 << (self._bits - 8)))
        return _floats(cv2.LUT(mean, _TRUST))

    def _fetched(
        self, left: Codes, right: Codes, flow: Flow, scale: float, top: int
    ) -> tuple[Codes, Codes]:
        """Rows from ``top`` on from both pictures along a flow, ``scale`` pixels a unit."""
        num = flow.x.shape[0]
        x, y = (axis[top : top + num] for axis in _grid(*left.shape[:2]))
        fetched = []
        for image, factor in ((left, -self._t * scale), (right, (1 - self._t) * scale)):
            places: Any = cv2.scaleAdd(flow.x, factor, x), cv2.scaleAdd(flow.y, factor, y)
            fetched.append(_fetch(image, *places))
        return fetched[0], fetched[1]

    def _between(self, first: Codes, second: Codes) -> Codes:
        mean: Any = cv2.addWeighted(first, 1 - self._t, second, self._t, 0)
        return _codes(mean)

    def _fine(self, guesses: list[Guess], rows: Rows) -> Codes:
        means, weights = [], []
        left, right = (end.large for end in self._ends)
        for guess in guesses:
            flow = Flow(*(self._doubled(axis, rows) for axis in guess.flow))
            fetched = self._fetched(left, right, flow, 2 * guess.sign, 2 * rows.start)
            means.append(self._between(*fetched))
            weights.append(self._doubled(guess.weight, rows))
        return self._rounded(_mixed(means, weights))

    def _coarse(self, guesses: list[Guess], mixed: Floats, rows: Rows) -> Codes:
        (left, right), large = (e.small for e in self._ends), [e.large for e in self._ends]
        weights = [g.weight if g.sign > 0 else -g.weight for g in guesses]
        flow = Flow(*(_mixed([g.flow[k] for g in guesses], weights) for k in range(2)))
        has = self._between(*self._fetched(left, right, flow, 1.0, rows.top))
        lacks: Any = cv2.subtract(mixed, has, dtype=cv2.CV_32F)
        if large[0].ndim == 2:
            lacks = cv2.extractChannel(lacks, 0)
        flow = Flow(*(self._doubled(axis, rows) for axis in flow))
        mean = self._between(*self._fetched(large[0], large[1], flow, 2.0, 2 * rows.start))
        return self._rounded(mean, self._doubled(lacks, rows))

    def _doubled(self, array: Floats, rows: Rows) -> Floats:
        """What is made of a band, (n, w) or (n, w, 4), at twice the size, or as
        much of it as there is."""
        height, width = self._ends[0].large.shape[:2]
        num, columns = array.shape[:2]
        doubled: Any = cv2.resize(array, (2 * columns, 2 * num))
        begin = 2 * (rows.start - rows.top)
        end = begin + min(2 * rows.stop, height) - 2 * rows.start
        return _floats(doubled[begin:end, :width])

    def _rounded(self, array: Any, more: Any = 0) -> Codes:
        codes: Any = cv2.add(array, more, dtype=self._depth)
        if self._bits > 8:
            np.minimum(codes, (1 << self._bits) - 1, out=codes)
        return _codes(codes)


def _mixed(parts: list[Any], weights: list[Floats]) -> Floats:
    """Sum of (n, w) or (n, w, C) times (n, w), float32."""
    total: Any = None
    for part, weight in zip(parts, weights, strict=True):
        factor: Any = weight if part.ndim == 2 else cv2.merge([weight] * part.shape[2])
        product = cv2.multiply(part, factor, dtype=cv2.CV_32F)
        total = product if total is None else cv2.add(total, product, dst=total)
    return _floats(total)


def _fetch(image: Codes, x: Floats, y: Floats) -> Codes:
    """Samples at these places, bilinear; outside, the border repeats."""
    return _codes(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> Flow:
    """Where every place is."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return Flow(x, y)


def _codes(array: Any) -> Codes:
    """OpenCV's arrays are typed as any."""
    codes: Codes = array
    return codes


def _floats(array: Any) -> Floats:
    floats: Floats = array
    return floats
