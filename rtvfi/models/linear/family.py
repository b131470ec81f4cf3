"""Registers ``linear`` and ``copy``, which need no weights, and builds the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.models.family import Family, has_no_weights
from rtvfi.models.linear.blend import Linear, Nearest
from rtvfi.models.linear.rows import COPY

if TYPE_CHECKING:
    from rtvfi.models.base import Interpolator
    from rtvfi.models.family import Request


def _build(request: Request) -> Interpolator:
    return Nearest() if request.info is COPY else Linear()


FAMILY: Final = Family("linear", has_no_weights, _build)
