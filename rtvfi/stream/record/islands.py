"""Which pictures of which recorded segment make the files of a viewing. Pure.

A seek ends a segment and begins another; segments may overlap, repeat each other or leave gaps.
They have no B-frames, so one may be cut off anywhere, but entered at a key frame only. What is
joined without a gap is an *island*, and a file. Segments of different encoders (a device that gave
up between two seeks) cannot be joined: each encoder's make islands of their own.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive pictures in a file; all numbers are grid indices."""

    path: Path
    first: int
    stop: int
    keys: tuple[int, ...]
    """Its key frames; the first picture is one."""
    rough: tuple[int, ...] = ()
    """Pictures that are source frames standing in where the model's belong, ascending."""
    coding: tuple[str, bytes] = ("", b"")
    """Its codec and headers; see ``pieces.coding``."""
    num_settling: int = 0
    """Pictures at its beginning whose passes may be other ones than in an unbroken viewing."""
    has_ended: bool = True
    """It was closed well."""
    is_filled: bool = False
    """Made after the viewing."""

    def num_rough(self, start: int, stop: int) -> int:
        """Stand-ins in [start, stop)."""
        return max(0, bisect_left(self.rough, stop) - bisect_left(self.rough, start))


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a segment: [start, stop), grid indices; ``start`` is a key frame of it."""

    segment: Segment
    start: int
    stop: int

    @property
    def num_rough(self) -> int:
        """Stand-ins in it."""
        return self.segment.num_rough(self.start, self.stop)


def islands(segments: Iterable[Segment]) -> list[list[Excerpt]]:
    """Every picture once, in order of time, from as few stand-ins as the key frames allow.

    Returns:
        Runs of one coding without a gap between them, one list per file, in order of time.
    """
    by_coding: dict[tuple[str, bytes], list[Segment]] = {}
    for segment in segments:
        by_coding.setdefault(segment.coding, []).append(segment)
    found = [island for group in by_coding.values() for island in _islands(group)]
    return sorted(found, key=lambda island: island[0].start)


def _islands(segments: Iterable[Segment]) -> list[list[Excerpt]]:
    found: list[list[Excerpt]] = []
    for segment in sorted(segments, key=lambda s: (s.first, -s.stop)):
        if segment.stop <= segment.first:
            continue
        whole = Excerpt(segment, segment.first, segment.stop)
        if not found or segment.first > found[-1][-1].stop:
            found.append([whole])
        else:
            found[-1] = _merged(found[-1], segment)
    return found


def _merged(excerpts: list[Excerpt], segment: Segment) -> list[Excerpt]:
    """The island with the segment entered at its best key frame, if that gains anything."""
    end = excerpts[-1].stop
    if segment.stop < end:
        return excerpts  # what comes after it could not be entered there
    choices = [excerpts] if segment.stop == end else []
    for key in segment.keys:
        if key <= end:
            before = [r for r in (_until(excerpt, key) for excerpt in excerpts) if r.stop > r.start]
            choices.append([*before, Excerpt(segment, key, segment.stop)])
    return min(choices, key=lambda choice: sum(excerpt.num_rough for excerpt in choice))


def _until(excerpt: Excerpt, stop: int) -> Excerpt:
    return Excerpt(excerpt.segment, excerpt.start, min(excerpt.stop, stop))


def gaps(found: Iterable[list[Excerpt]]) -> list[tuple[int, int]]:
    """What lies between islands and is in none of them, as half-open ranges."""
    missing: list[tuple[int, int]] = []
    stop: int | None = None
    for island in sorted(found, key=lambda island: island[0].start):
        first = island[0].start
        if stop is not None and first > stop:
            missing.append((stop, first))
        stop = max(stop or first, island[-1].stop)
    return missing


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as half-open ranges."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found
