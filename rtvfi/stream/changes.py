"""What moves between frames, tile by tile: the evidence for a scene's cadence.

A tile is 8x8 pixels of a fine luma picture. It moved when one of its pixels changed by more than
the scene's noise floor, which is learnt from the tiles that change least. Whole pictures tell the
cadence only where nothing else moves: a character drawn on threes before a panning background
changes with every frame. Its own tiles do not.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rtvfi.stream.cadence import MAX_CADENCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

TILE: Final = 8
_FLOOR_LIMITS: Final = (1.5, 4.0)
"""Codes. The mean of 64 pixels under film grain stays below the upper one."""
_NOISE_WINDOW: Final = 24
_ENOUGH_NOISE: Final = 8
"""Frames before a floor counts as learnt."""
_LEAST_MOVING: Final = 0.005
"""Share of tiles: with fewer moving, the picture did not change."""
_LONGEST_RUN: Final = 6
_MEMORY: Final = np.float32(1 - 1 / 48)
"""What is left of a tile's evidence after a frame."""
_ENOUGH: Final = 8
"""Frames of a tile's evidence below which it says nothing."""
_REGULAR: Final = 0.6
"""Share of a tile's evidence that must be runs of one length: edges that pass in a slow pan move
tiles now and then, not in step with a drawing."""
_LEAST_AREA: Final = 0.02
"""Share of the picture that must be drawn at a cadence for it to count."""


class Change(NamedTuple):
    """What moved from the frame before to this one."""

    moving_share: float
    """Tiles that moved, 0 to 1."""
    changed: bool
    """Whether that is more than noise."""
    cadence: int | None
    """Slowest cadence that a fair part of the picture has been drawn at, 1 to 4; None if unknown.
    """


NOTHING: Final = Change(0.0, False, None)


class Changes:
    """Follows the tiles of one scene."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A scene begins: nothing is known."""
        self._last: Floats | None = None
        self._noise: deque[float] = deque(maxlen=_NOISE_WINDOW)
        self._rhythm: _Rhythm | None = None

    @property
    def floor(self) -> float:
        """A tile whose pixels all change by no more than this did not move, 8-bit codes."""
        low, high = _FLOOR_LIMITS
        quietest = sorted(self._noise)[: len(self._noise) // 4 + 1]
        return min(max(2 * quietest[-1] + 1, low), high) if quietest else low

    @property
    def is_learnt(self) -> bool:
        """Whether enough of the scene was seen for ``floor`` to be its own."""
        return len(self._noise) >= _ENOUGH_NOISE

    def push(self, fine: Floats) -> Change:
        """Take the next frame's fine luma picture; the first one changes everything."""
        last, self._last = self._last, fine
        if last is None:
            return Change(1.0, True, None)
        apart = differences(last, fine)
        fifth = apart.size // 5
        self._noise.append(float(np.partition(apart, fifth)[fifth]))
        moved = apart > self.floor
        if self._rhythm is None:
            self._rhythm = _Rhythm(apart.size)
        self._rhythm.push(moved)
        share = float(moved.mean())
        return Change(share, share > _LEAST_MOVING, self._rhythm.cadence())


def differences(a: Floats, b: Floats) -> Floats:
    """Largest difference of two fine pictures in each tile, flat; tiles at the end are smaller."""
    apart = np.abs(a - b)
    rows = np.maximum.reduceat(apart, np.arange(0, apart.shape[0], TILE), axis=0)
    tiles: Floats = np.maximum.reduceat(rows, np.arange(0, apart.shape[1], TILE), axis=1)
    return tiles.ravel()


class _Rhythm:
    """How long each tile holds still between moves."""

    def __init__(self, num_tiles: int) -> None:
        # Column n: frames seen in runs of n, fading with time.
        self._evidence = np.zeros((num_tiles, _LONGEST_RUN + 1), np.float32)
        self._run = np.zeros(num_tiles, np.intp)
        """Length of the run under way; 0 before the first move, whose run is not whole."""

    def push(self, moved: NDArray[np.bool_]) -> None:
        """Take note of which tiles moved."""
        run = self._run
        ended = np.flatnonzero(moved & (run > 0) & (run <= _LONGEST_RUN))
        self._evidence *= _MEMORY
        self._evidence[ended, run[ended]] += run[ended]
        self._run = np.where(moved, 1, run + (run > 0))

    def cadence(self) -> int | None:
        """The slowest cadence of enough tiles."""
        seen = self._evidence.sum(1)
        enough = seen >= _ENOUGH
        for cadence in range(MAX_CADENCE, 0, -1):
            regular = enough & (self._evidence[:, cadence] > _REGULAR * seen)
            if regular.mean() > _LEAST_AREA:
                return cadence
        return None
