"""Every family of networks, and which of them a weight file is for."""

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
"""By name, those with a broad rule last: the first that knows a state dict has it."""


def detect(state: State) -> Detected:
    """Which network a state dict is for, from its keys and shapes alone.

    Raises:
        WeightsMismatch: none that rtvfi knows, or one that is not whole; it names a parameter.
    """
    state = strip_prefix(state)
    for family in FAMILIES.values():
        found = family.detect(state)
        if found is not None:
            return found
    first = next(iter(state), "")
    raise WeightsMismatch(f'no known network has a parameter "{first}"')
