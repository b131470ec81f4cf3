"""Every frame of a part of a film, as fast as it goes; nothing hurries."""

from __future__ import annotations

import math
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rtvfi.core.frame import END, OutputFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from rtvfi.core.options import StreamOptions
    from rtvfi.engine.build import Rendering
    from rtvfi.stream.write.writer import Writer

TURN_SECONDS: Final = 0.2
"""Longest wait before there is a word."""
_LEAD_IN: Final = 12
"""Source frames looked at before the first one wanted when work begins in the middle: more than
any model and schedule looks back.
"""


def seek_index(made: Rendering, stream: StreamOptions, first: int, begin: int) -> int:
    """Where to begin to look at the source so that the frame ``first`` is as in an unbroken run.

    Args:
        made: the pipeline and its grid.
        stream: how frames are made.
        first: grid index.
        begin: where the unbroken run begins.
    """
    if stream.is_by_cadence:
        first = begin
    return max(0, first - math.ceil(_LEAD_IN / made.info.source_rate / made.grid.step))


def frames(made: Rendering, seek: int, stop: int | None) -> Iterator[OutputFrame | None]:
    """The frames from the pipeline's first index up to ``stop``, or to the end; None when there was
    none for a while.

    Args:
        made: a pipeline, started; the frames before its first index are not given.
        seek: where to begin to look, see ``seek_index``.
        stop: grid index.

    Raises:
        RtvfiError: what stopped the pipeline.
    """
    made.pipeline.seek(seek)
    while True:
        frame = made.pipeline.read(TURN_SECONDS)
        if frame is END:
            return
        if isinstance(frame, OutputFrame):
            if stop is not None and frame.index >= stop:
                return
            yield frame
        else:
            yield None


def put_all(found: Iterable[OutputFrame | None], writer: Writer, look: Callable[[], None]) -> None:
    """Hand frames to a writer, and look every now and then.

    Raises:
        RtvfiError: the writer's, or what stopped the frames.
    """
    for frame in found:
        while frame is not None and not writer.put(frame, TURN_SECONDS):
            if writer.error is not None:
                raise writer.error
            look()
        look()


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM ends work as Ctrl+C does: with a file that plays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
