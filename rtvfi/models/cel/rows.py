"""The catalogue row of ``cel``."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import ModelInfo

CEL: Final = ModelInfo(
    id="cel",
    family="cel",
    picture="yuv",
    pad_multiple=2,
    gmac_1080p=18.0,
    licence="CC0-1.0",
    weights="cel.safetensors",
)
PLACE: Final = 20
ROWS: Final = (CEL,)
