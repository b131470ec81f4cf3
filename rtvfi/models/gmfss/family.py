"""Registers GMFSS: recognises its weight files and builds the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.models.family import Detected, Family
from rtvfi.models.gmfss.model import Gmfss
from rtvfi.models.gmfss.shape import detect, expected_parameters
from rtvfi.models.tuning import tune

if TYPE_CHECKING:
    from rtvfi.models.base import Interpolator
    from rtvfi.models.family import Request, State


def _detect(state: State) -> Detected | None:
    if not any(key.startswith("fusionnet.") for key in state):
        return None
    network, rife = detect(state)
    return Detected(f"gmfss {rife}".rstrip(), expected_parameters(network, rife))


def _build(request: Request) -> Interpolator:
    return Gmfss(
        request.state,
        request.info,
        tune(request.device, request.dtype),
        metric_tanh=bool(request.settings["metric_tanh"]),
        flow_scale=request.flow_scale,
    )


FAMILY: Final = Family("gmfss", _detect, _build)
