"""Finds which tiles of the picture move between frames: the evidence for a scene's cadence.

A tile is 8x8 pixels of a fine luma picture. It moved if one of its pixels changed by more than the
scene's noise floor, which is learnt from the tiles that change least. Whole pictures show the
cadence of a drawing only if nothing else moves. When a character on threes stands in front of a
panning background, every picture differs from the one before, but the character's own tiles do not.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rtvfi.stream.see.cadence import MAX_CADENCE
from rtvfi.stream.see.panned import Panned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

TILE: Final = 8
_FLOOR_LIMITS: Final = (1.5, 4.0)
"""Limits of the noise floor, 8-bit codes. With film grain, the mean of 64 pixels stays below the
upper one.
"""
_NOISE_WINDOW: Final = 24
_LEAST_MOVING: Final = 0.005
"""Fraction of tiles: if fewer move, the picture counts as unchanged."""
_PANNING: Final = 0.5
"""Fraction of tiles: if more move, the whole picture may be panned."""


class Change(NamedTuple):
    """What moved from the previous frame to this one."""

    changed: bool
    """Whether more tiles moved than noise explains."""
    cadence: int | None
    """The slowest cadence of a considerable part of the picture, 1 to 4; None if unknown."""
    drawn: int | None = None
    """The same without the frames that repeat a whole picture: above 1, parts of the picture are
    held while others move.
    """


NOTHING: Final = Change(False, None)


class Changes:
    """Follows the tiles of one scene."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, at the start of a scene."""
        self._last: Floats | None = None
        self._noise: deque[float] = deque(maxlen=_NOISE_WINDOW)
        self._rhythms: tuple[_Rhythm, _Rhythm] | None = None
        """Over all frames, and over the frames that do not repeat a picture."""
        self._panned: tuple[Panned, _Rhythm] | None = None
        """In use while most of the picture moves."""

    @property
    def floor(self) -> float:
        """Noise floor, 8-bit codes: a tile moved if one of its pixels changed by more."""
        low, high = _FLOOR_LIMITS
        quietest = sorted(self._noise)[: len(self._noise) // 4 + 1]
        return min(max(2 * quietest[-1] + 1, low), high) if quietest else low

    def push(self, fine: Floats, *, is_same: bool = False) -> Change:
        """Take the next frame.

        Args:
            fine: its fine luma picture; the first one of a scene counts as changed everywhere.
            is_same: the frame equals the one before.
        """
        last, self._last = self._last, fine
        if last is None:
            return Change(True, None)
        apart = differences(last, fine)
        fifth = apart.size // 5
        self._noise.append(float(np.partition(apart, fifth)[fifth]))
        moved = apart > self.floor
        if self._rhythms is None:
            self._rhythms = _Rhythm(apart.size), _Rhythm(apart.size)
        every, drawn = self._rhythms
        every.push(moved)
        if not is_same:
            drawn.push(moved)
        on_pan = 0 if is_same else self._on_pan(fine, moved)
        found = (max(rhythm.cadence() or 0, on_pan) or None for rhythm in (every, drawn))
        return Change(float(moved.mean()) > _LEAST_MOVING, *found)

    def _on_pan(self, fine: Floats, moved: NDArray[np.bool_]) -> int:
        """The slowest cadence, at least 2, of a drawing on a panned picture; 0 if there is none."""
        if moved.mean() <= _PANNING:
            self._panned = None
            return 0
        if self._panned is None:
            self._panned = Panned(), _Rhythm(moved.size)
        panned, rhythm = self._panned
        against_it = panned.push(fine)
        if against_it is not None:
            rhythm.push(against_it)
        cadence = rhythm.cadence() or 0
        return 0 if panned.is_sampled_alike or cadence == 1 else cadence


def differences(a: Floats, b: Floats) -> Floats:
    """Largest difference of two fine pictures in each tile, (tiles,); edge tiles are smaller."""
    apart = np.abs(a - b)
    rows = np.maximum.reduceat(apart, np.arange(0, apart.shape[0], TILE), axis=0)
    tiles: Floats = np.maximum.reduceat(rows, np.arange(0, apart.shape[1], TILE), axis=1)
    return tiles.ravel()


_MEMORY: Final = 24
"""Frames over which areas are averaged."""
_ENOUGH: Final = 12
"""Number of frames before there is an answer."""
_BEYOND_CHANCE: Final = (1.5, 0.006)
"""An area counts as a drawing if it exceeds the area expected by chance by this factor, plus this
fraction of the picture. Only whole tiles inside the drawing count; with those at its rim, its area
is about 2 % of the picture.
"""
_FEW: Final = 0.004
"""Fraction of the picture by which the areas of two phases may differ by chance."""
_ODDS: Final = 0.3
"""Largest fraction that runs of one length above 1 reach by chance."""


class _Rhythm:
    """Finds how much of the picture is drawn at which cadence.

    A tile is in rhythm while its last two runs had the same length and the current one is not
    longer. Edges that pass in a slow pan are in rhythm only by chance, and each at its own time;
    the tiles of a drawing move together. So tiles of one cadence that move in the same frames are
    counted.
    """

    def __init__(self, num_tiles: int) -> None:
        self._now = 0
        self._run = np.zeros(num_tiles, np.intp)
        """Length of the current run of each tile; 0 before its first move: that run is
        incomplete.
        """
        self._before = np.zeros(num_tiles, np.intp)
        self._is_repeated = np.zeros(num_tiles, bool)
        self._moved_at = np.zeros(num_tiles, np.intp)
        self._shares = np.zeros(MAX_CADENCE + 1)
        """For each cadence, the fraction of the picture in rhythm, averaged over time."""
        self._least = np.zeros(MAX_CADENCE + 1)
        """The same in the phase in which the fewest tiles of that cadence move."""
        self._ends = np.zeros(MAX_CADENCE + 2)
        """For each length, complete runs per frame, averaged over time; the last is for all longer
        ones.
        """

    def push(self, moved: NDArray[np.bool_]) -> None:
        """Take the next frame: which tiles moved, (tiles,) bool."""
        self._now += 1
        run, before = self._run, self._before
        ended = moved & (run > 0)
        self._is_repeated[ended] = run[ended] == before[ended]
        before[ended] = run[ended]
        ends = np.bincount(np.minimum(run[ended], MAX_CADENCE + 1), minlength=MAX_CADENCE + 2)
        self._run = np.where(moved, 1, run + (run > 0))
        self._moved_at[moved] = self._now
        is_in = self._is_repeated & (self._run <= before) & (before <= MAX_CADENCE)
        shares, least = np.zeros((2, MAX_CADENCE + 1))
        lengths, phases = before[is_in], self._moved_at[is_in]
        for cadence in range(1, MAX_CADENCE + 1):
            counts = np.bincount(phases[lengths == cadence] % cadence, minlength=cadence)
            shares[cadence], least[cadence] = counts.max() / run.size, counts.min() / run.size
        weight = 1 / min(self._now, _MEMORY)
        self._shares += (shares - self._shares) * weight
        self._least += (least - self._least) * weight
        self._ends += (ends - self._ends) * weight

    def cadence(self) -> int | None:
        """The slowest cadence of a considerable part of the picture; None if unknown."""
        if self._now < _ENOUGH:
            return None
        # This many tiles would be in rhythm if they moved at random with runs of these lengths; but
        # then about as many would be in each phase.
        cadences = np.arange(MAX_CADENCE + 1).clip(1)
        odds = (self._ends[:-1] / max(self._ends.sum(), 1e-9)).clip(max=_ODDS)
        by_chance = (self._before > 0).mean() * odds**2 / cadences
        chance = np.minimum(by_chance, 2 * self._least + _FEW)
        chance[1] = 0  # moving in every frame does not happen by chance
        times, more = _BEYOND_CHANCE
        found = np.flatnonzero(self._shares > times * chance + more)
        return int(found[-1]) if len(found) else None
