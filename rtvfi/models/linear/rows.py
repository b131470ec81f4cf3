"""The models ``linear`` and ``copy`` in the catalogue."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import ModelInfo


def _weight_free(model_id: str) -> ModelInfo:
    return ModelInfo(id=model_id, family="linear", picture="yuv", pad_multiple=1, gmac_1080p=0.0)


LINEAR: Final = _weight_free("linear")
COPY: Final = _weight_free("copy")
PLACE: Final = 30
ROWS: Final = (LINEAR, COPY)
