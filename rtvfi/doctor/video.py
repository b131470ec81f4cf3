"""Checks decoding and encoding: PyAV, the system's ffmpeg, VA-API with its device nodes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import RtvfiError
from rtvfi.core.ffmpeg import find_ffmpeg, run
from rtvfi.core.program import command_line
from rtvfi.doctor.finding import fail, ok, warn
from rtvfi.doctor.libva import NoVaapi, ask
from rtvfi.doctor.system import INSTALL, join_group
from rtvfi.stream.decode.hardware import built_in, probe_vaapi
from rtvfi.stream.write.encoders.codecs import CODECS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtvfi.doctor.finding import Finding, Place

_SECONDS: Final = 10.0
_OLDEST: Final = (5, 1)
FILTERS: Final = ("scale", "format", "bwdif", "select", "hwupload", "hwdownload")
"""FFmpeg filters that the child processes for VA-API use."""
DECODERS: Final = ("h264", "hevc", "av1", "vp9", "mpeg2video")
ENCODERS: Final = tuple(codec.name for codec in CODECS.values() if not codec.is_hardware)
_DISTROS: Final = "apt install ffmpeg, pacman -S ffmpeg, dnf install ffmpeg-free"


def check_software(_place: Place) -> Iterator[Finding]:
    """Check PyAV (decodes in software, writes files) and the system's ffmpeg (for VA-API)."""
    yield from _check_pyav()
    yield from _check_ffmpeg()


def _check_pyav() -> Iterator[Finding]:
    try:
        import av
        import av.filter
    except (ImportError, OSError) as error:
        yield fail("video", f"PyAV cannot be imported: {error}", INSTALL)
        return
    have = av.codecs_available
    lacking = [name for name in DECODERS if name not in have]
    if "bwdif" not in av.filter.filters_available:
        lacking.append("bwdif")
    if lacking:
        text = f"PyAV {av.__version__} lacks {', '.join(lacking)}"
        yield warn("video", text, "pip install --force-reinstall av")
    encoders = [name for name in ENCODERS if name in have]
    text = f"PyAV {av.__version__} decodes in software; writes {', '.join(encoders)}"
    if encoders:
        yield ok("video", text)
    else:
        yield warn("video", "PyAV has no encoder: nothing can be written", INSTALL)


def _check_ffmpeg() -> Iterator[Finding]:
    path = find_ffmpeg()
    if path is None:
        yield warn(
            "ffmpeg",
            "not installed: no hardware decoding with VA-API",
            f"{_DISTROS}; software decoding works without it",
        )
        return
    code, said, why = run(("-hide_banner", "-version"), _SECONDS)
    found = re.search(r"^ffmpeg version n?(\S+)", said.decode(errors="replace"), re.MULTILINE)
    if code or found is None:
        last = why.strip().splitlines()[-1:] or [f"status {code}"]
        yield warn("ffmpeg", f"{path} does not run: {last[0]}", f"install it again: {_DISTROS}")
        return
    number = re.match(r"(\d+)\.(\d+)", found[1])
    if number and (int(number[1]), int(number[2])) < _OLDEST:
        yield warn("ffmpeg", f"ffmpeg {found[1]} is older than 5.1", "VA-API needs a newer one")
        return
    _, listed, _ = run(("-hide_banner", "-filters"), _SECONDS)
    have = set(re.findall(r"^\s\S+\s+(\w+)\s", listed.decode(errors="replace"), re.MULTILINE))
    if lacking := [name for name in FILTERS if name not in have]:
        text = f"ffmpeg {found[1]} lacks the filters {', '.join(lacking)}"
        yield warn("ffmpeg", text, f"install the system's own: {_DISTROS}")
    else:
        yield ok("ffmpeg", f"ffmpeg {found[1]} with the filters needed")


def check_vaapi(place: Place) -> Iterator[Finding]:
    """Check render nodes, permissions, drivers, and report what they decode and encode."""
    folder = place.root / "dev/dri"
    names: list[str] = []
    try:
        names = sorted(str(p) for p in folder.iterdir() if p.name.startswith("renderD"))
    except FileNotFoundError:
        pass
    except OSError as error:
        yield warn("vaapi", f"{folder} cannot be read: {error.strerror}", join_group(folder))
        return
    chosen = _chosen_device()
    if chosen != "auto" and chosen not in names:
        names.append(chosen)
    if not names:
        yield warn(
            "vaapi",
            "no render node in /dev/dri: films are decoded in software",
            "this is fine for most films; the GPU's kernel driver creates the node",
        )
        return
    for name in names:
        yield from _check_device(name, place)
    yield from _check_encoders()


def _chosen_device() -> str:
    """The device that the user's settings name, which may be an X display."""
    from rtvfi.settings.config import resolve_config, user_file

    try:
        return str(resolve_config({}, None, user_file())["vaapi_device"])
    except RtvfiError:  # the check of the settings reports it
        return "auto"


def _check_device(name: str, place: Place) -> Iterator[Finding]:
    path = Path(name)
    if name.startswith("/") and not path.exists():
        yield warn("vaapi", f"your settings name {name}, which is missing", "vaapi_device = auto")
        return
    if name.startswith("/") and not os.access(name, os.R_OK | os.W_OK):
        yield warn("vaapi", f"you may not use {name}", join_group(path))
        return
    if not place.is_real:
        return
    shown = ", ".join(place.shown("LIBVA_DRIVER_NAME"))
    try:
        vendor, decodes, encodes = ask(name)
    except (NoVaapi, OSError) as error:
        yield warn(
            "vaapi",
            f"{name}: {error}" + (shown and f" ({shown})"),
            "unset LIBVA_DRIVER_NAME"
            if shown
            else "install the GPU's VA-API driver: "
            "mesa-va-drivers (AMD), intel-media-va-driver (Intel)",
        )
        return
    yield ok("vaapi", f"{name}: {vendor}")
    yield ok("vaapi", f"decodes {', '.join(decodes) or 'nothing'}")
    yield ok("vaapi", f"encodes {', '.join(encodes) or 'nothing'}")
    if "H.264" not in decodes and "HEVC" not in decodes:
        yield warn(
            "vaapi",
            "neither H.264 nor HEVC: films are decoded in software",
            "some distributions omit them: Fedora has them in mesa-va-drivers-freeworld",
        )
    yield from _check_round_trip(name)


def _check_round_trip(name: str) -> Iterator[Finding]:
    """Check that ffmpeg can send a picture to the device and back, as decoding does."""
    reason = probe_vaapi(name).reason
    if reason:
        yield warn("vaapi", f"ffmpeg cannot use it: {reason}", command_line("play --hwaccel none"))
    else:
        yield ok("vaapi", "a picture went to the device and back")


def _check_encoders() -> Iterator[Finding]:
    names = built_in()
    if names:
        yield ok("vaapi", f"ffmpeg can encode with {', '.join(names)}")
