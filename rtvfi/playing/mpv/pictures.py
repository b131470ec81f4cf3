"""Finds out which video track mpv would show, by asking mpv: its rules (languages, forced and
default flags) differ from version to version.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtvfi.playing.mpv.player import Libmpv, Mpv, Track

log = logging.getLogger(__name__)

_SILENT: Final = {
    **dict.fromkeys(("config", "load_scripts", "ytdl", "aid", "sid", "ordered_chapters"), "no"),
    **dict.fromkeys(("vo", "ao"), "null"),
    "pause": "yes",
}
_AS_THE_USER: Final = ("vlang", "edition", "demuxer", "track-auto-selection")
"""mpv options that affect the choice of a track."""
_PATIENCE_SECONDS: Final = 5.0


def films(tracks: Sequence[Track]) -> list[Track]:
    """The video tracks of a player's ``track-list``, without covers and still pictures."""
    return [
        track
        for track in tracks
        if track["type"] == "video" and not track.get("albumart") and not track.get("image")
    ]


def chosen(player: Mpv, path: str, tracks: Sequence[Track]) -> Track | None:
    """The track that mpv would show of a file without our track.

    Args:
        player: has the file open, in its ``on_preloaded`` hook.
        path: a name by which another mpv can open the file.
        tracks: ``films`` of the file, at least one.

    Returns:
        None if mpv shows no video, or a track that is not a film.
    """
    wanted = player["vid"]
    if wanted is False or not player["track-auto-selection"]:
        return None
    if wanted not in ("auto", True):
        number = int(wanted) if isinstance(wanted, int | str) else None
    elif len(tracks) == 1:
        return tracks[0]
    else:
        number = _chosen_by_another(player, path)
        if number is None:
            return next((track for track in tracks if track.get("default")), tracks[0])
    return next((track for track in tracks if track["id"] == number), None)


def _chosen_by_another(player: Mpv, path: str) -> int | None:
    """Let an mpv without a window choose a track; None if it gives no answer."""
    try:
        import mpv  # deferred: a player in another process needs no libmpv here
    except (ImportError, OSError):
        return None
    other: Libmpv = mpv.MPV(**_SILENT)
    loaded = threading.Event()
    other.event_callback("file-loaded", "end-file", "shutdown")(lambda _: loaded.set())
    try:
        for name in _AS_THE_USER:
            if value := player[name]:
                other[name] = value
        other.loadfile(path)
        loaded.wait(_PATIENCE_SECONDS)
        number = other.vid
    except (mpv.ShutdownError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        log.debug("mpv does not say which track it would show: %s", error)
        return None
    finally:
        other.terminate()
    return number if isinstance(number, int) and not isinstance(number, bool) else None
