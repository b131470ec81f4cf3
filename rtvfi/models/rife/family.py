"""RIFE 4.x for the loader."""

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
"""By architecture, how near to a picture a time may be that the network is asked for.

Trained RIFE 4.25 takes times below 0.12 for 0: what it makes there is the left picture, so at 0.1
all that moves stands a tenth of its way too far back. Asked at 0.25, with the motion scaled, it is
right: drawn scenes, 0.1 of the way, 46.8 dB instead of 37.2; at 0.16 44.9 instead of 41.3.
"""
FIRST: Final = "block0.conv0.0.0.weight"
"""The parameter that every network of these blocks has."""


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
