"""Refuses films that cannot be rendered correctly, and warns about what a rendering loses.

Some files only list which parts of other files to play: mpv follows them, FFmpeg does not. A film
with ordered chapters would be rendered without its opening, for example.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import OpenError
from rtvfi.core.frame import DOLBY_OWN_COLOURS
from rtvfi.stream.decode.ebml import facts_of

if TYPE_CHECKING:
    from rtvfi.core.frame import StreamInfo

log = logging.getLogger(__name__)

_SCHEMES: Final = ("edl://", "memory://", "appending://")
_BEGINNINGS: Final = {
    b"# mpv EDL": "an mpv EDL",
    b"mplayer EDL": "an MPlayer EDL",
    b"MPLS0": "a Blu-ray playlist",
}
"""The first bytes of such files."""
_FEW_BYTES: Final = 4096


def check_timeline(path: str) -> None:
    """Refuse files that only mpv can play as intended.

    Raises:
        OpenError: the file lists parts of files to play.
    """
    what = _timeline(path)
    if what:
        raise OpenError(
            f'"{path}" is {what}: it consists of parts that only mpv can join',
            f'convert it to one file first: mpv "{path}" --o=whole.mkv',
        )


def check_pictures(path: str, info: StreamInfo) -> None:
    """Refuse pictures whose colours would be wrong, and warn about what the rendering loses.

    Raises:
        OpenError: the film is Dolby Vision profile 5.
    """
    if info.dolby_profile == DOLBY_OWN_COLOURS:
        raise OpenError(
            f'"{path}" is Dolby Vision profile 5, whose colours no available encoder can write',
            "convert it to HDR10 or SDR first, for example with ffmpeg's libplacebo filter",
        )
    name = Path(path).name
    if info.dolby_profile is not None:
        log.warning("%s: the Dolby Vision metadata is dropped; the base picture is kept", name)
    if info.has_captions:
        log.warning("%s: closed captions embedded in the video are dropped", name)


def _timeline(path: str) -> str:
    """The kind of timeline file, in words; empty for an ordinary film."""
    if path.startswith(_SCHEMES):
        return "an mpv EDL"
    if not Path(path).is_file():  # a URL, or a pipe, on which opening would block
        return ""
    facts = facts_of(path)
    if facts is not None:
        linked = ", some of them in other files" if facts.links else ""
        return f"a film with ordered chapters{linked}" if facts.is_ordered else ""
    try:
        with Path(path).open("rb") as file:
            begin = file.read(_FEW_BYTES).removeprefix(b"\xef\xbb\xbf")
    except (OSError, ValueError):
        return ""
    for mark, what in _BEGINNINGS.items():
        if begin.startswith(mark):
            return what
    lines = [line.split(maxsplit=1)[0].upper() for line in begin.splitlines() if line.strip()]
    is_sheet = b"\0" not in begin and b"FILE" in lines and b"TRACK" in lines
    return "a cue sheet" if is_sheet else ""
