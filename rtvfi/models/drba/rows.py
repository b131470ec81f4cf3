"""The catalogue's row of DRBA."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import ModelInfo, PadRule

DRBA_WEIGHTS: Final = "rife-4.26.heavy"
"""The network that DRBA is run with unless another encoder network is asked for."""

DRBA: Final = ModelInfo(
    id="drba",
    family="drba",
    picture="rgb",
    num_frames=3,
    pad=PadRule(multiple=64, fill="zero"),
    gmac_1080p=49.7,
    licence="MIT",
    weights=f"{DRBA_WEIGHTS}.safetensors",
)
ROWS: Final = (DRBA,)
