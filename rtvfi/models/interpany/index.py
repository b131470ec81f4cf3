"""Distance indices: which share of its way every pixel of the first picture has gone.

Networks are trained on indices that were clipped and blurred, so what they are shown must be, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

NARROW: Final = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""Blur of an index at half size."""
SIGMA: Final = 1.7
"""Of the blur at full size, pixels; its 9 taps reach 4 to each side."""


def softened_small(index: Tensor) -> Tensor:
    """A stored index as RIFE D is shown it: clipped, blurred at half size, pixels repeated.

    Args:
        index: (N, 1, H/2, W/2), any float dtype.

    Returns:
        (N, 1, H, W) float32, 0..1.
    """
    return _repeated(_blurred(index.float().clamp(0, 1), torch.tensor(NARROW)))


def softened(index: Tensor) -> Tensor:
    """A full-size index as the other networks are shown it: clipped and blurred.

    Args:
        index: (N, 1, H, W), any float dtype.

    Returns:
        (N, 1, H, W) float32, 0..1.
    """
    reach = torch.arange(-4, 5, dtype=torch.float32)
    taps = torch.exp(-reach.square() / (2 * SIGMA**2))
    return _blurred(index.float().clamp(0, 1), taps / taps.sum())


def enlarged(index: Tensor) -> Tensor:
    """A stored index (N, 1, h, w) at full size (N, 1, 2h, 2w), float32, pixels repeated."""
    return _repeated(index.float())


def painted(masks: Sequence[Tensor], values: Sequence[float], rest: float) -> Tensor:
    """The index of a moment in which every object has gone its own share, before blurring.

    Args:
        masks: (H, W) bool each, on the grid of the first picture; where they overlap, the first
            wins.
        values: how far each object has gone, 0..1.
        rest: of what no mask covers.

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
    """Both directions, the border mirrored without repeating it."""
    taps = taps.to(index.device)
    reach = len(taps) // 2
    for shape, pad in (
        ((1, 1, 1, -1), (reach, reach, 0, 0)),
        ((1, 1, -1, 1), (0, 0, reach, reach)),
    ):
        # a picture smaller than the blur has nothing to mirror
        mirrors = max(pad) < index.shape[-1 if pad[0] else -2]
        mode = "reflect" if mirrors else "replicate"
        index = functional.conv2d(functional.pad(index, pad, mode=mode), taps.view(shape))
    return index
