"""Between which rates the connected panels can vary, from what they tell of themselves (EDID)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.core.hardware import machine
from rtvfi.core.hardware.machine import read

if TYPE_CHECKING:
    from pathlib import Path

_DESCRIPTORS: Final = (54, 72, 90, 108)
"""Where the four descriptors of the base block begin."""
_LIMITS: Final = b"\x00\x00\x00\xfd"
"""How one begins that gives the range of rates."""
_MORE: Final = 255
"""Added to a limit whose flag is set."""


def panel_range(root: Path = machine.ROOT) -> tuple[int, int] | None:
    """Lowest and highest rate in Hz of the connected panel that goes highest; None: none tells.

    Whether a panel varies its rate, and is let by the desktop, is not told here.
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
    """The range that a panel's EDID gives; None when it gives none."""
    for start in _DESCRIPTORS:
        part = edid[start : start + 18]
        if len(part) == 18 and part.startswith(_LIMITS):
            flags, low, high = part[4], part[5], part[6]
            low += _MORE if flags & 3 == 3 else 0
            high += _MORE if flags & 2 else 0
            return (low, high) if 0 < low <= high else None
    return None
