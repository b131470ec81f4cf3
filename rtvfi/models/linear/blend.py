"""Models without weights: ``linear`` blends two pictures, ``copy`` gives the nearer one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rtvfi.models.base import Planes
from rtvfi.models.linear.rows import COPY, LINEAR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Linear:
    """A cross-fade; equal pictures give that picture, exactly."""

    info = LINEAR

    def prepare(self, frame: Planes) -> Planes:
        """The picture itself."""
        return frame

    def pair(self, a: Planes, b: Planes, ts: Sequence[float | Tensor]) -> Planes:
        """``a + t (b - a)`` for every t, a number; see ``base.Interpolator``."""
        return Planes(*(_fade(left, right, ts) for left, right in zip(a, b, strict=True)))


def _fade(left: Tensor, right: Tensor, ts: Sequence[float | Tensor]) -> Tensor:
    return torch.cat([torch.lerp(left, right, float(t)) for t in ts])


class Nearest:
    """The picture whose time is nearer, the left one at 0.5."""

    info = COPY

    def prepare(self, frame: Planes) -> Planes:
        """The picture itself."""
        return frame

    def pair(self, a: Planes, b: Planes, ts: Sequence[float | Tensor]) -> Planes:
        """``a`` up to t = 0.5, else ``b``; see ``base.Interpolator``."""
        nearer = [a if float(t) <= 0.5 else b for t in ts]
        return Planes(torch.cat([p.y for p in nearer]), torch.cat([p.uv for p in nearer]))
