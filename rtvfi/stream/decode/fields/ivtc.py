"""Inverse telecine: films whose pictures were woven into 30 a second for good (hard telecine).

Of five pictures two are made of fields of different drawings. fieldmatch puts fields together that
belong together, bwdif mends what it cannot, decimate leaves out the one of five that shows nothing
new. That is what users of FFmpeg do.
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
"""Of streams in which a telecined film can be."""
LEFT: Final = Fraction(CYCLE - 1, CYCLE)
"""Of the pictures, so many stay."""
_MIN_SIDE: Final = 16


class InverseTelecine(Filter):
    """Frames of 30000/1001 a second in, four of five out, at even times.

    Cycles of five are counted from the stream's first frame on: what comes out does not depend on
    where reading began.

    Args:
        tick: the frames' time base.
        rate: frames a second that come in.
    """

    def __init__(self, tick: Fraction, rate: Fraction) -> None:
        super().__init__()
        self._tick = tick
        self._rate = rate
        self._origin: int | None = None
        self.reset()

    @property
    def lookback(self) -> int:
        """Frames needed before one to make it what it should be: a cycle, and its neighbours."""
        return 2 * CYCLE

    def reset(self) -> None:
        """Frames from elsewhere follow."""
        self._graph = None
        self._is_aligned = False
        self._numbers: deque[int] = deque()
        """Of the first frames of the cycles inside."""

    def push(self, frame: av.VideoFrame | None) -> list[av.VideoFrame]:
        """The next frame, or None after the last; what is ready comes out."""
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
        graph.add("fps", f"{rate.numerator}/{rate.denominator}"),  # what is missing is held
        graph.add("fieldmatch"),
        graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced"),
        graph.add("decimate", f"cycle={CYCLE}"),
        graph.add("buffersink"),
    ]
    for left, right in zip([source, *parts], parts, strict=False):
        left.link_to(right)
    graph.configure()
    return graph
