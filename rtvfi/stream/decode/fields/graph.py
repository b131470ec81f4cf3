"""Base class of stages that send frames through an FFmpeg filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import av.filter

if TYPE_CHECKING:
    from collections.abc import Iterator


class Filter:
    """Base class: frames of one size and format go through one filter graph; a change needs a new
    graph.

    A graph exists from the first frame that needs it until ``_flush``.
    """

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None
        self._shape: tuple[str, int, int] | None = None

    def _pulled(self) -> Iterator[av.VideoFrame]:
        """Frames that are ready, as the filter gives them."""
        assert self._graph is not None
        while True:
            try:
                frame = self._graph.pull()
            except (BlockingIOError, av.error.EOFError):
                return
            assert isinstance(frame, av.VideoFrame)
            yield frame

    def _ready(self) -> list[av.VideoFrame]:
        """Frames that are ready, at their times."""
        raise NotImplementedError

    def _flush(self) -> list[av.VideoFrame]:
        """End the graph and return its last frames."""
        if self._graph is None:
            return []
        self._graph.push(None)
        frames = self._ready()
        self._graph = None
        return frames

    def _flush_unless(self, shape: tuple[str, int, int]) -> list[av.VideoFrame]:
        """End the graph if it is for another shape, and return its last frames; else nothing."""
        return self._flush() if shape != self._shape else []
