"""Writes one file: a video track, and the streams that are copied from the source.

Matroska files can be played while they grow and after a kill: everything is written to disk within
about a second (``CRASH_SAFE``). Times of pictures are exact, except for the container's rounding.
"""

from __future__ import annotations

import errno
import logging
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av
import av.error

from rtvfi.core.errors import EncodeError, UsageError, first_line
from rtvfi.core.files import is_same
from rtvfi.stream.decode.container import ffmpeg_name
from rtvfi.stream.write.encoders.pyav import FAILURES
from rtvfi.stream.write.mkv_shape import FORMS, ROOM, tell_shape

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from av.container import OutputContainer

    from rtvfi.core.frame import StreamInfo
    from rtvfi.stream.decode.container import Packet
    from rtvfi.stream.write.beside.companion import Companion
    from rtvfi.stream.write.timeline import Timeline

log = logging.getLogger(__name__)

FORMATS: Final = {
    ".mkv": "matroska",
    **dict.fromkeys((".mp4", ".m4v"), "mp4"),
    **{f".{name}": name for name in ("mov", "webm")},
}
"""FFmpeg's names of containers, by extension."""
CRASH_SAFE_FORMAT: Final = "matroska"
"""The container that can be played while it grows, and after a kill."""
CRASH_SAFE: Final = {
    # Without these, a stream without packets would delay others by 10 s, and clusters would be
    # written only when complete.
    "max_interleave_delta": "200000",
    "cluster_time_limit": "250",
    "flush_packets": "1",
}
MAX_RATE: Final = 500
"""Largest rate in pictures per second: Matroska rounds to milliseconds."""
LEAST_SECONDS: Final = Fraction(3, 1000)
"""Smallest distance of two pictures where times vary, so that they still differ in milliseconds."""


def container_format(path: Path) -> str:
    """FFmpeg's name of the container for a file name's extension.

    Raises:
        UsageError: its extension is not among ``FORMATS``.
    """
    name = FORMATS.get(path.suffix.lower())
    if name is None:
        raise UsageError(
            f'"{path.name}" has no extension of a video file that can be written, '
            f"expected {', '.join(FORMATS)}",
            f'use "{path.stem}.mkv"',
        )
    return name


def check_target(path: Path, sources: tuple[str, ...], *, force: bool) -> None:
    """Check that a file may be written, before any work is done.

    Raises:
        UsageError: it is one of the sources, or it exists and ``force`` is off.
        EncodeError: its folder does not exist.
    """
    for source in sources:
        if is_same(path, source):
            raise UsageError(f'"{path}" is the input itself', "choose another name with -o")
    if path.is_dir():
        raise UsageError(f'"{path}" is a folder', f'use "{path / "name.mkv"}"')
    if path.exists() and not force:
        raise UsageError(f'"{path}" already exists', "--force overwrites it")
    if not path.absolute().parent.is_dir():
        raise EncodeError(f'the folder of "{path}" is not there', f'mkdir -p "{path.parent}"')


def _stored(video: av.VideoStream) -> str:
    return video.codec_context.codec.canonical_name


class OutputFile:
    """A file being written, by one thread: add a video stream, then ``begin``, ``mux``, ``close``.

    As a context manager it closes the file; an error in closing never hides an earlier one.

    Args:
        path: the file; an existing one is overwritten.
        container: FFmpeg's name of the container.
        timeline: times of the pictures.
        info: the stream of pictures.

    Raises:
        EncodeError: the file cannot be created.
    """

    def __init__(self, path: Path, container: str, timeline: Timeline, info: StreamInfo) -> None:
        self.path = path
        self.timeline = timeline
        self._info = info
        self._has_shape = container in FORMS and (info.pixel_aspect != 1 or info.stereo != 0)
        self._owes_shape = self._has_shape
        """The pixel aspect is still missing in the header."""
        self.num_packets = 0
        self._companion: Companion | None = None
        self._is_closed = self._has_begun = False
        options = CRASH_SAFE if container == CRASH_SAFE_FORMAT else {}
        if container in ("mp4", "mov"):
            options = {"movflags": "+faststart"}
        try:
            self.container: OutputContainer = av.open(
                ffmpeg_name(str(path)), "w", format=container, container_options=dict(options)
            )
        except FAILURES as error:
            raise self._failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            self.close()
        except EncodeError as second:
            if error is None:
                raise
            log.debug("closing failed too: %s", second.message)

    def begin(self, video: av.VideoStream, reorder: int, companion: Companion | None) -> None:
        """Write the header.

        Args:
            video: the stream that will carry the pictures.
            reorder: ``Codec.reorder`` of its encoder.
            companion: copies audio, subtitles and the like; None = nothing.

        Raises:
            EncodeError: the container refuses a stream.
        """
        self._video, self._reorder, self._companion = video, reorder, companion
        container = self.container
        try:
            if container.format.name in ("mp4", "mov") and _stored(video) == "hevc":
                video.codec_context.codec_tag = "hvc1"  # Apple's players require this tag
            if companion is not None:
                companion.add_to(container, video)
            video.time_base = self.timeline.unit
            video.codec_context.sample_aspect_ratio = self._info.pixel_aspect
            if self._owes_shape:
                video.metadata["title"] = video.metadata.get("title", "") + ROOM
            container.start_encoding()
            self._has_begun = True
        except FAILURES as error:
            raise self._failure(error) from error

    def mux(self, packet: Packet, number: int) -> None:
        """Write a packet of the video track, in decoding order.

        Args:
            number: number of its picture in this file, from 0.

        Raises:
            EncodeError: it cannot be written, for example because the disk is full.
        """
        line = self.timeline
        packet.stream = self._video
        packet.time_base = line.unit
        packet.pts = line.ticks(number)
        packet.dts = line.ticks(self.num_packets - self._reorder)
        packet.duration = line.ticks(number + 1) - packet.pts
        self.num_packets += 1
        if self._owes_shape:
            self._tell_shape()
        try:
            self.container.mux(packet)
        except FAILURES as error:
            raise self._failure(error) from error

    def copy(self, until: Fraction | None) -> None:
        """Copy audio, subtitles and the like up to ``until`` on the source's clock; None = all.

        Raises:
            EncodeError: it cannot be written.
        """
        if self._companion is None:
            return
        try:
            self._companion.advance(until)
        except FAILURES as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Finish and close the file; closing twice is fine.

        Raises:
            EncodeError: it cannot be written.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._companion is not None and self._has_begun:
                self._companion.finish()
            self.container.close()
            if self._has_shape:
                self._tell_shape()  # FFmpeg has rewritten the header
        except FAILURES as error:
            raise self._failure(error) from error
        finally:
            if self._companion is not None:
                self._companion.close()

    def _tell_shape(self) -> None:
        context = self._video.codec_context
        size = context.width, context.height
        self._owes_shape = not tell_shape(self.path, size, self._info.pixel_aspect)

    def _failure(self, error: Exception) -> EncodeError:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return EncodeError(f'the disk of "{self.path}" is full')
        if isinstance(error, PermissionError):
            return EncodeError(f'"{self.path}" may not be written', "choose another folder")
        return EncodeError(f'"{self.path}" cannot be written: {first_line(error)}')
