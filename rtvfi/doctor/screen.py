"""Checks libmpv, the display and sound."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from rtvfi.core.program import command_line
from rtvfi.doctor.finding import fail, ok, warn
from rtvfi.doctor.system import INSTALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rtvfi.doctor.finding import Finding, Place

OPTIONS: Final = (
    "demuxer-seekable-cache",
    "hr-seek",
    "input-default-bindings",
    "osc",
    "video-rotate",
    "watch-later-options",
    "ytdl",
)
"""mpv options that the player sets. osc and ytdl exist only if mpv was built with Lua."""
FUNCTIONS: Final = ("mpv_stream_cb_add_ro", "mpv_hook_add", "mpv_hook_continue")
_PACKAGES: Final = "apt install libmpv2, pacman -S mpv, dnf install mpv-libs"


class _Device(TypedDict):
    """An entry of mpv's ``audio-device-list``: the fields that are read here."""

    name: str


def check_mpv(_place: Place) -> Iterator[Finding]:
    """Check libmpv with a player without a window, and the sound devices it sees."""
    if ctypes.util.find_library("mpv") is None:
        yield fail("mpv", "libmpv is not installed: nothing can be played", _PACKAGES)
        return
    try:
        import mpv
    except (ImportError, OSError, AttributeError) as error:
        yield fail("mpv", f"the package mpv cannot load libmpv: {error}", INSTALL)
        return
    lacking = [name for name in FUNCTIONS if not hasattr(mpv.backend, name)]
    try:
        player = mpv.MPV(config="no", vo="null", idle="yes", load_scripts="no", ytdl="no")
    except (AttributeError, ValueError, TypeError, RuntimeError, SystemError) as error:
        yield fail("mpv", f"libmpv does not start: {error}", f"install it again: {_PACKAGES}")
        return
    try:
        yield from _check_version(str(player.mpv_version))
        lacking += [name for name in OPTIONS if name not in player.options]
        if lacking:
            text = f"this libmpv lacks {', '.join(lacking)}"
            yield fail("mpv", text, f"install the system's own: {_PACKAGES}")
        else:
            yield ok("mpv", "starts without a window, and has what the player needs")
            yield _check_tracks(str(player.mpv_version))
        yield _look_for_ytdl()
        yield from _check_sound(player.audio_device_list)
    finally:
        player.terminate()


def _check_version(version: str) -> Iterator[Finding]:
    from rtvfi.playing.mpv import trial

    tried = f"{trial.SUPPORTED}, tested with {', '.join(trial.TRIED)}"
    said = {
        "supported": ok("mpv", f"lib{version} (supported: {tried})"),
        "newer": ok(
            "mpv", f"lib{version}: newer than the versions rtvfi was tested with ({tried})"
        ),
        "older": warn(
            "mpv", f"lib{version}: older than the supported versions ({tried})", _PACKAGES
        ),
        "unknown": ok("mpv", f"lib{version}: not a release (supported: {tried})"),
    }
    yield said[trial.standing(version)]


def _check_tracks(version: str) -> Finding:
    """Check that mpv plays a video track of ours."""
    from rtvfi.playing.mpv import trial

    found = trial.capacity(version, anew=True)
    if found == "nothing":
        return fail("mpv", trial.NOTHING, f"install {trial.SUPPORTED}: {_PACKAGES}")
    if found == "files":
        text = "plays tracks of rtvfi, but a film that changes its shape is shown in one shape"
        return warn("mpv", text, f"install {trial.SUPPORTED}: {_PACKAGES}")
    return ok("mpv", "plays tracks of rtvfi")


def _check_sound(devices: Iterable[_Device]) -> Iterator[Finding]:
    # A name without a slash is a sound system's default, which may lead to no device.
    names = [row["name"] for row in devices if "/" in row["name"]]
    systems = list(dict.fromkeys(name.partition("/")[0] for name in names))
    if systems:
        yield ok("sound", f"{len(names)} devices by {', '.join(systems)}")
    else:
        yield warn("sound", "mpv sees no sound device: films play silently", "is sound set up?")


def _look_for_ytdl() -> Finding:
    found = next(filter(None, map(shutil.which, ("yt-dlp", "youtube-dl"))), None)
    if found is None:
        return ok("mpv", "no yt-dlp: only needed for links of video sites")
    return ok("mpv", f"{found} for links of video sites")


def check_display(place: Place) -> Iterator[Finding]:
    """Check for a Wayland or X display that answers."""
    wayland = _why_no_wayland(place)
    if not wayland:
        yield ok("screen", f"Wayland ({', '.join(place.shown('WAYLAND_DISPLAY'))})")
        return
    x11 = _why_no_x11(place)
    if not x11:
        yield ok("screen", f"X11 ({', '.join(place.shown('DISPLAY'))})")
        return
    reasons = [why for why in (wayland, x11) if why != "-"]
    yield warn(
        "screen",
        "no display answers" + (f": {'; '.join(reasons)}" if reasons else ""),
        f"playing needs a display; {command_line('render')} and image do not",
    )


def _why_no_wayland(place: Place) -> str:
    """Why Wayland cannot be used; empty when it can, "-" when no compositor is named."""
    name = place.environ.get("WAYLAND_DISPLAY")
    if not name:
        return "-"
    path = Path(place.environ.get("XDG_RUNTIME_DIR") or "/nonexistent") / name
    return "" if path.is_socket() and os.access(path, os.W_OK) else f"no Wayland socket at {path}"


def _why_no_x11(place: Place) -> str:
    """Why X11 cannot be used; empty when it can, "-" when no server is named."""
    name = place.environ.get("DISPLAY")
    if not name:
        return "-"
    library = ctypes.util.find_library("X11")
    if library is None:
        return "libX11 is not installed"
    x11 = ctypes.CDLL(library)
    x11.XOpenDisplay.restype = ctypes.c_void_p
    handle = x11.XOpenDisplay(name.encode())
    if not handle:
        return f"X11 does not answer at {name}"
    x11.XCloseDisplay(ctypes.c_void_p(handle))
    return ""
