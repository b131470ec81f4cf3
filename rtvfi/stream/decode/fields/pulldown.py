"""Films on discs and in broadcasts for 60 fields a second: 24 pictures, shown for three fields and
two in turn, as flags say (soft telecine). Pure.

The film has 24000/1001 even pictures a second. Shown unevenly they are only because of what
televisions were.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FIELDS: Final = (Fraction(1001, 60000), Fraction(1, 60))
"""Seconds of a field, or of a picture of 60 a second."""
_JITTER: Final = 40
"""Part of a field by which times are off on discs, which count fields in whole ticks."""
_MIN_STEPS: Final = 8
_UNSURE: Final = 4
"""Newest packets before which others may still come: pictures are stored out of order."""
_TURNS: Final = Fraction(4, 5)
"""Share of neighbours that must differ: elsewhere runs of twos are video among the film."""


@dataclass(frozen=True, slots=True)
class Pulldown:
    """How such a film is shown."""

    field: Fraction
    first: int
    """Fields for which the first picture is shown."""

    @property
    def slack(self) -> Fraction:
        """Seconds by which times may be off before they are believed."""
        return self.field / 8

    @property
    def rate(self) -> Fraction:
        """Pictures a second."""
        return 2 / (5 * self.field)

    def even(
        self, raw: Fraction, following: Fraction | None, before: Fraction | None = None
    ) -> Fraction:
        """When a picture is due in the film: the middle of the time for which it is shown stays.

        Video among the film, two fields a picture, keeps its rhythm.

        Args:
            raw: when it is shown, seconds.
            following: when the next one is; None = there is none.
            before: when the one before was, which tells of the last.
        """
        num = self.first
        if following is not None:
            num = round((following - raw) / self.field)
        elif before is not None:
            num = 5 - round((raw - before) / self.field)
        return raw + (num - self.first) * self.field / 2 if num in (2, 3) else raw


F = TypeVar("F")


class Stamped(NamedTuple, Generic[F]):
    """A frame and the file's time of it."""

    frame: F
    stamp: Fraction | None


class Evened(Generic[F]):
    """Frames with their times in the film, one later than they are read.

    Args:
        pulldown: how they are shown.
        read: gives the next frame, None at the end; what it raises loses nothing.
    """

    def __init__(self, pulldown: Pulldown, read: Callable[[], Stamped[F] | None]) -> None:
        self._pulldown = pulldown
        self._read = read
        self.reset()

    def reset(self) -> None:
        """Frames from elsewhere follow."""
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
    """The pulldown that the first pictures of a stream show; None where they show none.

    Args:
        times: of the first packets, any order, seconds.
        tick: how far rounding may have moved them.
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
