"""Finds out, once per process, which devices can decode video here, or why they cannot.

The existence of a render node proves little: its driver may be missing or broken, or ffmpeg built
without VA-API. So a picture is sent to the device and back, which takes a few tenths of a second if
there is a device, and no time if there is none.
"""

from __future__ import annotations

import ctypes
import grp
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import DeviceError
from rtvfi.core.ffmpeg import explain, find_ffmpeg, render_nodes, run

if TYPE_CHECKING:
    from rtvfi.core.options import SourceOptions

_PROBE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Device:
    """A device that was tested."""

    name: str
    """A render node, or an X display such as ``:0``."""
    reason: str = ""
    """Why it cannot be used; empty if it can."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vaapi:
    """What is known about VA-API through the system's ffmpeg."""

    ffmpeg: str | None
    """Path of the program; None if it is not installed."""
    devices: tuple[Device, ...] = ()
    """The devices that were tested, in order, up to the first that works."""
    reason: str = ""
    """Why no device can be used; empty if one can."""
    is_expected: bool = False
    """The machine has such hardware, so that a failure deserves a warning."""

    @property
    def device(self) -> str | None:
        """Name of the device that works."""
        return next((device.name for device in self.devices if not device.reason), None)


@lru_cache(maxsize=8)
def probe_vaapi(wanted: str = "auto") -> Vaapi:
    """Test VA-API on this machine; the result is cached.

    Args:
        wanted: a render node, an X display, or ``auto`` for the first render node that works.
    """
    nodes = [str(node) for node in render_nodes()]
    ffmpeg = find_ffmpeg()
    names = nodes if wanted == "auto" else [wanted]
    if not names:
        return Vaapi(ffmpeg=ffmpeg, reason="there is no render node in /dev/dri")
    if ffmpeg is None:
        return Vaapi(ffmpeg=None, reason="ffmpeg is not installed", is_expected=True)
    devices: list[Device] = []
    for name in names:
        devices.append(Device(name, _why_not(name)))
        if not devices[-1].reason:
            break
    working = any(not device.reason for device in devices)
    return Vaapi(
        ffmpeg=ffmpeg,
        devices=tuple(devices),
        reason="" if working else "; ".join(f"{d.name}: {d.reason}" for d in devices),
        is_expected=True,
    )


@lru_cache(maxsize=1)
def built_in() -> tuple[str, ...]:
    """VA-API encoders in the system's ffmpeg; the device may support fewer."""
    _, listed, _ = run(("-hide_banner", "-encoders"), _PROBE_SECONDS)
    return tuple(re.findall(r"^ V\S*\s+(\w+_vaapi)\s", listed.decode(), re.MULTILINE))


def _why_not(name: str) -> str:
    """Why a device cannot be used; empty if a picture came back from it."""
    if name.startswith("/"):
        if not os.path.exists(name):  # noqa: PTH110 - a device node, or whatever the user typed
            return "it does not exist"
        if not os.access(name, os.R_OK | os.W_OK):
            return f"you may not use it, you are not in the group {_group(name)}"
    code, _, said = run(
        (
            *("-hide_banner", "-v", "level+verbose", "-init_hw_device", f"vaapi=va:{name}"),
            *("-filter_hw_device", "va", "-f", "lavfi", "-i", "color=s=256x256:d=0.04"),
            *("-vf", "format=nv12,hwupload,hwdownload,format=nv12", "-f", "null", "-"),
        ),
        _PROBE_SECONDS,
    )
    return "" if code == 0 else explain(said.splitlines(), code)


def _group(path: str) -> str:
    try:
        return grp.getgrgid(os.stat(path).st_gid).gr_name  # noqa: PTH116
    except (KeyError, OSError):
        return "render"


@lru_cache(maxsize=1)
def why_no_cuda() -> str:
    """Why CUDA cannot decode here; empty if its driver starts."""
    from av.codec.hwaccel import hwdevices_available

    if "cuda" not in hwdevices_available():
        return "this PyAV is built without CUDA"
    try:
        ctypes.CDLL("libnvcuvid.so.1")
        code = ctypes.CDLL("libcuda.so.1").cuInit(0)
    except (OSError, AttributeError):
        return "there is no NVIDIA driver"
    return "" if code == 0 else f"the NVIDIA driver does not start (error {code})"


def check_hwaccel(options: SourceOptions) -> None:
    """Raise an error if the user named a device that cannot be used.

    Raises:
        DeviceError: the message says why.
    """
    if options.hwaccel == "vaapi" and (reason := probe_vaapi(options.vaapi_device).reason):
        raise no_device("vaapi", reason)
    if options.hwaccel == "cuda" and (reason := why_no_cuda()):
        raise no_device("cuda", reason)


def no_device(hwaccel: str, reason: str) -> DeviceError:
    """The error for a device that the user named and that cannot be used."""
    hint = "use --hwaccel auto, or none for the software decoder"
    if "not in the group" in reason:
        hint = f"sudo usermod -aG {reason.rpartition(' ')[2]} $USER, then log in again"
    return DeviceError(f"{hwaccel} cannot decode here: {reason}", hint)


def reset() -> None:
    """Clear the cached results, for tests."""
    probe_vaapi.cache_clear()
    built_in.cache_clear()
    why_no_cuda.cache_clear()
