"""Where frames come from: the source contract and the policy of opening one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rtvfi.stream.decode.choose import accelerate
from rtvfi.stream.decode.container import Interrupted
from rtvfi.stream.decode.picture_folder import PictureFolder
from rtvfi.stream.decode.pyav import PyavSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from rtvfi.core.frame import EndOfStream, SourceFrame, StreamInfo
    from rtvfi.core.options import SourceOptions

__all__ = ["FrameSource", "Interrupted", "open_source"]


class FrameSource(Protocol):
    """One video stream of one file; opened, read, sought and closed by one thread, its owner."""

    info: StreamInfo
    epoch: int
    """Copied into every frame; the owner raises it with each seek."""

    def read(self) -> SourceFrame | EndOfStream:
        """The next frame; after the last one ``END``, however often it is asked.

        Raises:
            DecodeError: nothing more can be decoded, though the file goes on.
            Interrupted: the opener's ``interrupted`` said so; no frame is lost, read again later.
        """
        ...

    def seek(self, target: Fraction) -> None:
        """The next frame read is the one *played at* ``target``: the last with ``pts <= target``.

        Before the first frame it is the first, past the end the last. Pictures are bit-identical
        to those of reading from the start.

        Raises:
            SeekError: the file can neither be positioned nor opened again.
            Interrupted: the position is now undefined; seek again before reading.
        """
        ...

    def close(self) -> None:
        """Let go of the file; closing twice is fine."""
        ...


def open_source(
    path: str, options: SourceOptions, interrupted: Callable[[], bool] = lambda: False
) -> FrameSource:
    """Open the best video stream of ``path`` and decode its first picture.

    Args:
        path: a file, or any URL FFmpeg opens; a folder where ``options.picture_rate`` is given.
        interrupted: asked between packets; True abandons the call under way with ``Interrupted``.

    Raises:
        OpenError: no such file, no video in it, or not one picture of it can be decoded.
        DeviceError: ``options.hwaccel`` names a device that cannot be had.
    """
    if options.picture_rate is not None and Path(path).is_dir():
        return PictureFolder(path, options.picture_rate, options)
    source = PyavSource(path, options, interrupted)
    if options.hwaccel != "none":
        try:
            accelerate(source, path, options, interrupted)
        except BaseException:
            source.close()
            raise
    return source
