"""AMD's graphics chips: what they are called, and which builds of torch can use them.

Pure but for its table, ``chips.tsv``, which the launcher reads, too.
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
    """LLVM's: gfx1100."""
    kind: Kind
    """``card``; ``graphics``, the part of a processor that can compute; ``display``, a part of a
    processor that is too small for that.
    """
    builds: tuple[str, ...]
    """Builds of torch with kernels for it, the preferred one first: ``amd``, ``pytorch``."""
    products: str
    facts: str
    """What was reported to go wrong, with the month; may be empty."""


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
    """Which of the AMD GPUs to compute on, by its place in the kernel's order; None = none of them.

    A card is taken before the graphics of a processor, and what only drives a display never.
    Of two cards the one with more units; between equals the first. A chip that the table does not
    know counts as a card: it is newer.
    """

    def worth(gpu: Gpu) -> int:
        chip = chips().get(gpu.arch)
        return _WORTH[chip.kind] if chip is not None else _WORTH["card"]

    ranked = sorted(range(len(gpus)), key=lambda i: (-worth(gpus[i]), -gpus[i].units))
    return ranked[0] if ranked and worth(gpus[ranked[0]]) else None
