"""When the pictures of a file are shown, in ticks that hold every time, or very nearly. Pure."""

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
"""MP4 stores durations in 32 bits: an hour of this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The part of the source that a file holds, on the source's clock."""

    zero: Fraction
    """Where the file's time 0 is."""
    start: Fraction | None = None
    """Nothing is heard before it; None = everything from the beginning."""
    end: Fraction | None = None
    """Nothing begins at or after it; None = everything to the end."""


class Timeline:
    """When the pictures of a file are shown.

    Args:
        grid: the clock.
        first: index on it of the file's picture 0.
        zero: the file's time 0 on it.
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
        """Seconds of a tick that expresses every time exactly, or nearly so."""

    def ticks(self, number: int) -> int:
        """The time of picture ``number`` (which may be negative, for decoding times)."""
        return round((self._grid.pts(self._first + number) - self._zero) / self.unit)

    def number(self, since: Fraction) -> int:
        """The picture that is shown ``since`` seconds after picture 0, give or take what containers
        round.
        """
        return self._grid.nearest(self._grid.pts(self._first) + since) - self._first
