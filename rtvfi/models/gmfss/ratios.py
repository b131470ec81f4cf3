"""Timestep maps around the centre of three pictures, for splats and for RIFE.

As in DRBA, a pixel of the centre picture that goes far on one side and little on the other advances
at one speed across both. Here the maps scale splats, so each side needs its own: that of the centre
on its own grid, that of the far picture moved to where the pixels are there.

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
"""Where one side has come so many times further than the other, it is shown in place of both."""


def splat_steps(u: float, near: Tensor, far: Tensor, metric: Tensor) -> tuple[Tensor, Tensor]:
    """How far the centre and the picture on the side of the output are moved, per pixel.

    Args:
        u: distance in time from the centre, 0 < u <= 0.5.
        near: (1, 2, h, w) float32, pixels, on the centre's grid: to the side of the output.
        far: the same, to the other side.
        metric: (1, 1, h, w), that of the centre against the near side.

    Returns:
        (1, 1, h, w) float32 each: shares of the flow from the centre, and of that from the side.
    """
    step = _step(u, *_distances(near, far))
    return step, _landed(1 - step, near, metric)


def rife_steps(u: float, near: Tensor, far: Tensor, metric: Tensor) -> Tensor:
    """The timestep map that RIFE is asked with, (1, 1, h, w); see ``splat_steps``."""
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
    # The original divides by zero where a pixel stands still on both sides.
    return 2 * u * torch.where(total > 0, far / total, 0.5)


def _landed(values: Tensor, flow: Tensor, metric: Tensor) -> Tensor:
    """``values`` where their pixels go; unmoved where none arrives."""
    out = splat(torch.cat((values, torch.ones_like(values)), 1), flow, "soft", metric)
    return torch.where(out[:, 1:] < HOLE_BELOW, values, out[:, :1])


def reached(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """How far what landed of either side has come, 1 in holes of either.

    Args:
        first: (1, 2, h, w) that landed of the first side: its steps, and ones.
        second: the same of the second.

    Returns:
        (1, 1, h, w) each.
    """
    holes = (first[:, 1:] < HOLE_BELOW) | (second[:, 1:] < HOLE_BELOW)
    return torch.where(holes, 1.0, first[:, :1]), torch.where(holes, 1.0, second[:, :1])


def swapped(first: Tensor, second: Tensor, come: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Both sides, the near one in place of both where the other has come from much further.

    Args:
        first: (1, C, h, w), what landed.
        second: the same of the other side.
        come: of ``reached``, at this size.
    """
    to_second = come[0] / come[1] > SWAP_ABOVE
    to_first = come[1] / come[0] > SWAP_ABOVE
    return torch.where(to_second, second, first), torch.where(to_first, first, second)
