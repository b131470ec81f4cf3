"""Splits films into segments for a cluster, and estimates the total time. Pure."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

GOP_SECONDS: Final = 2
"""Segments are whole GOPs of this length, so splitting costs no additional key frames."""
LONGEST_SECONDS: Final = 60
"""A longer segment would lose more work when a worker dies, and take longer to transfer."""
START_FRAMES: Final = 15.0
"""The start-up cost of a segment in pictures: opening the film, seeking, reading a little before
the first picture, starting an encoder. That takes about a second (docs/cluster.md), the time of 15
pictures for a network that computes 15 per second. The length of a segment grows with the square
root of this number, so a network five times slower loses little.
"""


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """Pictures [first, stop), as indices on the output grid; stop None = to the end of the film."""

    first: int
    stop: int | None

    @property
    def name(self) -> str:
        """Name of its file, without extension."""
        return f"{self.first:09d}"


def segment_frames(num_frames: int, num_workers: int, rate: Fraction) -> int:
    """The best number of pictures per segment.

    With n pictures, w workers, L pictures per segment and a start-up cost of c pictures, the total
    time in pictures is ``n / w + (n / L) * c / w + L * (1 - 1 / w)``: the work, the start-ups, and
    the wait for the last segments while other workers are idle. The minimum is at
    ``L = sqrt(n * c / (w - 1))``, which is rounded to whole GOPs and limited to a minute.

    Args:
        num_frames: total number of pictures of all films.
        num_workers: number of workers.
        rate: pictures per second.
    """
    gop = math.ceil(GOP_SECONDS * rate)
    longest = max(gop, math.floor(LONGEST_SECONDS * rate) // gop * gop)
    if num_workers < 2:
        return longest
    best = math.sqrt(num_frames * START_FRAMES / (num_workers - 1))
    return min(longest, max(1, round(best / gop)) * gop)


def split(first: int, last: int | None, stop: int | None, length: int) -> tuple[Segment, ...]:
    """Split a part of a film into segments.

    Args:
        first: grid index of its first picture.
        last: expected index after its last picture; None if the duration is unknown, which gives a
            single segment.
        stop: index to stop before; None = the end of the film, which may be later than ``last``.
        length: pictures per segment; the last one is up to half a segment longer.
    """
    bounds = [first]
    if last is not None:
        while last - bounds[-1] >= length + length // 2:
            bounds.append(bounds[-1] + length)
    return tuple(Segment(a, b) for a, b in zip(bounds, [*bounds[1:], stop], strict=True))


def makespan(seconds: Sequence[float], num_workers: int, transfer: float = 0.0) -> float:
    """The total time in seconds if each segment is started by the first worker that is free.

    Args:
        seconds: rendering time of each segment, in the order of submission.
        num_workers: number of workers, all equally fast.
        transfer: seconds to transfer a finished segment; one is transferred at a time.
    """
    free = [0.0] * num_workers
    wire = 0.0
    for length in seconds:
        done = heapq.heappop(free) + length
        heapq.heappush(free, done)
        wire = max(wire, done) + transfer
    return max(wire, *free)
