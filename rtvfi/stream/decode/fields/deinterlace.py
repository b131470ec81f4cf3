"""Interlaced pictures made progressive: one picture per frame, at the frame's own time.

bwdif looks at the frames before and after: the first one after a seek lacks the one before, and
looks different from what it is when read from the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import av
import av.filter

from rtvfi.stream.decode.fields.graph import Filter

if TYPE_CHECKING:
    from fractions import Fraction

    from rtvfi.core.options import Deinterlace

_MIN_SIDE: Final = 4
"""bwdif takes nothing smaller."""


def bwdif(mode: Deinterlace) -> str:
    """The filter in FFmpeg's words."""
    return f"mode=send_frame:parity=auto:deint={'all' if mode == 'on' else 'interlaced'}"


class Deinterlacer(Filter):
    """Frames in, as many frames out, one late; progressive ones pass as they are.

    Args:
        mode: ``auto`` leaves frames alone that are not flagged; until the first flagged one they
            pass at once. ``on`` takes every frame for interlaced.
        tick: the frames' time base.
    """

    def __init__(self, mode: Deinterlace, tick: Fraction) -> None:
        super().__init__()
        self._mode = mode
        self._tick = tick
        self._is_needed = mode == "on"
        self._has_been_out = False
        self._previous: av.VideoFrame | None = None

    @property
    def lookback(self) -> int:
        """Frames needed before one to make it what it should be."""
        return 1 if self._is_needed else 0

    def reset(self) -> None:
        """Frames from elsewhere follow."""
        self._graph = None
        self._previous = None

    def push(self, frame: av.VideoFrame | None) -> list[av.VideoFrame]:
        """The next frame, or None after the last; what is ready comes out."""
        if frame is None:
            return self._flush()
        self._is_needed = self._is_needed or (self._mode == "auto" and frame.interlaced_frame)
        if not self._is_needed or frame.width < _MIN_SIDE or frame.height < _MIN_SIDE:
            self._previous = frame
            return [frame]
        shape = (frame.format.name, frame.width, frame.height)
        done = self._flush_unless(shape)
        if self._graph is None:
            self._begin(frame, shape)
        assert self._graph is not None
        self._graph.push(frame)
        return done + self._ready()

    def _begin(self, frame: av.VideoFrame, shape: tuple[str, int, int]) -> None:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=self._tick
        )
        field = graph.add("bwdif", bwdif(self._mode))
        sink = graph.add("buffersink")
        source.link_to(field)
        field.link_to(sink)
        graph.configure()
        self._graph, self._shape = graph, shape
        before, self._previous = self._previous, None
        self._has_been_out = False
        if before is not None and (before.format.name, before.width, before.height) == shape:
            graph.push(before)
            self._has_been_out = True

    def _ready(self) -> list[av.VideoFrame]:
        frames: list[av.VideoFrame] = []
        for frame in self._pulled():
            if frame.time_base is not None:  # the filter counts in finer ticks
                scale = frame.time_base / self._tick
                frame.pts = None if frame.pts is None else round(frame.pts * scale)
                frame.duration = round((frame.duration or 0) * scale)
            frame.time_base = self._tick
            frames.append(frame)
        if frames and self._has_been_out:
            self._has_been_out = False
            return frames[1:]
        return frames
