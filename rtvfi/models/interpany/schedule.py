"""In which order pictures are made: steps towards one picture, levels between two."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from rtvfi.models.interpany.parts import Estimate, Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from rtvfi.models.interpany.parts import Network

Shown = TypeVar("Shown")


def steps(target: Tensor, start: Tensor, num_steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of (where to, where from), evenly from ``start`` to ``target``.

    Args:
        target: (N, 1, H, W).
        start: the same.
        num_steps: at least 1.
    """
    whole = [
        target * (k / num_steps) + start * ((num_steps - k) / num_steps)
        for k in range(num_steps + 1)
    ]
    for here, there in pairwise(whole):
        yield there, here


def step_by_step(
    net: Network, shared: object, target: Tensor, start: Reference, num_steps: int
) -> Estimate:
    """The picture at ``target``, each step's picture being the reference of the next.

    Args:
        net: one with reference.
        shared: of its ``encode``.
        target: (N, 1, H, W) float32.
        start: a picture whose index is known: the first one with 0 everywhere, or another.
        num_steps: at least 1; each costs a run of the network.
    """
    reference, estimate = start, None
    for index, here in steps(target, start.gone, num_steps):
        estimate = net.decode(shared, index, Reference(reference.picture, here))
        reference = Reference(estimate.picture, index)
    assert estimate is not None
    return estimate


def subdivided(
    first: Shown,
    last: Shown,
    numbers: Sequence[int],
    between: Callable[[Shown, Shown, list[float]], Sequence[Shown]],
) -> list[Shown]:
    """All pictures from ``first`` to ``last``, both included, in levels.

    Every level puts so many new pictures between each two neighbours of the level before.

    Args:
        first: a picture in any form.
        last: the same.
        numbers: of new pictures, level by level, each at least 1.
        between: makes pictures between two at timesteps.

    Returns:
        1 + the product of (number + 1) pictures.
    """
    row = [first, last]
    for number in numbers:
        ts = [j / (number + 1) for j in range(1, number + 1)]
        finer = [row[0]]
        for a, b in pairwise(row):
            finer += [*between(a, b, ts), b]
        row = finer
    return row
