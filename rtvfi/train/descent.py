"""One step of training: the weights move, and their average follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

_STEEPEST: Final = 1.0
"""Norm to which gradients are cut."""


def descend(net: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Move the weights by a loss of this step; a gradient of NaN or infinity moves nothing."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), _STEEPEST)
    if bool(torch.isfinite(norm)):
        optimizer.step()


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, step: int, most: float) -> None:
    """Let the averaged weights follow those of the network.

    Args:
        average: changed in place.
        net: of the same shape.
        step: steps made, from 1: young averages forget faster, or they would drag the first random
            weights along.
        most: share of the average that is kept in the long run.
    """
    keep = min(most, (1 + step) / (10 + step))
    for mean, current in zip(average.parameters(), net.parameters(), strict=True):
        mean.lerp_(current, 1 - keep)
