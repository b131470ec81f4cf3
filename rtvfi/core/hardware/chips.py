"""AMD's graphics chips: their names, and which builds of torch can use them.

The data is in ``chips.tsv``, which the launcher ``run`` reads, too: keep its format.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rtvfi.core.hardware.machine import Gpu

Kind = Literal["card", "graphics", "display"]


@dataclass(frozen=True, slots=True)
class Chip:
    """A line of the table."""

    name: str
    """LLVM's name, such as gfx1100."""
    kind: Kind
    """``card`` = discrete; ``graphics`` = integrated, able to compute; ``display`` = integrated and
    too small to compute.
    """
    builds: tuple[str, ...]
    """Builds of torch with kernels for it, the preferred one first: ``amd``, ``pytorch``."""
    products: str
    facts: str
    """Known problems as reported, with the month; may be empty."""


@cache
def chips() -> Mapping[str, Chip]:
    """All lines by name."""
    text = Path(__file__).with_name("chips.tsv").read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, kind, builds, products, facts = line.split("\t")
        known = () if builds == "none" else tuple(builds.split(","))
        found[name] = Chip(name, cast("Kind", kind), known, products, facts)
    return found


_WORTH = {"card": 3, "graphics": 2, "display": 0}


def best(gpus: Sequence[Gpu]) -> int | None:
    """Index of the AMD GPU to compute on, in the kernel's order; None = none of them.

    A discrete card is preferred to an integrated GPU; one that only drives a display is never
    chosen. Of two cards the one with more units wins, of equal ones the first. A chip that is not
    in the table counts as a card, because it is probably newer than the table.
    """

    def worth(gpu: Gpu) -> int:
        chip = chips().get(gpu.arch)
        return _WORTH[chip.kind] if chip is not None else _WORTH["card"]

    ranked = sorted(range(len(gpus)), key=lambda i: (-worth(gpus[i]), -gpus[i].units))
    return ranked[0] if ranked and worth(gpus[ranked[0]]) else None
