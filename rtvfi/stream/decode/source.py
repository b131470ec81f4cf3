"""The contract of frame sources, and the function that opens one."""

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
    """One video stream of one file. One thread, its owner, opens, reads, seeks and closes it."""

    info: StreamInfo
    epoch: int
    """Copied into every frame; the owner raises it with each seek."""

    def read(self) -> SourceFrame | EndOfStream:
        """The next frame; ``END`` after the last one, on every call.

        Raises:
            DecodeError: nothing more can be decoded, although the file is longer.
            Interrupted: ``interrupted()`` returned True; no frame is lost, read again later.
        """
        ...

    def seek(self, target: Fraction) -> None:
        """Make the frame *played at* ``target`` the next one read: the last with ``pts <= target``.

        For a target before the first frame that is the first frame, past the end the last one.
        Frames are bit-identical to those of reading from the start.

        Raises:
            SeekError: the file can be neither sought nor opened again.
            Interrupted: the position is now undefined; seek again before reading.
        """
        ...

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        ...


def open_source(
    path: str, options: SourceOptions, interrupted: Callable[[], bool] = lambda: False
) -> FrameSource:
    """Open the best video stream of ``path`` and decode its first picture.

    Args:
        path: a file, any URL that FFmpeg opens, or a folder if ``options.picture_rate`` is given.
        interrupted: called between packets; when it returns True, the source's current call raises
            ``Interrupted``.

    Raises:
        OpenError: no such file, no video in it, or not one picture of it can be decoded.
        DeviceError: ``options.hwaccel`` names a device that cannot be used.
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
