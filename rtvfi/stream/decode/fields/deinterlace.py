"""Deinterlacing: one progressive picture per frame, at the frame's own time.

bwdif uses the frames before and after. The first frame after a seek lacks the one before, so it
differs from the same frame read from the start: see ``Deinterlacer.lookback``.
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
"""Smallest width and height, in pixels, that bwdif accepts."""


def bwdif(mode: Deinterlace) -> str:
    """Options of FFmpeg's bwdif filter."""
    return f"mode=send_frame:parity=auto:deint={'all' if mode == 'on' else 'interlaced'}"


class Deinterlacer(Filter):
    """Returns as many frames as it takes, one frame late; progressive ones are unchanged.

    Args:
        mode: ``auto`` deinterlaces only flagged frames, and delays none before the first flagged
            one. ``on`` deinterlaces every frame.
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
        """Number of preceding frames needed for a correct result."""
        return 1 if self._is_needed else 0

    def reset(self) -> None:
        """Forget all frames, before a seek's frames are pushed."""
        self._graph = None
        self._previous = None

    def push(self, frame: av.VideoFrame | None) -> list[av.VideoFrame]:
        """Take the next frame, or None after the last; returns the frames that are ready."""
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
            if frame.time_base is not None:  # the filter's time base is finer
                scale = frame.time_base / self._tick
                frame.pts = None if frame.pts is None else round(frame.pts * scale)
                frame.duration = round((frame.duration or 0) * scale)
            frame.time_base = self._tick
            frames.append(frame)
        if frames and self._has_been_out:
            self._has_been_out = False
            return frames[1:]
        return frames
