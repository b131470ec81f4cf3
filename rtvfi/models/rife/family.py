"""RIFE 4.x for the loader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.models.family import Detected, Family
from rtvfi.models.rife.network import Rife
from rtvfi.models.rife.shape import SHAPES, detect, expected_parameters
from rtvfi.models.tuning import tune

if TYPE_CHECKING:
    from rtvfi.models.base import Interpolator
    from rtvfi.models.family import Request, State

FIRST: Final = "block0.conv0.0.0.weight"
"""The parameter that every network of these blocks has."""


def _detect(state: State) -> Detected | None:
    if FIRST not in state:
        return None
    group = detect(state)
    return Detected(f"rife {group}", expected_parameters(SHAPES[group]))


def _build(request: Request) -> Interpolator:
    tuning = tune(request.device, request.dtype)
    return Rife(request.state, request.info, tuning, flow_scale=request.flow_scale)


FAMILY: Final = Family("rife", _detect, _build)
