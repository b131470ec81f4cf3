"""A film to pick frames from; it is opened, read and closed on a thread of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from rtvfi.core.errors import OpenError
from rtvfi.core.frame import SourceFrame
from rtvfi.core.options import SourceOptions
from rtvfi.stream.decode.source import open_source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo
    from rtvfi.stream.decode.source import FrameSource
    from rtvfi.stream.run.executors.convert import Converter


class Frame(NamedTuple):
    """A frame of the film."""

    rgb: NDArray[np.float32]
    """(H, W, 3), RGB, [0, 1]."""
    time: Fraction
    """Seconds after the first frame."""
    end: Fraction
    """The time of the next frame."""


class Film:
    """A film to pick frames from.

    Args:
        path: path of its file, or a URL.

    Raises:
        OpenError: it cannot be read.
    """

    def __init__(self, path: str) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="rtvfi-studio-film")
        self._source: FrameSource | None = None
        self._converter: Converter | None = None
        try:
            self.info: StreamInfo = self._worker.submit(self._open, path).result()
        except BaseException:
            self._worker.shutdown()
            raise

    def _open(self, path: str) -> StreamInfo:
        self._source = open_source(path, SourceOptions(hwaccel="none"))
        return self._source.info

    @property
    def duration(self) -> float:
        """Duration in seconds; 0 if the file does not state it."""
        return float(self.info.duration or 0)

    def at(self, seconds: Fraction) -> Frame:
        """The frame shown at this many seconds after the first one; after the end, the last one.

        Raises:
            OpenError: the film has no frame.
            DecodeError: the frame is damaged.
        """
        return self._worker.submit(self._at, seconds).result()

    def _at(self, seconds: Fraction) -> Frame:
        import torch

        from rtvfi.stream.run.executors.convert import Converter

        source = self._source
        assert source is not None
        source.seek(self.info.start + max(seconds, Fraction(0)))
        frame = source.read()
        if not isinstance(frame, SourceFrame):
            raise OpenError(f"the film has no frame at {float(seconds):g} s")
        if self._converter is None:
            self._converter = Converter(self.info, torch.device("cpu"), torch.float32)
        rgb = self._converter.to_rgb(frame.payload)[0].permute(1, 2, 0).clamp(0, 1).numpy()
        time = frame.pts - self.info.start
        return Frame(rgb, time, time + frame.duration)

    def close(self) -> None:
        """Close the file and end the thread."""
        if self._source is not None:
            self._worker.submit(self._source.close).result()
        self._worker.shutdown()
