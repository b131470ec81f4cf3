"""The catalogue's rows of DistilDRBA."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import ModelInfo, PadRule


def _distil(model_id: str, gmac: float) -> ModelInfo:
    return ModelInfo(
        id=model_id,
        family="distil_drba",
        picture="rgb",
        num_frames=3,
        pad=PadRule(multiple=64, fill="zero"),
        gmac_1080p=gmac,
        licence="MIT",
        weights=f"{model_id}.safetensors",
    )


ROWS: Final = (_distil("distil-drba-v1", 48.6), _distil("distil-drba-v2-lite", 13.2))
