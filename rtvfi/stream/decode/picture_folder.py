"""Numbered pictures in a folder, read as a film: a ``FrameSource`` without a container."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import DecodeError, OpenError
from rtvfi.core.files import natural_key
from rtvfi.core.frame import END, EndOfStream, SourceFrame, StreamInfo
from rtvfi.stream.decode.container import FAILURES, open_container
from rtvfi.stream.decode.info import describe
from rtvfi.stream.decode.planes import Packer

if TYPE_CHECKING:
    import av

    from rtvfi.core.options import SourceOptions

_PICTURE: Final = re.compile(r"[^.].*\.(png|jpe?g|webp)", re.IGNORECASE)


class PictureFolder:
    """The pictures of a folder in natural order (2 before 10), one every 1 / ``rate`` seconds.

    All have the first one's size and format; others are converted, which is reported once.

    Args:
        folder: its path.
        rate: pictures per second.
        options: for ``max_pixels``.

    Raises:
        OpenError: there is no picture in it, or the first cannot be read.
    """

    info: StreamInfo

    def __init__(self, folder: str, rate: Fraction, options: SourceOptions) -> None:
        self.epoch = 0
        self._rate = rate
        self._next = 0
        self._max_pixels = options.max_pixels
        self._paths = _pictures(Path(folder))
        try:
            frame, info = self._decode(self._paths[0])
        except DecodeError as error:
            raise OpenError(error.message) from error
        del frame
        length = len(self._paths) / rate
        self.info = replace(info, duration=length, is_seekable=True)
        self._packer = Packer(
            info.format,
            (info.width, info.height),
            matrix=info.color.resolved_matrix(info.width, info.height),
            full_range=info.color.full_range,
        )

    def read(self) -> SourceFrame | EndOfStream:
        """The next frame; after the last one ``END``, however often it is asked."""
        if self._next == len(self._paths):
            return END
        try:
            frame, _ = self._decode(self._paths[self._next])
        except OpenError as error:
            raise DecodeError(error.message, error.hint) from error
        pts = self._next / self._rate
        self._next += 1
        return SourceFrame(self._packer.pack(frame), pts, 1 / self._rate, self.epoch)

    def seek(self, target: Fraction) -> None:
        """Make the frame *played at* ``target`` the next one read."""
        self._next = min(max(0, floor(target * self._rate)), len(self._paths) - 1)

    def close(self) -> None:
        """Does nothing: no file stays open between two pictures."""

    def _decode(self, path: Path) -> tuple[av.VideoFrame, StreamInfo]:
        with open_container(str(path)) as container:
            if not container.streams.video:
                raise DecodeError(f'"{path}" holds no picture')
            stream = container.streams.video[0]
            if stream.width * stream.height > self._max_pixels:
                raise DecodeError(f'"{path}" is too large: {stream.width}x{stream.height}')
            try:
                frame = next(container.decode(stream), None)
            except FAILURES as error:
                raise DecodeError(f'"{path}" is damaged') from error
            if frame is None:
                raise DecodeError(f'"{path}" is damaged: it holds no whole picture')
            return frame, describe(stream, frame, self._rate, Fraction(0))


def _pictures(folder: Path) -> list[Path]:
    try:
        names = [e.name for e in folder.iterdir() if _PICTURE.fullmatch(e.name) and e.is_file()]
    except OSError as error:
        raise OpenError(f'the folder "{folder}" cannot be read: {error.strerror}') from error
    if not names:
        raise OpenError(f'there is no picture in the folder "{folder}"', "PNG, JPEG or WebP files")
    return [folder / name for name in sorted(names, key=natural_key)]
