"""Distance indices: how far each pixel of img0 has moved on its path to img1, 0..1.

Networks are trained on clipped and blurred indices, so their inputs must be clipped and blurred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

NARROW: Final = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""Filter taps of the blur at half size."""
SIGMA: Final = 1.7
"""Standard deviation of the blur at full size, in pixels; it has 9 taps."""


def softened_small(index: Tensor) -> Tensor:
    """A stored index as the input of RIFE D: clipped, blurred at half size, pixels repeated.

    Args:
        index: (N, 1, H/2, W/2), any float dtype.

    Returns:
        (N, 1, H, W) float32, 0..1.
    """
    return _repeated(_blurred(index.float().clamp(0, 1), torch.tensor(NARROW)))


def softened(index: Tensor) -> Tensor:
    """A full-size index as the input of the other networks: clipped and blurred.

    Args:
        index: (N, 1, H, W), any float dtype.

    Returns:
        (N, 1, H, W) float32, 0..1.
    """
    reach = torch.arange(-4, 5, dtype=torch.float32)
    taps = torch.exp(-reach.square() / (2 * SIGMA**2))
    return _blurred(index.float().clamp(0, 1), taps / taps.sum())


def enlarged(index: Tensor) -> Tensor:
    """Upscale a stored index (N, 1, h, w) by repeating pixels: (N, 1, 2h, 2w), float32."""
    return _repeated(index.float())


def painted(masks: Sequence[Tensor], values: Sequence[float], rest: float) -> Tensor:
    """An index with one value per object, not blurred.

    Args:
        masks: (H, W) bool each, on the grid of img0; where they overlap, the first one counts.
        values: the distance of each object, 0..1.
        rest: the distance of pixels that no mask covers.

    Returns:
        (1, 1, H, W) float32.
    """
    out = torch.full(masks[0].shape, float(rest))
    for mask, value in reversed(list(zip(masks, values, strict=True))):
        out = torch.where(mask, torch.tensor(float(value)), out)
    return out[None, None]


def _repeated(index: Tensor) -> Tensor:
    return index.repeat_interleave(2, -1).repeat_interleave(2, -2)


def _blurred(index: Tensor, taps: Tensor) -> Tensor:
    """Blur in both directions; padded by reflection without repeating the edge."""
    taps = taps.to(index.device)
    reach = len(taps) // 2
    for shape, pad in (
        ((1, 1, 1, -1), (reach, reach, 0, 0)),
        ((1, 1, -1, 1), (0, 0, reach, reach)),
    ):
        # A picture smaller than the filter cannot be reflected.
        mirrors = max(pad) < index.shape[-1 if pad[0] else -2]
        mode = "reflect" if mirrors else "replicate"
        index = functional.conv2d(functional.pad(index, pad, mode=mode), taps.view(shape))
    return index
