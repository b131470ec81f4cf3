"""Restores exact presentation times from rounded ones.

Matroska stores milliseconds: 24000/1001 frames per second reads 0, 42, 83, 125. While timestamps
are within one tick of ``origin + n / rate``, that exact value is used. A frame further off keeps
its own time and becomes the origin of those after it.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fractions import Fraction

LONGEST_GAP: Final = 600
"""Longest gap between frames, in seconds, that is believed. A damaged timestamp may be off by
centuries, which would all be filled with pictures.
"""
_MAX_ORIGINS: Final = 64
"""Origins remembered for seeks; a stream with more has no constant rate to restore."""


class PtsRegulariser:
    """Turns raw timestamps into exact, strictly rising ones."""

    def __init__(self, rate: Fraction, tick: Fraction, origin: Fraction | None = None) -> None:
        """Start a stream.

        Args:
            rate: nominal frames per second, snapped.
            tick: the container's time base, seconds: the largest rounding error of a timestamp.
            origin: PTS of the stream's first frame, needed when reading starts elsewhere; by
                default the first pushed.
        """
        self._rate = rate
        self._period = 1 / rate
        self._tick = tick
        self._origins: list[Fraction] = [] if origin is None else [origin]
        self._origin = origin
        self._number = 0
        self._last_raw: Fraction | None = None
        self._last: Fraction | None = None

    def push(self, raw: Fraction) -> Fraction | None:
        """The exact time of the next frame; None = drop the frame, it is not after the last one."""
        exact = self._place(raw)
        if exact is not None:
            self._last_raw, self._last = raw, exact
        return exact

    def reset(self) -> None:
        """Prepare for the frames after a seek, which may be earlier than the last one.

        Origins are kept, so that a frame gets the same time whether it is reached by a seek or by
        playing.
        """
        self._last_raw = self._last = None

    def _place(self, raw: Fraction) -> Fraction | None:
        if self._last is None or self._last_raw is None:
            return self._place_first(raw)
        if raw <= self._last_raw:
            return None
        number, exact = self._on_clock(raw)
        if number > self._number and abs(raw - exact) <= self._tick:
            self._number = number
            return exact
        if raw <= self._last:
            return None
        self._start_clock(raw)
        return raw

    def _place_first(self, raw: Fraction) -> Fraction:
        if not self._origins:
            self._start_clock(raw)
            return raw
        # The origin used here when this part was read before, else the last one before it.
        place = bisect_right(self._origins, raw + self._tick)
        self._origin = self._origins[max(place - 1, 0)]
        number, exact = self._on_clock(raw)
        if abs(raw - exact) <= self._tick:
            self._number = number
            return exact
        self._start_clock(raw)
        return raw

    def _on_clock(self, raw: Fraction) -> tuple[int, Fraction]:
        assert self._origin is not None
        number = round((raw - self._origin) * self._rate)
        return number, self._origin + number * self._period

    def _start_clock(self, raw: Fraction) -> None:
        self._origin = raw
        self._number = 0
        if len(self._origins) < _MAX_ORIGINS and raw not in self._origins:
            self._origins.insert(bisect_right(self._origins, raw), raw)
