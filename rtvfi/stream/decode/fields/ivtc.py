"""Inverse telecine: restores films of 24 pictures per second that were stored as 30 interlaced ones
(hard telecine).

Of every five stored pictures, two combine fields of different film pictures. fieldmatch pairs the
fields that belong together, bwdif deinterlaces what it cannot match, and decimate drops the one of
five that shows nothing new. This is the usual chain of FFmpeg filters.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import Final

import av
import av.filter

from rtvfi.stream.decode.fields.graph import Filter

CYCLE: Final = 5
RATES: Final = (Fraction(30000, 1001), Fraction(30))
"""Rates of streams that can hold a telecined film."""
LEFT: Final = Fraction(CYCLE - 1, CYCLE)
"""Fraction of the pictures that remains."""
_MIN_SIDE: Final = 16


class InverseTelecine(Filter):
    """Takes 30000/1001 frames per second and returns four of every five, evenly spaced.

    Cycles of five are counted from the stream's first frame, so the result does not depend on
    where reading began.

    Args:
        tick: the frames' time base.
        rate: frames per second of the input.
    """

    def __init__(self, tick: Fraction, rate: Fraction) -> None:
        super().__init__()
        self._tick = tick
        self._rate = rate
        self._origin: int | None = None
        self.reset()

    @property
    def lookback(self) -> int:
        """Number of preceding frames needed for a correct result: a cycle and its neighbours."""
        return 2 * CYCLE

    def reset(self) -> None:
        """Forget all frames, before a seek's frames are pushed."""
        self._graph = None
        self._is_aligned = False
        self._numbers: deque[int] = deque()
        """Frame numbers of the first frames of the cycles in the graph."""

    def push(self, frame: av.VideoFrame | None) -> list[av.VideoFrame]:
        """Take the next frame, or None after the last; returns the frames that are ready."""
        if frame is None:
            return self._flush()
        if frame.pts is None or min(frame.width, frame.height) < _MIN_SIDE:
            return [frame]
        if self._origin is None:
            self._origin = frame.pts
        number = round((frame.pts - self._origin) * self._tick * self._rate)
        if not self._is_aligned and number % CYCLE:
            return []
        self._is_aligned = True
        shape = (frame.format.name, frame.width, frame.height)
        done = self._flush_unless(shape)
        if self._graph is None:
            self._graph, self._shape = _graph(frame, self._rate), shape
            self._begin = number
        frame.pts, frame.time_base = number - self._begin, 1 / self._rate
        frame.duration = 1
        self._graph.push(frame)
        return done + self._ready()

    def _ready(self) -> list[av.VideoFrame]:
        assert self._origin is not None
        frames: list[av.VideoFrame] = []
        for frame in self._pulled():
            since = Fraction(frame.pts or 0) * Fraction(frame.time_base or 0)
            number = round(since * self._rate * LEFT)
            due = Fraction(self._begin) / self._rate + number / (self._rate * LEFT)
            frame.pts = self._origin + round(due / self._tick)
            frame.time_base = self._tick
            frame.duration = round(1 / (self._rate * LEFT * self._tick))
            frames.append(frame)
        return frames


def _graph(frame: av.VideoFrame, rate: Fraction) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=1 / rate
    )
    parts = [
        graph.add("fps", f"{rate.numerator}/{rate.denominator}"),  # repeats missing frames
        graph.add("fieldmatch"),
        graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced"),
        graph.add("decimate", f"cycle={CYCLE}"),
        graph.add("buffersink"),
    ]
    for left, right in zip([source, *parts], parts, strict=False):
        left.link_to(right)
    graph.configure()
    return graph
