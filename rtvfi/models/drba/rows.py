"""The catalogue's row of DRBA."""

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
"""What DRBA can run with, the best first: its author runs it with 4.26.heavy. Motion between two
pictures is asked of the coarsest block, which in earlier networks sees eighths, not sixteenths.
"""
FETCHED: Final = "rife-4.25"
"""Of those the one that is easiest to get."""

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
