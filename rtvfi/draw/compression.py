"""Imitates the artefacts of a video codec at low bit rates: coarsely quantised 8 x 8 DCT blocks."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rtvfi.core.colour import KB, KG, KR

BLOCK = 8
RAMP = 0.35
"""The quantisation step grows by this fraction of the first step with each frequency."""


def cosines() -> Tensor:
    """The matrix of the orthonormal DCT-II, (8, 8), one frequency per row."""
    k = torch.arange(BLOCK, dtype=torch.float64)
    rows = torch.cos(math.pi / BLOCK * k[:, None] * (k + 0.5)) * math.sqrt(2 / BLOCK)
    rows[0] /= math.sqrt(2)
    return rows.float()


def compress(picture: Tensor, step: Tensor) -> Tensor:
    """Quantise the DCT coefficients of full-size luma and half-size chroma.

    Args:
        picture: (N, 3, H, W), RGB, [0, 1].
        step: (N,), the quantisation step of the lowest frequency, [0, 1]; 0 leaves a picture
            unchanged.

    Returns:
        (N, 3, H, W), not clamped.
    """
    r, g, b = picture.unbind(dim=1)
    y = KR * r + KG * g + KB * b
    colour = torch.stack((b - y, r - y), dim=1)
    small = F.avg_pool2d(colour, 2, ceil_mode=True, count_include_pad=False)
    size = picture.shape[-2:]
    y = _rounded(y[:, None], step)[:, 0]
    wide = F.interpolate(_rounded(small, 1.5 * step), scale_factor=2, mode="nearest")
    blue, red = wide[..., : size[0], : size[1]].unbind(dim=1)
    green = y - (KR * red + KB * blue) / KG
    out = torch.stack((y + red, green, y + blue), dim=1)
    return torch.where((step > 0).view(-1, 1, 1, 1), out, picture)


def _rounded(planes: Tensor, step: Tensor) -> Tensor:
    n, channels, height, width = planes.shape
    padded = F.pad(planes, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    rows, columns = padded.shape[-2] // BLOCK, padded.shape[-1] // BLOCK
    # The bits of a matrix product depend on the number of threads; workers use one.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        blocks = padded.view(n, channels, rows, BLOCK, columns, BLOCK).transpose(3, 4)
        basis = cosines()
        k = torch.arange(BLOCK, dtype=torch.float32)
        steps = (1 + RAMP * (k + k[:, None])) * step.clamp(min=1e-6).view(-1, 1, 1, 1, 1, 1)
        levels = torch.round(basis @ blocks @ basis.T / steps)
        made = (basis.T @ (levels * steps) @ basis).transpose(3, 4)
    finally:
        torch.set_num_threads(threads)
    return made.reshape(padded.shape)[..., :height, :width]
