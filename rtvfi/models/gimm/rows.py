"""The catalogue's rows of GIMM-VFI."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import ModelInfo, PadRule


def _gimm(model_id: str) -> ModelInfo:
    return ModelInfo(
        id=model_id,
        family="gimm",
        picture="rgb",
        num_frames=2,
        pad=PadRule(multiple=32),
        gmac_1080p=17_840.0,
        licence="S-Lab 1.0 NC",
        weights=f"{model_id}.safetensors",
    )


ROWS: Final = (_gimm("gimm"), _gimm("gimm-base"))
"""Trained for how pictures look, and for their numbers."""
