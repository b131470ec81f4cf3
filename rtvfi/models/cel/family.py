"""Registers ``cel``: recognises its weight files and builds the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.models.cel.network import Cel, build
from rtvfi.models.family import Detected, Family
from rtvfi.models.tuning import network_dtype

if TYPE_CHECKING:
    from rtvfi.models.base import Interpolator
    from rtvfi.models.family import Request, State


def _detect(state: State) -> Detected | None:
    if not any(key.startswith("encoder.stages.") for key in state):
        return None
    return Detected("cel", state.keys())


def _build(request: Request) -> Interpolator:
    net = build(request.state).to(request.device, network_dtype(request.device, request.dtype))
    return Cel(net, request.flow_scale)


FAMILY: Final = Family("cel", _detect, _build)
