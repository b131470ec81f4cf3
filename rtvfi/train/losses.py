"""The losses that the training of ``cel`` minimises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from torch import Tensor


def pyramid_l1(x: Tensor, y: Tensor, num_levels: int) -> Tensor:
    """Sum of the mean absolute differences at full, half, quarter ... size (average pooling).

    At small sizes there is a gradient even for objects that are far from their true position, where
    full-size differences have none.
    """
    difference = x - y
    total = difference.abs().mean()
    for _ in range(num_levels - 1):
        difference = F.avg_pool2d(difference, 2)
        total = total + difference.abs().mean()
    return total


def flow_error(state: Tensor, flow: Tensor) -> Tensor:
    """The error of both flows in a state (the network's estimate at one level).

    For coarse states (a quarter of the size or less) it is the mean absolute error in pixels of
    that level. For fine states it is the mean square root of the absolute error, so that the last
    tenth of a pixel of a slow pan weighs as much as many pixels in occluded or very fast regions.

    Args:
        state: (N, 4 or more, h, w), pixels of its own size.
        flow: (N, 4, H, W), the true flow, H a multiple of h, pixels of that size.
    """
    ratio = flow.shape[-1] // state.shape[-1]
    if ratio >= 4:
        return (state[:, 0:4] - F.avg_pool2d(flow, ratio) / ratio).abs().mean()
    truth = F.avg_pool2d(flow, ratio) if ratio > 1 else flow
    return ((state[:, 0:4] * ratio - truth).square() + 4e-4).pow(0.25).mean()
