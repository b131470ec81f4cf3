"""Frame rates as exact fractions, and the output grid.

A rate in a file header is often a rounded decimal (23.976) or an average over rounded timestamps
(7001/146). The true rate is almost always an integer or an integer times 1000/1001; ``snap_rate``
finds it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from rtvfi.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

NTSC: Final = Fraction(1000, 1001)
"""Factor between an integer rate and its NTSC version: 24000/1001, 30000/1001, ..."""

DEFAULT_DISPLAY_RATE: Final = Fraction(60)
"""Assumed where the display's rate is unknown."""

MAX_RATE: Final = 1000
MAX_MULTIPLE: Final = 16

_TOLERANCE: Final = Fraction(1, 100_000)
_FINEST: Final = 100_000
"""Largest denominator of a rate that is not snapped: FFmpeg needs both terms in 32 bits, which
allows up to 16 * 1000 Hz.
"""
_DISPLAY_SLACK: Final = Fraction(1005, 1000)
"""A display may be this much slower than the output rate: mpv's display sync absorbs it (59.94
called 60, clocks that are 0.1 % off).
"""


def snap_rate(value: Fraction | float) -> Fraction:
    """The exact rate that ``value`` stands for: an integer or n * 1000/1001 if one is near, else
    ``value`` itself.

    Near means within 1e-5 (relative), or equal to n * 1000/1001 rounded to two digits (23.98,
    47.95).

    Raises:
        ValueError: ``value`` is not a positive number.
    """
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"a frame rate is a positive number, got {value}")
    # repr is the shortest decimal that names the float: 23.98 and not its 53-bit neighbour.
    rate = value if isinstance(value, Fraction) else Fraction(repr(value))
    whole = Fraction(round(rate))
    if abs(rate - whole) <= _TOLERANCE * rate:
        return whole
    ntsc = round(rate / NTSC) * NTSC
    if abs(rate - ntsc) <= _TOLERANCE * rate:
        return ntsc
    if (rate * 100).denominator == 1 and rate == round(ntsc, 2):
        return ntsc
    return _bounded(rate)


def _bounded(rate: Fraction) -> Fraction:
    """The nearest rate that FFmpeg can represent: two integers of 32 bits."""
    is_held = max(rate.numerator, rate.denominator) < 1 << 31
    return rate if is_held else rate.limit_denominator(_FINEST)


@dataclass(frozen=True, slots=True)
class RateChoice:
    """The output rate that the user chose: a multiple of the source rate, a rate, one that suits
    the display (``display``), the display and the machine (``auto``), or a display of variable rate
    (``vrr``).
    """

    kind: Literal["multiple", "rate", "display", "auto", "vrr"]
    value: Fraction = Fraction(0)
    """The multiple, or frames per second; unused for ``display``; 2 for ``auto``; for ``vrr`` the
    highest rate of the display, 0 = ask the display.
    """


def parse_rate(text: str) -> RateChoice:
    """Read the option ``--fps``: ``2x``, ``2.5x``, ``60``, ``59.94``, ``60000/1001``, ``display``,
    ``auto``, ``vrr`` or ``vrr:144``.

    Decimal rates are snapped: 59.94 means 60000/1001.

    Raises:
        UsageError: anything else.
    """
    word = text.strip().lower()
    if word == "display":
        return RateChoice("display")
    if word == "auto":
        return RateChoice("auto", Fraction(2))
    if word == "vrr":
        return RateChoice("vrr")
    is_panel = word.startswith("vrr:")
    number = word[4:] if is_panel else word.removesuffix("x")
    try:
        value = Fraction(number)
    except (ValueError, ZeroDivisionError):
        raise _refusal(text) from None
    if is_panel:
        if not 1 <= value <= MAX_RATE:
            raise _refusal(text)
        return RateChoice("vrr", value)
    if number != word:
        if not 1 <= value <= MAX_MULTIPLE:
            raise _refusal(text)
        return RateChoice("multiple", value)
    if not 1 <= value <= MAX_RATE:
        raise _refusal(text)
    return RateChoice("rate", snap_rate(value))


def resolve(
    choice: RateChoice, source_rate: Fraction, display_rate: Fraction | None = None
) -> Fraction:
    """The target rate in frames per second; ``source_rate`` when no frames are to be inserted.

    ``display`` is the highest half multiple (1x, 1.5x, 2x, ...) of the source rate that the display
    can show, with half a percent of slack: mpv would drop any more. 24000/1001 at 60 Hz gives
    60000/1001, in which every fifth frame is a source frame, and not 60, in which hardly any is; 25
    at 60 Hz gives 50. ``vrr`` is the highest whole multiple that the display can show; below its
    lowest rate, the display itself repeats pictures. ``auto`` is twice the source rate here; a
    caller that knows the machine is fast enough passes ``display`` instead.
    """
    if choice.kind == "rate":
        return max(choice.value, source_rate)
    if choice.kind in ("multiple", "auto"):
        return _bounded(choice.value * source_rate)
    if choice.kind == "vrr":
        # A display of variable rate waits for each picture, so a whole multiple is enough.
        highest = choice.value or display_rate or DEFAULT_DISPLAY_RATE
        return source_rate * max(1, math.floor(highest / source_rate))
    limit = (display_rate or DEFAULT_DISPLAY_RATE) * _DISPLAY_SLACK
    halves = math.floor(2 * limit / source_rate)
    return source_rate * Fraction(max(halves, 2), 2)


@dataclass(frozen=True, slots=True)
class Grid:
    """The output clock: output ``k`` is shown at ``origin + k * step``, for any integer k.

    ``Times`` is a grid whose step varies, so code for any grid must call ``pts`` and must not
    multiply ``step`` by a number of outputs.
    """

    origin: Fraction
    """PTS of the stream's first frame (not of a seek target), seconds."""
    step: Fraction
    """Output period, seconds; nominal where it varies."""

    def __post_init__(self) -> None:
        if self.step <= 0:
            raise ValueError(f"a grid needs a positive step, got {self.step}")

    def pts(self, index: int) -> Fraction:
        """When output ``index`` is shown."""
        return self.origin + index * self.step

    def first_at_or_after(self, pts: Fraction) -> int:
        """Lowest index shown at ``pts`` or later."""
        return math.ceil((pts - self.origin) / self.step)

    def last_at_or_before(self, pts: Fraction) -> int:
        """Index of the output on screen at ``pts``."""
        return math.floor((pts - self.origin) / self.step)

    def nearest(self, pts: Fraction) -> int:
        """Index of the output shown nearest to ``pts``."""
        below = self.last_at_or_before(pts)
        is_above = self.pts(below + 1) - pts < pts - self.pts(below)
        return below + is_above

    @property
    def is_steady(self) -> bool:
        """Whether all periods are ``step``."""
        return True


@dataclass(frozen=True, slots=True)
class Times(Grid):
    """An output clock with a list of times; before the first and after the last, ``step`` holds."""

    times: tuple[Fraction, ...]
    """Rising; the first is ``origin``."""

    def __post_init__(self) -> None:
        Grid.__post_init__(self)
        if not self.times or self.times[0] != self.origin:
            raise ValueError("a clock's times begin at its origin")

    def pts(self, index: int) -> Fraction:
        """When output ``index`` is shown."""
        if 0 <= index < len(self.times):
            return self.times[index]
        if index < 0:
            return self.origin + index * self.step
        return self.times[-1] + (index - len(self.times) + 1) * self.step

    def first_at_or_after(self, pts: Fraction) -> int:
        """Lowest index shown at ``pts`` or later."""
        if pts <= self.origin:
            return math.ceil((pts - self.origin) / self.step)
        if pts > self.times[-1]:
            return len(self.times) - 1 + math.ceil((pts - self.times[-1]) / self.step)
        return bisect_left(self.times, pts)

    def last_at_or_before(self, pts: Fraction) -> int:
        """Index of the output on screen at ``pts``."""
        if pts < self.origin:
            return math.floor((pts - self.origin) / self.step)
        if pts >= self.times[-1]:
            return len(self.times) - 1 + math.floor((pts - self.times[-1]) / self.step)
        return bisect_right(self.times, pts) - 1

    @property
    def is_steady(self) -> bool:
        """Whether all periods are ``step``."""
        return False


def between(
    frames: Sequence[Fraction], end: Fraction, multiple: int, step: Fraction, least: Fraction
) -> Times:
    """An output clock with every source frame at its own time, and evenly spaced outputs between.

    Args:
        frames: times of the source frames in seconds, rising, at least one.
        end: end of the last frame.
        multiple: outputs per source frame.
        step: nominal output period in seconds.
        least: smallest distance of two outputs in seconds; frames that are closer, and outputs that
            would be, are left out.
    """
    kept: list[Fraction] = []
    for frame in frames:
        if not kept or frame - kept[-1] >= least:
            kept.append(frame)
    times: list[Fraction] = []
    for left, right in pairwise([*kept, max(end, kept[-1] + least)]):
        count = max(1, min(multiple, math.floor((right - left) / least)))
        times += [left + (right - left) * k / count for k in range(count)]
    return Times(times[0], step, tuple(times))


def _refusal(text: str) -> UsageError:
    return UsageError(
        f'"{text}" is not a frame rate; expected a multiple (2x, 2.5x, up to {MAX_MULTIPLE}x), '
        f"frames per second (60, 59.94, 60000/1001, 1 to {MAX_RATE}), display, auto or vrr",
        hint="--fps display",
    )
