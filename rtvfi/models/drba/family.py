"""Registers DRBA: builds it around a RIFE network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.models.drba.drba import Drba
from rtvfi.models.family import Family, has_no_weights, strip_prefix
from rtvfi.models.rife.family import NEAREST
from rtvfi.models.rife.network import Rife
from rtvfi.models.rife.rows import RIFE_GROUPS, ROWS
from rtvfi.models.rife.shape import detect
from rtvfi.models.tuning import tune

if TYPE_CHECKING:
    from rtvfi.models.base import Interpolator
    from rtvfi.models.family import Request


def _build(request: Request) -> Interpolator:
    group = detect(strip_prefix(request.state))
    version = RIFE_GROUPS[group][0].partition(" ")[0]  # any version: all pad alike
    row = next(row for row in ROWS if row.id == f"rife-{version}")
    tuning = tune(request.device, request.dtype)
    nearest = NEAREST.get(group, 0.0)
    scale = request.flow_scale
    net = Rife(request.state, row, tuning, flow_scale=scale, nearest=nearest)
    return Drba(net, request.info)


FAMILY: Final = Family("drba", has_no_weights, _build)  # its weights are RIFE's
