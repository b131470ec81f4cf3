"""The catalogue's row of ``dis``."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import ModelInfo, PadRule

DIS: Final = ModelInfo(
    id="dis",
    family="dis",
    picture="yuv",
    num_frames=2,
    pad=PadRule(multiple=1),
    gmac_1080p=None,
    licence="MIT",
    weights=None,
    is_torch_free=True,
)
ROWS: Final = (DIS,)
