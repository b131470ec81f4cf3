"""Reads every frame of a part of a film from a pipeline, without a deadline, and writes it."""

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
"""Longest wait, in seconds, before control returns to the caller, who may show progress."""
_LEAD_IN: Final = 12
"""How many source frames before the first wanted one are read when rendering starts in the middle
of a film: more than any model or schedule looks back.
"""


def seek_index(made: Rendering, stream: StreamOptions, first: int, begin: int) -> int:
    """The grid index to seek to so that frame ``first`` is the same as in an uninterrupted run.

    Args:
        made: the pipeline and its grid.
        stream: how frames are interpolated.
        first: grid index of the first wanted frame.
        begin: grid index at which the uninterrupted run would start.
    """
    if stream.is_by_cadence:
        first = begin
    return max(0, first - math.ceil(_LEAD_IN / made.info.source_rate / made.grid.step))


def frames(made: Rendering, seek: int, stop: int | None) -> Iterator[OutputFrame | None]:
    """Yield the frames from the pipeline's first index up to ``stop``, or to the end of the film.

    Args:
        made: a started pipeline; frames before its first index are not yielded.
        seek: grid index to seek to, see ``seek_index``.
        stop: grid index to stop before; None = the end.

    Yields:
        Frames; None whenever no frame came for ``TURN_SECONDS``.

    Raises:
        RtvfiError: the pipeline failed.
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
    """Write frames.

    Args:
        found: the frames; None where there was none for a while.
        writer: where they go.
        look: called after every frame and while waiting, for example to show progress.

    Raises:
        RtvfiError: the writer or the source of the frames failed.
    """
    for frame in found:
        while frame is not None and not writer.put(frame, TURN_SECONDS):
            if writer.error is not None:
                raise writer.error
            look()
        look()


@contextmanager
def terminable() -> Iterator[None]:
    """Make SIGTERM end the work like Ctrl+C, which leaves a playable file."""
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
