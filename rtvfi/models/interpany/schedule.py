"""The order of computation: in steps towards one picture, or in levels between two."""

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
    """The target and start index of each of ``num_steps`` equal steps from ``start`` to ``target``.

    Args:
        target: distance index, (N, 1, H, W).
        start: the same shape.
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
    """Compute the picture at ``target``; the result of each step is the reference of the next.

    Args:
        net: a network with reference.
        shared: the result of its ``encode``.
        target: distance index, (N, 1, H, W) float32.
        start: the reference of the first step: img0 with the index 0, or another picture.
        num_steps: at least 1; each step runs the network once.
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
    """Interpolate in levels; returns all pictures from ``first`` to ``last``, both included.

    Each level interpolates pictures between all neighbours of the previous level.

    Args:
        first: a picture in any form.
        last: a picture in the same form.
        numbers: for each level, the number of pictures to interpolate between two neighbours, at
            least 1.
        between: interpolates between two pictures at timesteps.

    Returns:
        1 + the product of all (number + 1) pictures.
    """
    row = [first, last]
    for number in numbers:
        ts = [j / (number + 1) for j in range(1, number + 1)]
        finer = [row[0]]
        for a, b in pairwise(row):
            finer += [*between(a, b, ts), b]
        row = finer
    return row
