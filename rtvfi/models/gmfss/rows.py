"""The models of GMFSS in the catalogue."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import with_weights

_GMAC: Final = {
    "gmfss": 1909.2,
    "gmfss-fortuna": 1909.2,
    "gmfss-union": 1920.4,
    "gmfss-union-fortuna": 1930.0,
}
"""10^9 multiply-adds for one 1920x1080 frame."""
PLACE: Final = 70
ROWS: Final = tuple(
    with_weights(name, "gmfss", 64, gmac, num_frames=3) for name, gmac in _GMAC.items()
)
