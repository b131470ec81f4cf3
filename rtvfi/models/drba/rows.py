"""The catalogue row of DRBA."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import ModelInfo

NETWORKS: Final = (
    "rife-4.26.heavy",
    "rife-4.26",
    "rife-4.25",
    "rife-4.25.heavy",
    "rife-4.25.lite",
)
"""The RIFE networks DRBA can use, best first; its author uses 4.26.heavy. DRBA takes the motion
between two pictures from the coarsest block, which works at 1/16 of the size here but only at 1/8
in earlier networks.
"""
FETCHED: Final = "rife-4.25"
"""The one of these that is easiest to get."""

DRBA: Final = ModelInfo(
    id="drba",
    family="drba",
    num_frames=3,
    pad_multiple=64,
    gmac_1080p=44.9,
    weights=f"{FETCHED}.safetensors",
    runs_with=tuple(f"{name}.safetensors" for name in NETWORKS),
)
PLACE: Final = 50
ROWS: Final = (DRBA,)
