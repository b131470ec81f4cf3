"""Films that cannot be rendered as they are shown, and what is lost of others.

Files may only say which parts of other files are played: mpv follows them, FFmpeg does not.
Rendered as they lie there, a film with ordered chapters would lack its opening.
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
"""What the first bytes of such a file are."""
_FEW_BYTES: Final = 4096


def check_timeline(path: str) -> None:
    """Refuse what is put together by mpv only.

    Raises:
        OpenError: it is.
    """
    what = _timeline(path)
    if what:
        raise OpenError(
            f'"{path}" is {what}: put together from parts, which only mpv can do',
            f'make one file of it: mpv "{path}" --o=whole.mkv',
        )


def check_pictures(path: str, info: StreamInfo) -> None:
    """Refuse pictures whose colours would come out wrong, and say what does not come out.

    Raises:
        OpenError: they have colours of their own.
    """
    if info.dolby_profile == DOLBY_OWN_COLOURS:
        raise OpenError(
            f'"{path}" is Dolby Vision of profile 5, whose colours no encoder here can write',
            "convert it to HDR10 or SDR first, with ffmpeg's libplacebo filter say",
        )
    name = Path(path).name
    if info.dolby_profile is not None:
        log.warning("%s: what Dolby Vision adds is not kept, only the picture beneath", name)
    if info.has_captions:
        log.warning("%s: closed captions inside the picture are not kept", name)


def _timeline(path: str) -> str:
    """The kind of timeline that a file is, in words; empty when it is a film."""
    if path.startswith(_SCHEMES):
        return "an mpv EDL"
    if not Path(path).is_file():  # an address, or a pipe, which would wait for a writer
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
