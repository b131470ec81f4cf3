"""Opens containers, and explains in one sentence why one cannot be opened."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, cast

import av
import av.error

from rtvfi.core.errors import OpenError, first_line

if TYPE_CHECKING:
    from fractions import Fraction

    from av.codec.hwaccel import HWAccel
    from av.container import InputContainer

FAILURES: Final = (av.error.FFmpegError, ValueError, UnicodeDecodeError, OverflowError)
"""Exceptions that PyAV raises for bad input; all but the first for impossible numbers and texts."""

Packet: TypeAlias = "av.Packet[Any]"
"""Of any kind of stream: PyAV takes a packet of one kind for none of another."""

_WEB: Final = ("http://", "https://")

_NETWORK_TIMEOUT: Final = (15.0, 30.0)
"""Seconds to connect, and between two reads."""

_RECONNECTS: Final = {
    "reconnect": "1",
    "reconnect_on_network_error": "1",
    "reconnect_delay_max": "2",
}
"""A server may hang up in the middle, or after an answer without saying so: FFmpeg 8 takes the
connection for one that can be used again, and loses the next packet.
"""


class Interrupted(Exception):  # noqa: N818 - no error: the owner asked for it
    """The call was abandoned because ``interrupted()`` returned True; never leaves ``stream``."""


def is_url(path: str) -> bool:
    """Whether FFmpeg reads it by a protocol (http://...), and not as a local file."""
    return "://" in path


def ffmpeg_name(path: str) -> str:
    """The name to pass to FFmpeg, which would take "Re: a film.mkv" for a protocol "Re"."""
    return path if is_url(path) else f"file:{path}"


class _OfFile(Protocol):
    """A stream of a file that was opened."""

    container: InputContainer


def container_of(stream: av.VideoStream) -> InputContainer:
    """The container that a stream belongs to; PyAV's type annotations lack the attribute."""
    return cast("_OfFile", stream).container


def open_container(
    path: str, hwaccel: HWAccel | None = None, web: tuple[tuple[str, str], ...] = ()
) -> InputContainer:
    """Open ``path`` with FFmpeg, which detects the format by content and not by name.

    Args:
        hwaccel: the device that decodes; None = software.
        web: see ``SourceOptions``.

    Raises:
        OpenError: it cannot be opened; the message says why.
    """
    if not is_url(path):
        _check_file(path)
    try:
        # Titles that are not UTF-8 are common, and no reason to refuse the film.
        return av.open(
            ffmpeg_name(path),
            metadata_errors="replace",
            timeout=_NETWORK_TIMEOUT if is_url(path) else None,
            options=_RECONNECTS | dict(web) if path.startswith(_WEB) else None,
            hwaccel=hwaccel,
        )
    except FAILURES as error:
        raise _explained(path, error) from error


def scan_end(
    path: str, stream_index: int, seconds: float, web: tuple[tuple[str, str], ...] = ()
) -> Fraction | None:
    """End of the last picture in seconds, found by reading all packets, for files without duration.

    Args:
        seconds: time limit; None is returned when it is exceeded.
        web: see ``SourceOptions``.
    """
    deadline = time.monotonic() + seconds
    end: Fraction | None = None
    try:
        with open_container(path, web=web) as container:
            for packet in container.demux(container.streams[stream_index]):
                if time.monotonic() > deadline:
                    return None
                if packet.pts is not None and packet.time_base:
                    last = (packet.pts + (packet.duration or 0)) * packet.time_base
                    end = last if end is None else max(end, last)
    except (OpenError, *FAILURES):
        return None
    return end


def _check_file(path: str) -> None:
    file = Path(path)
    try:
        if file.is_dir():
            raise OpenError(
                f'"{path}" is a directory, a video file was expected', "name a file in it"
            )
        if not file.exists():
            raise OpenError(
                f'no such file: "{path}"', "check the path, and quote it if it has spaces"
            )
        mode = file.stat()
        if not stat.S_ISREG(mode.st_mode) and not stat.S_ISBLK(mode.st_mode):
            # Films are opened more than once, and opening a pipe without a writer never returns.
            raise OpenError(f'"{path}" is a pipe or a device, a video file was expected')
        if stat.S_ISREG(mode.st_mode) and mode.st_size == 0:
            raise OpenError(f'"{path}" is empty', "download or copy it again")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise OpenError(
            f'"{path}" cannot be reached: {first_line(error)}', "check the path"
        ) from error


def _explained(path: str, error: Exception) -> OpenError:
    if isinstance(error, PermissionError) and (is_url(path) or not os.access(path, os.R_OK)):
        return OpenError(f'"{path}" may not be read', "check its permissions")
    if isinstance(error, av.error.InvalidDataError):
        return OpenError(
            f'"{path}" is not a video file FFmpeg knows, or its beginning is damaged',
            f'see what it is: ffprobe "{path}"',
        )
    return OpenError(f'"{path}" cannot be opened: {first_line(error)}', f'try: ffprobe "{path}"')
