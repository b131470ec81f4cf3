"""Chooses which pictures of which recorded segments form the files of a viewing. Pure.

A seek ends a segment and begins another; segments may overlap, repeat each other or leave gaps.
They have no B-frames, so a segment may end anywhere, but can be entered only at a key frame.
Segments joined without a gap are an *island* and become one file. Segments of different encoders
(when a device failed between two seeks) cannot be joined and form islands of their own.
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
    """Pictures that are source frames in place of the model's (stand-ins), ascending."""
    coding: tuple[str, bytes] = ("", b"")
    """Its codec and headers, from ``pieces.coding``; only equal ones can be joined."""
    num_settling: int = 0
    """Pictures at its beginning whose passes may differ from those of an unbroken viewing."""
    has_ended: bool = True
    """It was closed properly; False after a kill."""
    is_filled: bool = False
    """It was rendered after the viewing, to fill a gap."""

    def num_rough(self, start: int, stop: int) -> int:
        """Number of stand-ins in [start, stop)."""
        return max(0, bisect_left(self.rough, stop) - bisect_left(self.rough, start))


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a segment: [start, stop), grid indices; ``start`` is a key frame of it."""

    segment: Segment
    start: int
    stop: int

    @property
    def num_rough(self) -> int:
        """Number of stand-ins in it."""
        return self.segment.num_rough(self.start, self.stop)


def islands(segments: Iterable[Segment]) -> list[list[Excerpt]]:
    """Choose excerpts that show every picture once, with as few stand-ins as key frames allow.

    Returns:
        One list of excerpts per file, in order of time: of one coding and without gaps.
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
    """Add the segment to the island, entered at its best key frame, if that gains anything."""
    end = excerpts[-1].stop
    if segment.stop < end:
        return excerpts  # there is no key frame at which to return to what follows
    choices = [excerpts] if segment.stop == end else []
    for key in segment.keys:
        if key <= end:
            before = [r for r in (_until(excerpt, key) for excerpt in excerpts) if r.stop > r.start]
            choices.append([*before, Excerpt(segment, key, segment.stop)])
    return min(choices, key=lambda choice: sum(excerpt.num_rough for excerpt in choice))


def _until(excerpt: Excerpt, stop: int) -> Excerpt:
    return Excerpt(excerpt.segment, excerpt.start, min(excerpt.stop, stop))


def gaps(found: Iterable[list[Excerpt]]) -> list[tuple[int, int]]:
    """The ranges [start, stop) between islands that are in none of them."""
    missing: list[tuple[int, int]] = []
    stop: int | None = None
    for island in sorted(found, key=lambda island: island[0].start):
        first = island[0].start
        if stop is not None and first > stop:
            missing.append((stop, first))
        stop = max(stop or first, island[-1].stop)
    return missing


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Group ascending numbers into ranges [start, stop)."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found
