"""Converts payloads to RGB pictures, and writes them to a folder of numbered PNGs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from av.video.reformatter import VideoReformatter

from rtvfi.core.errors import EncodeError, UsageError, first_line
from rtvfi.core.files import replacing
from rtvfi.stream.decode.planes import FULL_RANGE, swscale_matrix
from rtvfi.stream.write.encoders.pyav import FAILURES, to_frame
from rtvfi.stream.write.stills import PngEncoder

if TYPE_CHECKING:
    import av
    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo

_DIGITS: Final = 7


class RgbMaker:
    """Turns payloads of one stream into full-range RGB frames, by its colour tags.

    Args:
        info: the stream.
        pixels: FFmpeg's name of an RGB format.
    """

    def __init__(self, info: StreamInfo, pixels: str) -> None:
        self._info = info
        self._pixels = pixels
        self._reformatter = VideoReformatter()

    def make(self, payload: NDArray[np.uint8]) -> av.VideoFrame:
        """The RGB frame of one payload."""
        info = self._info
        matrix = swscale_matrix(info.color.resolved_matrix(info.width, info.height))
        return self._reformatter.reformat(
            to_frame(payload, info, (info.width, info.height)),
            format=self._pixels,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            interpolation="BICUBIC",
            src_color_range=FULL_RANGE if info.color.full_range else 1,
            dst_color_range=FULL_RANGE,
        )


class PngFolder:
    """A folder of pictures ``0000001.png``, ``0000002.png``, ...: 8 bits, or 16 for 10-bit streams.

    Args:
        folder: created if necessary; files of the same name are overwritten.
        info: the stream of the payloads.

    Raises:
        EncodeError: the folder cannot be created.
    """

    def __init__(self, folder: Path, info: StreamInfo) -> None:
        self._folder = folder
        self._encoder = PngEncoder(info.width, info.height, 8 if info.format.bits == 8 else 16)
        self._rgb = RgbMaker(info, self._encoder.pixels)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EncodeError(f'"{folder}" cannot be made: {error.strerror}') from error

    def write(self, payload: NDArray[np.uint8], number: int) -> None:
        """Write a picture atomically.

        Args:
            payload: the picture.
            number: its number from 0; the file's name has ``number + 1``.

        Raises:
            EncodeError: the file cannot be written.
        """
        path = self._folder / f"{number + 1:0{_DIGITS}}.png"
        try:
            frame = self._rgb.make(payload)
            frame.pts = number
            data = self._encoder.encode(frame)
            with replacing(path) as part:
                part.write_bytes(data)
        except FAILURES as error:
            raise EncodeError(f'"{path}" cannot be written: {first_line(error)}') from error


def check_folder(folder: Path, source: str, *, force: bool) -> None:
    """Check that pictures may be written to a folder, before any work is done.

    Raises:
        UsageError: it is the source, a file, or holds PNGs and ``force`` is off.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f'"{folder}" is a file, and a folder for pictures is needed')
    if not folder.is_dir():
        return
    if Path(source).exists() and folder.samefile(source):
        raise UsageError(f'"{folder}" is the input itself', "choose another name with -o")
    if not force and next(folder.glob("*.png"), None) is not None:
        raise UsageError(f'"{folder}" holds pictures already', "--force overwrites them")
