"""Converts between stored pictures and the planes that models work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import avg_pool2d

from rtvfi.core.colour import KB, KG, KR, U_SPAN, V_SPAN
from rtvfi.models.base import Planes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from rtvfi.quality.triplets import Picture


def rgb_to_planes(rgb: Tensor) -> Planes:
    """Convert RGB, (N, 3, H, W), uint8, even sizes, to full-range BT.709 4:2:0 planes.

    Chroma is sited in the centre of its four pixels.
    """
    r, g, b = (rgb.float() / 255).unbind(dim=1)
    y = KR * r + KG * g + KB * b
    uv = torch.stack(((b - y) / U_SPAN, (r - y) / V_SPAN), dim=1)
    return Planes(y[:, None], avg_pool2d(uv, 2))


def to_planes(picture: Picture) -> Planes:
    """Convert a ``Picture`` to float32 planes with N = 1 on the CPU."""
    y, uv = torch.from_numpy(picture.y.copy()), torch.from_numpy(picture.uv.copy())
    return Planes(y[None, None].float() / 255, (uv[None].float() - 128) / 255)


def luma_bytes(planes: Planes) -> NDArray[np.uint8]:
    """The luma as (N, H, W) full-range 8-bit codes, rounded and clamped."""
    rounded = planes.y[:, 0].float().mul(255).round().clamp(0, 255).byte()
    luma: NDArray[np.uint8] = rounded.cpu().numpy()
    return luma
