"""Tests once per version whether an mpv plays our virtual files correctly, and stores the result.

A player without a window plays a film of a few grey pictures with a track added, as in real use,
and a screenshot of it is checked. Only a wrong picture counts: a slow machine gives none in time,
and the next start tests again.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, TypedDict, cast, get_args

import mpv
import numpy as np
import platformdirs

from rtvfi.core.files import write_whole
from rtvfi.core.frame import (
    END,
    PIXEL_FORMATS,
    ColorInfo,
    Kind,
    OutputFrame,
    Shape,
    StreamInfo,
    Stretch,
)
from rtvfi.core.rates import Grid
from rtvfi.playing.mpv.libmpv import InsideDoor
from rtvfi.stream.run.playhead import Playhead
from rtvfi.stream.serve.frame_stream import FrameStream
from rtvfi.stream.serve.matroska import VirtualMkv
from rtvfi.stream.serve.parts import PartedStream
from rtvfi.stream.serve.records import RecordMap

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.core.frame import EndOfStream
    from rtvfi.playing.mpv.player import Libmpv

log = logging.getLogger(__name__)

Can = Literal["lists", "files", "nothing"]
"""What an mpv can play: films of several shapes (``lists``), of one shape (``files``), or none."""

TRIED: Final = ("0.35", "0.40", "0.41")
"""Versions of mpv with which all tests were run."""
SUPPORTED: Final = f"mpv {TRIED[0]} to {TRIED[-1]}"
NOTHING: Final = "this mpv does not play tracks of rtvfi: films play without interpolation"

_FORMAT: Final = 1
"""Increase it when the test changes: results stored before are then ignored."""
_PATIENCE_SECONDS: Final = 5.0
_RATE: Final = Fraction(24)
_NUM_FRAMES: Final = 24
_INFO: Final = StreamInfo(
    width=64,
    height=48,
    format=PIXEL_FORMATS["yuv420p"],
    color=ColorInfo(),
    source_rate=_RATE,
    start=Fraction(0),
    duration=_NUM_FRAMES / _RATE,
    pixel_aspect=Fraction(1),
)
_WIDE: Final = Shape(64, 32, Fraction(1))
_AIM: Final = 0.75
"""Time of the picture that is checked, seconds."""
_STEP: Final = 8
"""Difference in luma between neighbouring pictures."""


class _Shot(TypedDict):
    """What mpv's manual says ``screenshot-raw`` gives, of what is read here."""

    w: int
    h: int
    data: bytes
    """BGR and an unused byte, row after row."""


class _Unanswered(Exception):  # noqa: N818 - nothing is known then
    """mpv gave no answer in time."""


def capacity(version: str, kept: Path | None = None, *, anew: bool = False) -> Can:
    """What a version of mpv can play; tests it if that is not known.

    Args:
        version: the version as mpv reports it.
        kept: file with stored results; None = in the user's cache.
        anew: test it even if the result is known.
    """
    kept = kept or platformdirs.user_cache_path("rtvfi", appauthor=False) / "mpv.json"
    key = f"{_FORMAT} {version}"
    known: dict[str, Can] = {}
    with suppress(OSError, ValueError):
        read = json.loads(kept.read_text(encoding="utf-8"))
        if isinstance(read, dict):
            known = {name: found for name, found in read.items() if found in get_args(Can)}
    if key in known and not anew:
        return known[key]
    try:
        found = try_it()
    except _Unanswered:
        return "lists"
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps({**known, key: found}, indent=1))
    return found


def standing(version: str) -> Literal["older", "supported", "newer", "unknown"]:
    """How a version of mpv compares with the supported ones; unknown = it has no number."""
    found = re.search(r"(\d+)\.(\d+)", version)
    if found is None:
        return "unknown"
    number = int(found[1]), int(found[2])
    first, last = (tuple(map(int, tried.split("."))) for tried in (TRIED[0], TRIED[-1]))
    return "older" if number < first else "newer" if number > last else "supported"


def try_it() -> Can:
    """Play a virtual film in a player without a window."""
    if not _plays(_stream(), _INFO.shape):
        return "nothing"
    parted = _stream(Stretch(Fraction(0), _INFO.shape), Stretch(Fraction(1, 2), _WIDE))
    return "lists" if _plays(parted, _WIDE) else "files"


def _stream(*stretches: Stretch) -> FrameStream:
    grid = Grid(Fraction(0), 1 / _RATE)
    records = RecordMap(grid, Fraction(0), _NUM_FRAMES / _RATE)
    feed, playhead = _Greys(), Playhead()
    if stretches:
        info = replace(_INFO, stretches=stretches)
        return PartedStream(feed, info, records, playhead, "trial")
    mkv = VirtualMkv(_INFO, records.times_us(), grid.step, "trial")
    return FrameStream(feed, mkv, records, playhead)


def _plays(track: FrameStream, shape: Shape) -> bool:
    """Whether mpv shows the right picture of a track.

    Raises:
        _Unanswered: it shows none in time.
    """
    player: Libmpv = mpv.MPV(
        vo="null", ao="null", config="no", load_scripts="no", ytdl="no", pause="yes", osc="no"
    )
    news = threading.Semaphore(0)
    ended = threading.Event()

    def is_said() -> bool:
        if not news.acquire(timeout=_PATIENCE_SECONDS):
            raise _Unanswered
        return not ended.is_set()

    try:
        player.event_callback("end-file")(lambda _: ended.set())
        player.event_callback("playback-restart", "end-file")(lambda _: news.release())
        door = InsideDoor(player)
        player.loadfile(door.offer(_stream()))
        if not is_said():
            return False
        player.file_local["demuxer-seekable-cache"] = "no"
        player.command("video-add", door.offer(track), "auto", "trial")
        player.vid = 2
        player.command("seek", str(_AIM), "absolute+exact")
        while is_said():
            if abs((player.time_pos or 0) - _AIM) < 0.01:
                shot = cast("_Shot", player.command("screenshot-raw", "video"))
                return _is_right(shot, shape)
    except (SystemError, RuntimeError, OSError, AttributeError, ValueError) as error:
        log.debug("this mpv does not play a track of ours: %s", error)
    finally:
        player.terminate()
    return False


def _is_right(shot: _Shot, shape: Shape) -> bool:
    """Whether a screenshot is the picture at ``_AIM``."""
    levels = np.frombuffer(shot["data"], np.uint8).reshape(-1, 4)[:, :3].astype(int)
    wanted = (_grey(round(_AIM * _RATE)) - 16) * 255 / 219
    is_it = np.abs(levels - wanted).max() < _STEP / 2
    return (shot["w"], shot["h"]) == (shape.width, shape.height) and bool(is_it)


def _grey(index: int) -> int:
    """Luma of picture ``index``."""
    return 32 + _STEP * index


class _Greys:
    """A feed of grey pictures, each a little brighter than the one before."""

    def __init__(self) -> None:
        self._next = 0

    def seek(self, index: int) -> None:
        """Make ``index`` the next frame read."""
        self._next = index

    def read(self, _timeout: float) -> OutputFrame | EndOfStream | None:
        """The next frame."""
        index, self._next = self._next, self._next + 1
        if index >= _NUM_FRAMES:
            return END
        payload = np.full(_INFO.payload_bytes, 128, np.uint8)
        payload[: _INFO.width * _INFO.height] = _grey(index)
        return OutputFrame(payload, index, index / _RATE, Kind.COPY)

    def wait_primed(self, _timeout: float) -> bool:
        """Return at once: frames are always ready."""
        return True

    def stop(self) -> None:
        """Do nothing: no work is running."""
