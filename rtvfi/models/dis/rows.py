"""The catalogue row of ``dis``."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import ModelInfo

DIS: Final = ModelInfo(
    id="dis", family="dis", picture="yuv", pad_multiple=1, gmac_1080p=None, is_torch_free=True
)
PLACE: Final = 10
ROWS: Final = (DIS,)
