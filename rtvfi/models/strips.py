"""Computing pictures in horizontal strips, so that memory does not grow with their height."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from rtvfi.models.warp import enlarge, sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_GROUP: Final = 16
"""Channels warped at a time: only these are converted to float32 at once."""
_LEAST_ROWS: Final = 64
"""Least height of a strip: in a lower one, most of the work would be the overlapping rows."""


def fetch(image: Tensor, flow: Tensor, first_row: int = 0, step: int = 1) -> Tensor:
    """``warp.backwarp`` for a strip of the output, or for every ``step``-th pixel of it.

    Args:
        image: (1, C, H, W), any float dtype; positions outside read the nearest border pixel.
        flow: (1, 2, h, w) float32, pixels: the flow of the rows from ``first_row`` on.
        first_row: the first row of the strip.
        step: distance of the output pixels in the picture, in both directions.

    Returns:
        (1, C, h, w) in the dtype of ``image``.
    """
    height, width = image.shape[-2:]
    rows, columns = flow.shape[-2:]
    device = flow.device
    x = step * torch.arange(columns, device=device, dtype=torch.float32)
    y = first_row + step * torch.arange(rows, device=device, dtype=torch.float32)[:, None]
    grid = torch.stack(
        (
            (flow[:, 0] + x) * (2 / max(width - 1, 1)) - 1,
            (flow[:, 1] + y) * (2 / max(height - 1, 1)) - 1,
        ),
        1,
    )
    if image.dtype == torch.float32:
        return sample(image, grid)
    # Sampling runs in float32; convert a half-precision picture a few channels at a time.
    return torch.cat([sample(part, grid) for part in torch.split(image, _GROUP, 1)], 1)


def in_strips(make: Callable[[int, int], Tensor], height: int, rows: int, reach: int) -> Tensor:
    """Compute a picture in strips to save memory.

    Args:
        make: computes the rows from its first argument to its second (exclusive), (1, C, rows, W);
            within ``reach`` rows of a strip's edge the result may be wrong, and is not used.
        height: height of the picture.
        rows: rows of a strip that are used.
        reach: rows above and below a strip that its rows depend on.

    Returns:
        (1, C, height, W).
    """
    if rows >= height:
        return make(0, height)
    parts = []
    for top in range(0, height, rows):
        end = min(top + rows, height)
        above, below = max(top - reach, 0), min(end + reach, height)
        parts.append(make(above, below)[:, :, top - above : end - above].clone())
    return torch.cat(parts, 2)


def enlarged_rows(image: Tensor, factor: int, top: int, end: int) -> Tensor:
    """Some rows of ``warp.enlarge``, without computing the others.

    Args:
        image: (N, C, H, W), any float dtype.
        factor: at least 1.
        top: the first row, a multiple of ``factor``.
        end: the row after the last one, a multiple of ``factor``.

    Returns:
        (N, C, end - top, factor * W).
    """
    above = max(top // factor - 1, 0)
    below = min(end // factor + 1, image.shape[2])
    rows = enlarge(image[:, :, above:below], factor)
    skipped = top - above * factor
    return rows[:, :, skipped : skipped + end - top]


def strip_rows(width: int, channels: int, size: int, most_bytes: int) -> int:
    """Height of a strip with at most ``most_bytes`` for ``channels`` values of ``size`` bytes.

    It is a multiple of 8, but at least 64.
    """
    return max(_LEAST_ROWS, most_bytes // (width * channels * size) // 8 * 8)
