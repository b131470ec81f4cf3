"""Soft telecine: films of 24 pictures per second on discs and in broadcasts of 60 fields per
second, whose flags say that pictures are shown for three and two fields in turn. Pure.

The film has 24000/1001 evenly spaced pictures per second; only the display was uneven. The times
are made even again here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FIELDS: Final = (Fraction(1001, 60000), Fraction(1, 60))
"""Duration of a field (or of a picture at 60 per second), seconds."""
_JITTER: Final = 40
"""1 / _JITTER of a field is the error of times on discs, which count fields in whole ticks."""
_MIN_STEPS: Final = 8
_UNSURE: Final = 4
"""Newest packets that are not judged yet: pictures are stored out of order, so others may precede
them.
"""
_TURNS: Final = Fraction(4, 5)
"""Fraction of neighbouring pictures whose field counts must differ; the rest may be runs of two
fields: video within the film.
"""


@dataclass(frozen=True, slots=True)
class Pulldown:
    """The pulldown pattern of a film."""

    field: Fraction
    first: int
    """Number of fields for which the first picture is shown."""

    @property
    def slack(self) -> Fraction:
        """Tolerance for times, seconds: within it they count as following the pattern."""
        return self.field / 8

    @property
    def rate(self) -> Fraction:
        """Pictures per second of the film."""
        return 2 / (5 * self.field)

    def even(
        self, raw: Fraction, following: Fraction | None, before: Fraction | None = None
    ) -> Fraction:
        """The evenly spaced time of a picture; the middle of its display interval is kept.

        Video within the film, with two fields per picture, keeps its times.

        Args:
            raw: when the picture is shown, seconds.
            following: when the next one is shown; None = it is the last.
            before: when the previous one was shown, needed for the last.
        """
        num = self.first
        if following is not None:
            num = round((following - raw) / self.field)
        elif before is not None:
            num = 5 - round((raw - before) / self.field)
        return raw + (num - self.first) * self.field / 2 if num in (2, 3) else raw


F = TypeVar("F")


class Stamped(NamedTuple, Generic[F]):
    """A frame and its time in the file."""

    frame: F
    stamp: Fraction | None


class Evened(Generic[F]):
    """Frames with evenly spaced times; it reads one frame ahead.

    Args:
        pulldown: the pattern.
        read: returns the next frame, None at the end. If it raises, ``next`` can be called again.
    """

    def __init__(self, pulldown: Pulldown, read: Callable[[], Stamped[F] | None]) -> None:
        self._pulldown = pulldown
        self._read = read
        self.reset()

    def reset(self) -> None:
        """Forget all frames, before a seek's frames are read."""
        self._ahead: Stamped[F] | None = None
        self._before: Fraction | None = None

    def next(self) -> Stamped[F] | None:
        """The next frame."""
        current = self._ahead or self._read()
        if current is None:
            return None
        self._ahead = current  # nothing is lost when the next line is interrupted
        self._ahead = following = self._read()
        if current.stamp is None:
            return current
        shown = following.stamp if following is not None else None
        even = self._pulldown.even(current.stamp, shown, self._before)
        self._before = current.stamp
        return Stamped(current.frame, even)


def find_pulldown(times: Sequence[Fraction], tick: Fraction) -> Pulldown | None:
    """The pulldown pattern of a stream, judged by its first packets; None if it has none.

    Args:
        times: times of the first packets in seconds, in any order.
        tick: largest rounding error of these times, seconds.
    """
    ordered = sorted(set(times))[:-_UNSURE]
    steps = [b - a for a, b in pairwise(ordered)]
    if len(steps) < _MIN_STEPS:
        return None
    counts = [round(step / _FIELDS[0]) for step in steps]
    field = min(_FIELDS, key=lambda field: abs(sum(steps) - field * sum(counts)))
    slack = max(tick, field / _JITTER)
    for num, step in zip(counts, steps, strict=True):
        if num not in (2, 3) or abs(step - num * field) > slack:
            return None
    turns = sum(a != b for a, b in pairwise(counts))
    return Pulldown(field, counts[0]) if turns >= _TURNS * (len(counts) - 1) else None
