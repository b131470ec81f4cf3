"""Registers DistilDRBA: recognises its weight files and builds the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.models.distil_drba.network import SHAPES, DistilDrba, detect, expected_parameters
from rtvfi.models.family import Detected, Family
from rtvfi.models.tuning import tune

if TYPE_CHECKING:
    from rtvfi.models.base import Interpolator
    from rtvfi.models.family import Request, State

FIRST: Final = "block0.conv0.0.0.weight"
INPUTS: Final = 58
"""Input channels of its first block: three pictures with features, and t. RIFE has fewer."""


def _detect(state: State) -> Detected | None:
    if FIRST not in state or tuple(state[FIRST].shape[1:]) != (INPUTS, 3, 3):
        return None
    group = detect(state)
    return Detected(f"distil-drba {group}", expected_parameters(SHAPES[group]))


def _build(request: Request) -> Interpolator:
    tuning = tune(request.device, request.dtype)
    return DistilDrba(request.state, request.info, tuning, flow_scale=request.flow_scale)


FAMILY: Final = Family("distil_drba", _detect, _build)
