"""Refresh rate ranges of the connected displays, from their EDID."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.core.hardware import machine
from rtvfi.core.hardware.machine import read

if TYPE_CHECKING:
    from pathlib import Path

_DESCRIPTORS: Final = (54, 72, 90, 108)
"""Offsets of the four descriptors in the base block."""
_LIMITS: Final = b"\x00\x00\x00\xfd"
"""First bytes of a display range limits descriptor."""
_MORE: Final = 255
"""Hz added to a limit whose offset flag is set."""


def panel_range(root: Path = machine.ROOT) -> tuple[int, int] | None:
    """(lowest, highest) rate in Hz of the connected display with the highest one; None when no
    display gives a range.

    This does not say whether the display can vary its rate, nor whether the desktop lets it.
    """
    found = []
    for connector in (root / "sys/class/drm").glob("card*-*"):
        if read(connector / "status").strip() == "connected":
            try:
                limits = range_of((connector / "edid").read_bytes())
            except OSError:
                continue
            if limits is not None:
                found.append(limits)
    return max(found, key=lambda limits: limits[1], default=None)


def range_of(edid: bytes) -> tuple[int, int] | None:
    """(lowest, highest) rate in Hz from an EDID; None when it has no range."""
    for start in _DESCRIPTORS:
        part = edid[start : start + 18]
        if len(part) == 18 and part.startswith(_LIMITS):
            flags, low, high = part[4], part[5], part[6]
            low += _MORE if flags & 3 == 3 else 0
            high += _MORE if flags & 2 else 0
            return (low, high) if 0 < low <= high else None
    return None
