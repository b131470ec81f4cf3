"""Models without weights: ``linear`` blends two pictures, ``copy`` repeats the nearer one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rtvfi.models.base import Planes
from rtvfi.models.linear.rows import COPY, LINEAR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Linear:
    """A cross-fade; two equal pictures give exactly that picture."""

    info = LINEAR

    def prepare(self, frame: Planes) -> Planes:
        """The picture itself."""
        return frame

    def pair(self, a: Planes, b: Planes, ts: Sequence[float | Tensor]) -> Planes:
        """``a + t (b - a)`` for every timestep; timesteps are numbers, not maps."""
        return Planes(*(_fade(left, right, ts) for left, right in zip(a, b, strict=True)))


def _fade(left: Tensor, right: Tensor, ts: Sequence[float | Tensor]) -> Tensor:
    return torch.cat([torch.lerp(left, right, float(t)) for t in ts])


class Nearest:
    """Repeats the picture nearer in time; at 0.5, the left one."""

    info = COPY

    def prepare(self, frame: Planes) -> Planes:
        """The picture itself."""
        return frame

    def pair(self, a: Planes, b: Planes, ts: Sequence[float | Tensor]) -> Planes:
        """``a`` for every timestep up to 0.5, else ``b``; timesteps are numbers, not maps."""
        nearer = [a if float(t) <= 0.5 else b for t in ts]
        return Planes(torch.cat([p.y for p in nearer]), torch.cat([p.uv for p in nearer]))
