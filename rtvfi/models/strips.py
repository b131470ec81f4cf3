"""Pictures made strip by strip, so that memory does not grow with their height."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from rtvfi.models.warp import enlarge, sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_GROUP: Final = 16
"""Channels fetched together: what is made float32 for that at a time."""
_LEAST_ROWS: Final = 64
"""Of a strip: below, most of the work would be for rows around it."""


def fetch(image: Tensor, flow: Tensor, first_row: int = 0, step: int = 1) -> Tensor:
    """``warp.backwarp``, for a strip of the picture that is made, or for some of its pixels.

    Args:
        image: (1, C, H, W), any float dtype; outside, the border repeats.
        flow: (1, 2, h, W) float32, pixels: of the rows from ``first_row`` on.
        first_row: where the strip begins.
        step: its pixels are so far apart, in both directions.

    Returns:
        (1, C, h, W) in the dtype of ``image``.
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
    # Fetching is float32: of a picture kept in half precision, some channels at a time.
    return torch.cat([sample(part, grid) for part in torch.split(image, _GROUP, 1)], 1)


def in_strips(make: Callable[[int, int], Tensor], height: int, rows: int, reach: int) -> Tensor:
    """A picture made strip by strip, for memory's sake.

    Args:
        make: from first and past-the-last row to (1, C, rows, W) of those rows; it may be wrong
            within ``reach`` rows of an edge that is not the picture's own.
        height: of the picture.
        rows: of a strip that are kept.
        reach: rows around them that they depend on.

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
    """Rows of ``warp.enlarge``, of which nothing else is made.

    Args:
        image: (N, C, H, W), any float dtype.
        factor: at least 1.
        top: the first row wanted, a multiple of ``factor``.
        end: past the last one, another.

    Returns:
        (N, C, end - top, factor * W).
    """
    above = max(top // factor - 1, 0)
    below = min(end // factor + 1, image.shape[2])
    rows = enlarge(image[:, :, above:below], factor)
    skipped = top - above * factor
    return rows[:, :, skipped : skipped + end - top]


def strip_rows(width: int, channels: int, size: int, most_bytes: int) -> int:
    """Rows of a strip that keep ``channels`` numbers of ``size`` bytes below ``most_bytes``."""
    return max(_LEAST_ROWS, most_bytes // (width * channels * size) // 8 * 8)
