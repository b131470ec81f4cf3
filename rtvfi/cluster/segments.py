"""Which stretches of a film are rendered apart, and how long that takes. Pure."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

GOP_SECONDS: Final = 2
"""Segments end where an encoder would begin anew anyway."""
LONGEST_SECONDS: Final = 60
"""More is lost when a worker dies, and has to travel in one piece."""
START_FRAMES: Final = 15.0
"""What a segment costs beyond its own pictures, in pictures: the film is opened, positioned and
looked at from a little earlier, an encoder begins. That takes about a second (docs/cluster.md),
which is as much as 15 pictures of a network that makes 15 in a second; the length of a segment
goes with the root of it, so that a network five times slower loses little.
"""


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """Pictures on the output clock: [first, stop); stop None = to the end of the film."""

    first: int
    stop: int | None

    @property
    def name(self) -> str:
        """Of its file, without extension."""
        return f"{self.first:09d}"


def segment_frames(num_frames: int, num_workers: int, rate: Fraction) -> int:
    """How many pictures make a segment.

    With n pictures, w workers, segments of L pictures and a start that costs c pictures, all takes
    as long as ``n / w + (n / L) * c / w + L * (1 - 1 / w)`` pictures on one worker: the work, the
    starts, and the last segments that others cannot help with. That is least at
    ``L = sqrt(n * c / (w - 1))``, which is rounded to whole GOPs and kept to a minute.

    Args:
        num_frames: of all films together.
        num_workers: that take part.
        rate: pictures per second.
    """
    gop = math.ceil(GOP_SECONDS * rate)
    longest = max(gop, math.floor(LONGEST_SECONDS * rate) // gop * gop)
    if num_workers < 2:
        return longest
    best = math.sqrt(num_frames * START_FRAMES / (num_workers - 1))
    return min(longest, max(1, round(best / gop)) * gop)


def split(first: int, last: int | None, stop: int | None, length: int) -> tuple[Segment, ...]:
    """A part of a film as segments.

    Args:
        first: its first picture.
        last: the index after its last picture, as far as the film tells; None = it does not, and
            all is one segment.
        stop: where it ends; None = at the end of the film, which may be later than it tells.
        length: of a segment; the last one is up to half a segment longer.
    """
    bounds = [first]
    if last is not None:
        while last - bounds[-1] >= length + length // 2:
            bounds.append(bounds[-1] + length)
    return tuple(Segment(a, b) for a, b in zip(bounds, [*bounds[1:], stop], strict=True))


def makespan(seconds: Sequence[float], num_workers: int, transfer: float = 0.0) -> float:
    """Seconds until all segments are here, each begun by the first worker that is free.

    Args:
        seconds: that each takes on a worker, in the order in which they are handed out.
        num_workers: of the same speed.
        transfer: seconds that a segment needs to come back; one comes at a time.
    """
    free = [0.0] * num_workers
    wire = 0.0
    for length in seconds:
        done = heapq.heappop(free) + length
        heapq.heappush(free, done)
        wire = max(wire, done) + transfer
    return max(wire, *free)
