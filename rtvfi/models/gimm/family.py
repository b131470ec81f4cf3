"""Registers GIMM-VFI: recognises its weight files and builds the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.models.family import Detected, Family
from rtvfi.models.gimm.model import Gimm
from rtvfi.models.gimm.shape import detect, expected_parameters, looks_like
from rtvfi.models.tuning import tune

if TYPE_CHECKING:
    from rtvfi.models.base import Interpolator
    from rtvfi.models.family import Request, State


def _detect(state: State) -> Detected | None:
    return Detected(detect(state), expected_parameters()) if looks_like(state) else None


def _build(request: Request) -> Interpolator:
    tuning = tune(request.device, request.dtype)
    return Gimm(request.state, request.info, tuning, flow_scale=request.flow_scale)


FAMILY: Final = Family("gimm", _detect, _build)
