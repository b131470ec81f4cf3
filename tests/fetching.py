"""Pictures fetched along a known flow."""

from __future__ import annotations

import torch
from torch.nn import functional


def fetch(picture: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Every second pixel of the other time, fetched from ``picture`` along a half-density flow."""
    size = picture.shape[-1]
    line = torch.arange(0, size, 2)
    x = (line + flow[:, 0] + 0.5) * 2 / size - 1
    y = (line[:, None] + flow[:, 1] + 0.5) * 2 / size - 1
    return functional.grid_sample(
        picture.float(), torch.stack((x, y), -1), padding_mode="border", align_corners=False
    )


def smooth_texture() -> torch.Tensor:
    """(1, 4, 64, 64) RGBA, opaque, of slopes that a bilinear lookup hits well."""
    line = torch.linspace(-3, 3, 64)
    smooth = torch.stack(
        (line.sin().outer(line.cos()), line.cos().outer(line.sin()), line.outer(line) / 9)
    )
    return torch.cat((smooth / 2 + 0.5, torch.ones(1, 64, 64)))[None]
