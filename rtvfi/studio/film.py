"""A film to pick frames from; its pictures come and go on one thread of their own."""

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
    """A picture of the film."""

    rgb: NDArray[np.float32]
    """(H, W, 3), 0..1."""
    time: Fraction
    """Seconds from the first frame."""
    end: Fraction
    """Where the next one begins."""


class Film:
    """A film.

    Args:
        path: of its file.

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
        """Seconds; 0 when the file does not tell."""
        return float(self.info.duration or 0)

    def at(self, seconds: Fraction) -> Frame:
        """The frame shown so many seconds after the first one; past the end the last.

        Raises:
            OpenError: there is none.
            DecodeError: it is damaged.
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
        """Let go of the file."""
        if self._source is not None:
            self._worker.submit(self._source.close).result()
        self._worker.shutdown()
