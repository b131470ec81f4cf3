"""Registers RIFE 4.x: recognises its weight files and builds the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.models.family import Detected, Family, strip_prefix
from rtvfi.models.rife.network import Rife
from rtvfi.models.rife.shape import SHAPES, detect, expected_parameters
from rtvfi.models.tuning import tune

if TYPE_CHECKING:
    from rtvfi.models.base import Interpolator
    from rtvfi.models.family import Request, State

NEAREST: Final = {"4.25": 0.25}
"""By architecture: the least distance of a timestep from 0 and 1 that is passed to the network.

RIFE 4.25 treats timesteps below 0.12 like 0 and returns the left picture, so at 0.1 moving objects
lag by a tenth of their motion. Computing the flow at 0.25 and scaling it gives the right positions
(drawn scenes, t = 0.1: 46.8 dB instead of 37.2; t = 0.16: 44.9 instead of 41.3).
"""
FIRST: Final = "block0.conv0.0.0.weight"
"""A parameter that every network with these blocks has."""


def _detect(state: State) -> Detected | None:
    if FIRST not in state:
        return None
    group = detect(state)
    return Detected(f"rife {group}", expected_parameters(SHAPES[group]))


def _build(request: Request) -> Interpolator:
    tuning = tune(request.device, request.dtype)
    nearest = NEAREST.get(detect(strip_prefix(request.state)), 0.0)
    scale = request.flow_scale
    return Rife(request.state, request.info, tuning, flow_scale=scale, nearest=nearest)


FAMILY: Final = Family("rife", _detect, _build, is_broad=True)
