"""Finds the families of models: the packages beside this module that have certain modules."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from rtvfi import models

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


def modules(name: str) -> Iterator[ModuleType]:
    """Import ``rtvfi.models.FAMILY.NAME`` of every family that has it, in alphabetical order.

    Args:
        name: ``rows``, which needs no torch, or ``family``.
    """
    for package in iter_modules(models.__path__):
        full_name = f"{models.__name__}.{package.name}.{name}"
        if package.ispkg and find_spec(full_name) is not None:
            yield import_module(full_name)
