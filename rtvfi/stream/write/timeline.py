"""Times of the pictures of a file, in ticks that represent them exactly or very nearly. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rtvfi.core.rates import Times

if TYPE_CHECKING:
    from rtvfi.core.rates import Grid

_FINEST: Final = 1_000_000_000
_FINEST_OF_TIMES: Final = 1_000_000
"""Most ticks per second: MP4 stores durations in 32 bits, which then hold an hour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The part of the source that a file holds, in seconds on the source's clock."""

    zero: Fraction
    """The file's time 0."""
    start: Fraction | None = None
    """Start of audio and subtitles; None = from the beginning."""
    end: Fraction | None = None
    """Nothing begins at or after this; None = to the end."""


class Timeline:
    """Times of the pictures of a file.

    Args:
        grid: the output clock.
        first: grid index of the file's picture 0.
        zero: the file's time 0 on that clock, seconds.
    """

    def __init__(self, grid: Grid, first: int = 0, zero: Fraction = Fraction(0)) -> None:
        self._grid = grid
        self._first = first
        self._zero = zero
        self.is_steady = grid.is_steady
        if isinstance(grid, Times):
            denominators = {pts.denominator for pts in grid.times} | {zero.denominator}
            finest = _FINEST_OF_TIMES
        else:
            denominators = {grid.step.denominator, (grid.pts(first) - zero).denominator}
            finest = _FINEST
        self.unit = Fraction(1, min(math.lcm(*denominators), finest))
        """Duration of a tick in seconds; it represents every time exactly or very nearly."""

    def ticks(self, number: int) -> int:
        """Time of picture ``number`` in ticks; negative numbers are allowed, for decoding times."""
        return round((self._grid.pts(self._first + number) - self._zero) / self.unit)

    def number(self, since: Fraction) -> int:
        """Number of the picture shown ``since`` seconds after picture 0, to the nearest picture,
        because containers round times.
        """
        return self._grid.nearest(self._grid.pts(self._first) + since) - self._first
