"""Registers InterpAny-Clearer: recognises its weight files and builds the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.models.family import Detected, Family, check_parameters
from rtvfi.models.interpany.model import Interpany, expected_parameters, network_name
from rtvfi.models.interpany.rhythm import RhythmInterpany
from rtvfi.models.tuning import tune

if TYPE_CHECKING:
    from rtvfi.models.base import Interpolator
    from rtvfi.models.family import Request, State


def _detect(state: State) -> Detected | None:
    if network_name(state) is None:
        return None
    network, wanted = expected_parameters(state)
    check_parameters(state, wanted, network)
    return Detected(network, wanted)


def _build(request: Request) -> Interpolator:
    kind = RhythmInterpany if request.info.num_frames == 3 else Interpany
    tuning = tune(request.device, request.dtype)
    return kind(request.state, request.info, tuning, flow_scale=request.flow_scale)


FAMILY: Final = Family("interpany", _detect, _build)
