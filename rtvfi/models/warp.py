"""Warping pictures by optical flow: backward warping and splatting (forward warping).

Positions are always float32: in half precision, the sampling grid of a picture 1920 pixels wide has
a resolution of half a pixel, and pixels splatted beyond x = 1024 only reach every second column.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

SplatMode = Literal["sum", "avg", "linear", "soft"]
SplatEmpty = Literal["add", "zero", "clip"]
Outside = Literal["border", "zero"]
"""The value of positions outside the picture: the nearest pixel, or 0."""

EPSILON = 1e-7


def backwarp(image: Tensor, flow: Tensor, outside: Outside = "border") -> Tensor:
    """Backward warping: sample ``image`` where ``flow`` points.

    Bilinear, ``out(p) = image(p + flow(p))``. Differentiable in both arguments.

    Args:
        image: (N, C, H, W), any float dtype.
        flow: (N, 2, H, W), pixels, x right then y down; used as float32 (half precision loses
            sub-pixel steps beyond 1000 px).
        outside: the value of positions outside the picture.

    Returns:
        (N, C, H, W) in the dtype of ``image``.
    """
    height, width = image.shape[-2:]
    grid, to_grid = _identity_grid(height, width, flow.device)
    return sample(image, torch.addcmul(grid, flow.float(), to_grid), outside)


def backwarp_centres(image: Tensor, flow: Tensor, cell: int) -> Tensor:
    """``backwarp`` downscaled to 1/cell, computed only at the pixels that downscaling reads.

    Bilinear downscaling by an even factor (corners not aligned, no antialias) is the mean of the
    2x2 pixels in the middle of each cell, so only 4 of cell * cell pixels have to be sampled.

    Args:
        image: (N, C, H, W), any float dtype; H and W multiples of ``cell``.
        flow: (N, 2, 2H / cell, 2W / cell): ``centres(full_flow, cell)``, in full-size pixels.
        cell: even, at least 2.

    Returns:
        (N, C, H / cell, W / cell) in the dtype of ``image``; equal to
        ``interpolate(backwarp(image, full_flow), scale_factor=1 / cell)`` up to rounding.
    """
    height, width = image.shape[-2:]
    grid, to_grid = _identity_grid(height, width, flow.device)
    grid = centres(grid, cell)
    return shrink(sample(image, torch.addcmul(grid, flow.float(), to_grid)), 2)


def centres(field: Tensor, cell: int) -> Tensor:
    """The 2x2 middle pixels of every ``cell`` x ``cell`` square.

    Args:
        field: (N, C, H, W), H and W multiples of ``cell``.
        cell: even, at least 2.

    Returns:
        (N, C, 2H / cell, 2W / cell).
    """
    if cell == 2:
        return field
    height, width = field.shape[-2:]
    first = cell // 2 - 1
    rows, columns = height // cell, width // cell
    blocks = field.reshape(*field.shape[:2], rows, cell, columns, cell)
    middle = blocks[:, :, :, first : first + 2, :, first : first + 2]
    return middle.reshape(*field.shape[:2], 2 * rows, 2 * columns)


def padded(image: Tensor, multiple: int) -> Tensor:
    """Pad ``image`` with zeros on the right and at the bottom to a multiple of ``multiple``.

    Args:
        image: (N, C, H, W).
        multiple: pixels, at least 1.
    """
    height, width = image.shape[-2:]
    return functional.pad(image, (0, -width % multiple, 0, -height % multiple))


def shrink(image: Tensor, cell: float) -> Tensor:
    """Bilinear downscaling by ``cell`` (corners not aligned, no antialias); below 1 it upscales.

    Args:
        image: (N, C, H, W), any float dtype; H and W multiples of ``cell``.
        cell: a power of two; 1 returns ``image`` unchanged.
    """
    # For cell 2 this is the mean of 2x2 pixels, in a tenth of the time of avg_pool2d on a CPU.
    return enlarge(image, 1 / cell)


def enlarge(image: Tensor, factor: float) -> Tensor:
    """Bilinear upscaling by ``factor`` (corners not aligned, no antialias).

    Args:
        image: (N, C, H, W), any float dtype.
        factor: 1 returns ``image`` unchanged.
    """
    if factor == 1:
        return image
    return functional.interpolate(image, scale_factor=factor, mode="bilinear", align_corners=False)


def sample(image: Tensor, grid: Tensor, outside: Outside = "border") -> Tensor:
    """Sample ``image`` bilinearly at normalised positions, in float32.

    Args:
        image: (N, C, H, W), any float dtype.
        grid: (N, 2, h, w) float32, x then y; -1 and 1 are the centres of the first and last pixel.
        outside: the value of positions outside the picture.

    Returns:
        (N, C, h, w) in the dtype of ``image``.
    """
    if image.device.type == "cpu" and image.shape[0] == 1 and torch.is_inference_mode_enabled():
        out = _sample_in_shares(image.float(), grid, outside, torch.get_num_threads())
    else:
        out = _bilinear(image.float(), grid.permute(0, 2, 3, 1), outside)
    return out.to(image.dtype)


def _bilinear(image: Tensor, grid: Tensor, outside: Outside) -> Tensor:
    mode = "border" if outside == "border" else "zeros"
    return functional.grid_sample(
        image, grid, mode="bilinear", padding_mode=mode, align_corners=True
    )


def _sample_in_shares(image: Tensor, grid: Tensor, outside: Outside, threads: int) -> Tensor:
    """``sample`` for one picture, its channels or pixels split into a batch.

    On a CPU, grid_sample runs in parallel only over the batch (torch 2.13).
    """
    channels, (height, width) = image.shape[1], grid.shape[-2:]
    if channels >= threads:
        shares = _largest_divisor(channels, threads)
        parts = torch.unflatten(image[0], 0, (shares, channels // shares))
        wanted = grid.permute(0, 2, 3, 1).expand(shares, -1, -1, -1)
        return _bilinear(parts, wanted, outside).view(1, channels, height, width)
    shares = _largest_divisor(height * width, threads)
    rows = grid.reshape(2, shares, 1, -1).permute(1, 2, 3, 0)
    out = _bilinear(image.expand(shares, -1, -1, -1), rows, outside)
    return out.transpose(0, 1).reshape(1, channels, height, width)


def _largest_divisor(number: int, most: int) -> int:
    return next(k for k in range(most, 0, -1) if number % k == 0)


def _identity_grid(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The grid that samples every pixel at its own position, and grid units per pixel."""
    if _is_recorded(device):
        # A recorded graph needs its own grid: the cache may free the shared one.
        return _new_grid(height, width, device)
    return _kept_grid(height, width, device)


def _is_recorded(device: torch.device) -> bool:
    """Whether the operations are being compiled, or captured in a CUDA graph."""
    if torch.compiler.is_compiling():
        return True
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


@lru_cache(maxsize=8)
def _kept_grid(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    # Created outside inference mode, because training shares the cache.
    with torch.inference_mode(mode=False):
        return _new_grid(height, width, device)


def _new_grid(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    xs = torch.linspace(-1, 1, width, device=device).expand(height, width)
    ys = torch.linspace(-1, 1, height, device=device)[:, None].expand(height, width)
    steps = [torch.full((1, 1, 1), 2 / max(n - 1, 1), device=device) for n in (width, height)]
    return torch.stack((xs, ys))[None], torch.stack(steps, 1)


def splat(
    image: Tensor,
    flow: Tensor,
    mode: SplatMode = "avg",
    metric: Tensor | None = None,
    empty: SplatEmpty = "add",
) -> Tensor:
    """Splatting (forward warping): distribute every pixel to the four pixels around its target.

    With w the bilinear weights and m the metric, ``sum`` computes S[x] = sum of w x; ``avg`` S[x] /
    S[1]; ``linear`` S[x m] / S[m]; ``soft`` S[x e^m] / S[e^m]. Contributions outside the picture
    and from pixels with a non-finite position are dropped; a pixel without contributions is exactly
    0. After Niklaus and Liu, "Softmax Splatting for Video Frame Interpolation" (2020).

    Args:
        image: (N, C, H, W), any float dtype; summed in float32.
        flow: (N, 2, H, W), pixels, x right then y down.
        mode: see above.
        metric: (N, 1, H, W), for ``linear`` and ``soft`` only.
        empty: how to avoid a division by 0: ``add`` adds 1e-7 to every denominator, ``zero``
            replaces denominators equal to 0 by 1, ``clip`` clamps them to at least 1e-7.

    Returns:
        (N, C, H, W) in the dtype of ``image``.

    Raises:
        ValueError: ``metric`` is missing for a mode that needs it, or given for another.
    """
    if (metric is not None) != (mode in ("linear", "soft")):
        raise ValueError(f'splat mode "{mode}" with metric {metric is not None}')
    if mode == "sum":
        return _splat_sum(image.float(), flow.float()).to(image.dtype)
    values = image.float()
    weight = torch.ones_like(values[:, :1])
    if metric is not None:
        weight = metric.float().exp() if mode == "soft" else metric.float()
    sums = _splat_sum(torch.cat((values * weight, weight), 1), flow.float())
    total = sums[:, -1:]
    if empty == "add":
        total = total + EPSILON
    elif empty == "zero":
        total = torch.where(total == 0, 1.0, total)
    else:
        total = total.clamp(min=EPSILON)
    return (sums[:, :-1] / total).to(image.dtype)


def _splat_sum(values: Tensor, flow: Tensor) -> Tensor:
    """S[values] as defined in ``splat``: (N, C, H, W), float32.

    Args:
        values: (N, C, H, W) float32.
        flow: (N, 2, H, W) float32, pixels.
    """
    batch, channels, height, width = values.shape
    device = values.device
    x = flow[:, 0] + torch.arange(width, device=device, dtype=torch.float32)
    y = flow[:, 1] + torch.arange(height, device=device, dtype=torch.float32)[:, None]
    left, top = x.floor(), y.floor()
    out = values.new_zeros(batch, channels, height * width)
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = left + right, top + down
        weight = (1 - (x - column).abs()) * (1 - (y - row).abs())
        # A comparison with NaN is false, so non-finite positions are outside too.
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        index = torch.where(inside, row, 0.0).long() * width
        index += torch.where(inside, column, 0.0).long()
        share = torch.where(inside[:, None], values * weight[:, None], 0.0)
        flat = index.view(batch, 1, -1).expand(-1, channels, -1)
        out = out.scatter_add(2, flat, share.flatten(2))
    return out.view(batch, channels, height, width)
