"""Registers SAFA: recognises its weight files; it cannot be used as an interpolation model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from rtvfi.core.errors import UsageError
from rtvfi.core.program import command_line
from rtvfi.models.family import Detected, Family
from rtvfi.models.safa.shape import detect, expected_parameters, looks_like

if TYPE_CHECKING:
    from rtvfi.models.family import Request, State


def _detect(state: State) -> Detected | None:
    return Detected(detect(state), expected_parameters()) if looks_like(state) else None


def _build(_request: Request) -> NoReturn:
    raise UsageError(
        '"safa" restores pictures, it cannot interpolate',
        command_line("render --enhance safa FILE"),
    )


FAMILY: Final = Family("safa", _detect, _build)
