"""Asks libva what a VA-API device can do, without the program vainfo.

A driver may crash or hang, so use this only in a child process. The constants are those of va.h in
VA-API 1.x.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROFILES: Final = {
    1: "MPEG-2",
    10: "VC-1",
    6: "H.264",
    7: "H.264",
    13: "H.264",
    36: "H.264 10 bit",
    14: "VP8",
    17: "HEVC",
    18: "HEVC 10 bit",
    19: "VP9",
    21: "VP9 10 bit",
    32: "AV1",
}
_DECODES: Final = 1
_ENCODES: Final = (6, 8)


class NoVaapi(Exception):  # noqa: N818 - a reason
    """VA-API is not available; the text says why."""


def _library(name: str) -> ctypes.CDLL:
    found = ctypes.util.find_library(name)
    if found is None:
        raise NoVaapi(f"lib{name} is not installed")
    return ctypes.CDLL(found)


@contextmanager
def _display(name: str) -> Iterator[int]:
    """Context manager that opens a render node or an X display; yields libva's handle of it."""
    if name.startswith("/"):
        library, function = _library("va-drm"), "vaGetDisplayDRM"
        device: ctypes.c_int | ctypes.c_void_p = ctypes.c_int(os.open(name, os.O_RDWR))
        close: Callable[[int], object] = os.close
    else:
        x11 = _library("X11")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        library, function = _library("va-x11"), "vaGetDisplay"
        device = ctypes.c_void_p(x11.XOpenDisplay(name.encode()))
        if not device.value:
            raise NoVaapi(f"there is no display {name}")
        close = lambda handle: x11.XCloseDisplay(ctypes.c_void_p(handle))  # noqa: E731
    try:
        get = getattr(library, function)
        get.restype = ctypes.c_void_p
        handle = get(device)
        if not handle:
            raise NoVaapi("libva knows no such device")
        yield handle
    finally:
        close(device.value or 0)


def ask(name: str) -> tuple[str, list[str], list[str]]:
    """Query a device.

    Args:
        name: a render node or an X display.

    Returns:
        (name of the driver, codecs it decodes, codecs it encodes).

    Raises:
        NoVaapi: VA-API is not available.
        OSError: the node cannot be opened.
    """
    va = _library("va")
    va.vaQueryVendorString.restype = ctypes.c_char_p
    va.vaErrorStr.restype = ctypes.c_char_p
    with _display(name) as handle:
        display = ctypes.c_void_p(handle)
        major, minor = ctypes.c_int(), ctypes.c_int()
        status = va.vaInitialize(display, ctypes.byref(major), ctypes.byref(minor))
        if status:
            raise NoVaapi(f"its driver does not start ({va.vaErrorStr(status).decode()})")
        try:
            vendor = (va.vaQueryVendorString(display) or b"unknown driver").decode()
            return vendor, *_abilities(va, display)
        finally:
            va.vaTerminate(display)


def _abilities(va: ctypes.CDLL, display: ctypes.c_void_p) -> tuple[list[str], list[str]]:
    profiles = (ctypes.c_int * max(1, va.vaMaxNumProfiles(display)))()
    points = (ctypes.c_int * max(1, va.vaMaxNumEntrypoints(display)))()
    count = ctypes.c_int()
    if va.vaQueryConfigProfiles(display, profiles, ctypes.byref(count)):
        return [], []
    able: dict[str, set[int]] = {}
    num_points = ctypes.c_int()
    for profile in profiles[: count.value]:
        status = va.vaQueryConfigEntrypoints(display, profile, points, ctypes.byref(num_points))
        if profile in PROFILES and not status:
            able.setdefault(PROFILES[profile], set()).update(points[: num_points.value])
    order = list(dict.fromkeys(PROFILES.values()))
    return (
        [name for name in order if _DECODES in able.get(name, ())],
        [name for name in order if able.get(name, set()).intersection(_ENCODES)],
    )
