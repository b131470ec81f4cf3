"""The catalogue's row of ``cel``."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import ModelInfo, PadRule

CEL: Final = ModelInfo(
    id="cel",
    family="cel",
    picture="yuv",
    num_frames=2,
    pad=PadRule(multiple=2),
    gmac_1080p=18.0,
    licence="CC0-1.0",
    weights="cel.safetensors",
)
ROWS: Final = (CEL,)
