"""Timestep maps around the centre of three pictures, for splatting and for RIFE.

As in DRBA, a pixel of the centre picture that moves far on one side and little on the other moves
at the same speed on both sides. The maps scale the flows for splatting, so each side needs its own:
the map of the centre on the centre's grid, and the map of the other picture on that picture's grid.

Source: routineLife1/DRBA (MIT).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rtvfi.models.drba.drba import HOLE_BELOW, STILL
from rtvfi.models.warp import splat

if TYPE_CHECKING:
    from torch import Tensor

SWAP_ABOVE = 25
"""Where one side is moved this many times as far as the other, only the nearer side is used."""


def splat_steps(u: float, near: Tensor, far: Tensor, metric: Tensor) -> tuple[Tensor, Tensor]:
    """The share of its flow by which each pixel of the centre and of the near picture is moved.

    Args:
        u: distance in time from the centre, 0 < u <= 0.5.
        near: (1, 2, h, w) float32, pixels, on the centre's grid: the flow to the picture on the
            side of the output.
        far: the same, to the picture on the other side.
        metric: (1, 1, h, w), the metric of the centre for the near side.

    Returns:
        (1, 1, h, w) float32 each: for the flow from the centre, and for that from the near picture.
    """
    step = _step(u, *_distances(near, far))
    return step, _landed(1 - step, near, metric)


def rife_steps(u: float, near: Tensor, far: Tensor, metric: Tensor) -> Tensor:
    """The timestep map for RIFE, (1, 1, h, w); arguments as in ``splat_steps``."""
    distances = (distance + STILL for distance in _distances(near, far))
    step = _step(u, *distances)
    return _landed(step, near * step, metric)


def _distances(near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
    return (
        torch.linalg.vector_norm(near, dim=1, keepdim=True),
        torch.linalg.vector_norm(far, dim=1, keepdim=True),
    )


def _step(u: float, near: Tensor, far: Tensor) -> Tensor:
    total = near + far
    # The original divides by zero where a pixel does not move on either side.
    return 2 * u * torch.where(total > 0, far / total, 0.5)


def _landed(values: Tensor, flow: Tensor, metric: Tensor) -> Tensor:
    """Splat ``values`` along a flow; where no pixel arrives, they stay unchanged."""
    out = splat(torch.cat((values, torch.ones_like(values)), 1), flow, "soft", metric)
    return torch.where(out[:, 1:] < HOLE_BELOW, values, out[:, :1])


def reached(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The shares by which the splatted pixels of each side were moved; 1 where either has a hole.

    Args:
        first: (1, 2, h, w), splatted from the first side: its steps, and ones.
        second: the same from the second side.

    Returns:
        (1, 1, h, w) each.
    """
    holes = (first[:, 1:] < HOLE_BELOW) | (second[:, 1:] < HOLE_BELOW)
    return torch.where(holes, 1.0, first[:, :1]), torch.where(holes, 1.0, second[:, :1])


def swapped(first: Tensor, second: Tensor, come: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Both sides; where one was moved much further than the other, the other replaces it.

    Args:
        first: (1, C, h, w), splatted from the first side.
        second: the same from the second side.
        come: the result of ``reached``, at this size.
    """
    to_second = come[0] / come[1] > SWAP_ABOVE
    to_first = come[1] / come[0] > SWAP_ABOVE
    return torch.where(to_second, second, first), torch.where(to_first, first, second)
