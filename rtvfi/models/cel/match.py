"""How ``cel`` compares two pictures: features made comparable, products at opposite shifts, and the
last fraction of a pixel.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rtvfi.models.warp import backwarp

FLAT = 5e-4
"""Sum of squared slopes of luma in 7 x 7 pixels below which there is nothing to hold on to."""
FARTHEST = 1.0
"""Longest correction, pixels: what the slope at one place says holds about so far."""


def normalise(z: Tensor) -> Tensor:
    """Take the 5 x 5 mean away and divide by the size of the channel vector, in float32.

    Without the mean removed, every place looks like every other and matching learns nothing.
    """
    z = z.float()
    z = z - box(z, 5) / box(z.new_ones(1, 1, *z.shape[-2:]), 5)
    return z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-3)


def box(x: Tensor, side: int) -> Tensor:
    """Mean over ``side`` x ``side``, zero outside.

    As a depthwise convolution, which a CPU does about 15 times faster than average pooling
    (torch 2.13, AVX-512: 0.09 against 1.5 ms for 9 channels of 120 x 214).
    """
    kernel = x.new_full((x.shape[1], 1, side, side), 1 / side**2)
    return F.conv2d(x, kernel, padding=side // 2, groups=x.shape[1])


def correlate(a: Tensor, b: Tensor, radius: int) -> Tensor:
    """Compare ``a`` moved by -d with ``b`` moved by +d for every integer shift ``|d| <= radius``.

    Args:
        a: (N, C, H, W) normalised features.
        b: the same.
        radius: largest shift, pixels of this level.

    Returns:
        (N, (2 r + 1)^2, H, W), the mean product smoothed over 3 x 3; row-major in (dy, dx).
    """
    if torch.is_grad_enabled() and (a.requires_grad or b.requires_grad):
        costs: Tensor = _Products.apply(a, b, radius)  # type: ignore[no-untyped-call]  # torch has no type
    else:
        costs = _products(F.pad(a, (radius,) * 4), F.pad(b, (radius,) * 4), radius)
    return box(costs, 3)


def _windows(padded: Tensor, radius: int) -> list[tuple[Tensor, int]]:
    """Every shifted view of a padded tensor, row-major."""
    side = 2 * radius + 1
    height, width = padded.shape[-2] - side + 1, padded.shape[-1] - side + 1
    return [
        (padded[:, :, i : i + height, j : j + width], i * side + j)
        for i in range(side)
        for j in range(side)
    ]


def _products(a: Tensor, b: Tensor, radius: int) -> Tensor:
    ahead = [view for view, _ in _windows(b, radius)]
    behind = [view for view, _ in reversed(_windows(a, radius))]
    return torch.stack([(x * y).mean(dim=1) for x, y in zip(behind, ahead, strict=True)], dim=1)


class _Kept(Protocol):
    """What torch keeps from the way forward to the way back."""

    radius: int
    saved_tensors: tuple[Tensor, Tensor]

    def save_for_backward(self, *tensors: Tensor) -> None: ...


class _Products(torch.autograd.Function):
    """``_products`` with a gradient that adds into one buffer (autograd would fill one per
    shift)."""

    @staticmethod
    def forward(ctx: _Kept, a: Tensor, b: Tensor, radius: int) -> Tensor:
        a, b = F.pad(a, (radius,) * 4), F.pad(b, (radius,) * 4)
        ctx.save_for_backward(a, b)
        ctx.radius = radius
        return _products(a, b, radius)

    @staticmethod
    def backward(ctx: _Kept, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        a, b = ctx.saved_tensors
        radius = ctx.radius
        grad = grads[0] / a.shape[1]
        grad_a, grad_b = torch.zeros_like(a), torch.zeros_like(b)
        last = grad.shape[1] - 1
        for (x, gx), (y, gy) in zip(
            zip(_windows(a, radius), _windows(grad_a, radius), strict=True),
            zip(reversed(_windows(b, radius)), reversed(_windows(grad_b, radius)), strict=True),
            strict=True,
        ):
            g = grad[:, last - x[1], None]
            gx[0].addcmul_(y[0], g)
            gy[0].addcmul_(x[0], g)
        inner = (slice(None), slice(None), slice(radius, -radius), slice(radius, -radius))
        return grad_a[inner], grad_b[inner], None


def lucas_kanade(flow: Tensor, left: Tensor, right: Tensor, t: Tensor) -> Tensor:
    """Correct both flows by one step of Lucas and Kanade (1981), seen from the new frame.

    A motion d more between the pictures moves the left place by -t d, the right one by (1 - t) d.
    The d that makes luma agree best around a pixel, to first order, is A^-1 b: A the sum of g g^T,
    b the sum of g times what is left of the difference, g the slope of the blended picture, both
    over 7 x 7 pixels.

    Args:
        flow: (N, 4, H, W) float32, to the left (x, y) and to the right (x, y), pixels.
        left: (N, 1, H, W) float32 luma in [-1, 1].
        right: the same.
        t: (N, 1, 1, 1) float32.

    Returns:
        Like ``flow``; gradients pass as if the correction were a constant.
    """
    with torch.no_grad():
        d = _correction(flow, left, right, t)
    return flow + torch.cat((d * -t, d * (1 - t)), dim=1)


def _correction(flow: Tensor, left: Tensor, right: Tensor, t: Tensor) -> Tensor:
    a, b = backwarp(left, flow[:, 0:2]), backwarp(right, flow[:, 2:4])
    apart = a - b
    blended = F.pad(torch.lerp(b, a, t), (1, 1, 1, 1), mode="replicate")
    x = (blended[..., 1:-1, 2:] - blended[..., 1:-1, :-2]) / 2
    y = (blended[..., 2:, 1:-1] - blended[..., :-2, 1:-1]) / 2
    products = torch.cat((x * x, x * y, y * y, x * apart, y * apart), dim=1)
    sums = _sum_of_7(_sum_of_7(F.pad(products, (3, 3, 3, 3)), 3), 2)
    xx, xy, yy, xa, ya = torch.split(sums, 1, dim=1)
    xx, yy = xx + FLAT, yy + FLAT
    dx, dy, size = yy * xa - xy * ya, xx * ya - xy * xa, xx * yy - xy * xy
    # divided by the determinant, or by more where the result would be longer than FARTHEST
    return torch.cat((dx, dy), dim=1) / torch.maximum(size, torch.hypot(dx, dy) / FARTHEST)


def _sum_of_7(x: Tensor, dim: int) -> Tensor:
    """Sums of 7 neighbours along ``dim``, 6 fewer than there were. On a CPU a fifth of the time of
    a convolution (torch 2.13, AVX-512: 0.5 against 2.4 ms for both directions of 5 channels of
    270 x 480)."""
    length = x.shape[dim] - 6
    of_2 = x.narrow(dim, 0, length + 5) + x.narrow(dim, 1, length + 5)
    of_4 = of_2.narrow(dim, 0, length) + of_2.narrow(dim, 2, length)
    return of_4.add_(of_2.narrow(dim, 4, length)).add_(x.narrow(dim, 6, length))
