"""The catalogue's rows of GMFSS."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import ModelInfo, PadRule


def _gmfss(model_id: str, gmac: float) -> ModelInfo:
    return ModelInfo(
        id=model_id,
        family="gmfss",
        picture="rgb",
        num_frames=3,
        pad=PadRule(multiple=64),
        gmac_1080p=gmac,
        licence="MIT",
        weights=f"{model_id}.safetensors",
    )


ROWS: Final = (
    _gmfss("gmfss", 1909.2),
    _gmfss("gmfss-fortuna", 1909.2),
    _gmfss("gmfss-union", 1920.4),
    _gmfss("gmfss-union-fortuna", 1930.0),
)
