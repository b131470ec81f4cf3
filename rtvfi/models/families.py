"""The families of models, and the detection of a weight file's network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import WeightsMismatch
from rtvfi.models.discover import modules
from rtvfi.models.family import strip_prefix

if TYPE_CHECKING:
    from rtvfi.models.family import Detected, Family, State

FAMILIES: Final[dict[str, Family]] = {
    family.name: family
    for family in sorted((module.FAMILY for module in modules("family")), key=lambda f: f.is_broad)
}
"""Families by name. Those with a broad rule come last, as the first that accepts a file gets it."""


def detect(state: State) -> Detected:
    """Determine the network of a state dict from its keys and shapes.

    Raises:
        WeightsMismatch: the network is unknown, or the weights are incomplete; the message names a
            parameter.
    """
    state = strip_prefix(state)
    for family in FAMILIES.values():
        found = family.detect(state)
        if found is not None:
            return found
    first = next(iter(state), "")
    raise WeightsMismatch(f'no known network has a parameter "{first}"')
