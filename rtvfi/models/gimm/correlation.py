"""Likeness of every pixel of one feature map with the surroundings of its match in another.

The plain way keeps the products of all pairs of pixels: 4.3 GB for a picture of 1920x1080, a third
more with its shrunk copies. Averaging and bilinear reading are linear in the second map, so the
same numbers are products with a shrunk second map at the few places that are read. For small
pictures the volume is quicker and is kept; ``VOLUME_BYTES`` decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

LEVELS: Final = 4
RADIUS: Final = 4
WINDOW: Final = 2 * RADIUS + 1
CHANNELS: Final = LEVELS * WINDOW**2
VOLUME_BYTES: Final = 512 << 20
"""Size up to which the products of all pairs are kept."""
_CHUNK_BYTES: Final = 64 << 20
_FAR: Final = 2.0**20
"""Pixels beyond which a position is as good as there."""


def pyramid(features: Tensor) -> tuple[Tensor, ...]:
    """A feature map and its halves, quarters and eighths, in float32.

    Args:
        features: (N, C, h, w), h and w at least 8.

    Returns:
        (N, C, h >> l, w >> l) for l = 0..3.
    """
    levels = [features.float()]
    for _ in range(LEVELS - 1):
        levels.append(functional.avg_pool2d(levels[-1], 2))
    return tuple(levels)


class Correlation:
    """Answers what the pixels of ``near`` have in common with places in ``far``.

    Args:
        near: (N, C, h, w) float32.
        far: its partner's ``pyramid``.
        volume_bytes: size up to which all products are kept.
    """

    def __init__(
        self, near: Tensor, far: Sequence[Tensor], volume_bytes: int = VOLUME_BYTES
    ) -> None:
        batch, channels = near.shape[:2]
        self.shape = (batch, *near.shape[-2:])
        self.sizes = [tuple(level.shape[-2:]) for level in far]
        scaled = near.flatten(2).transpose(1, 2) / channels**0.5  # (N, pixels, C)
        pixels = batch * scaled.shape[1]
        num_bytes = 4 * pixels * sum(rows * columns for rows, columns in self.sizes)
        self.volume: list[Tensor] | None = None
        if num_bytes <= volume_bytes:
            self.volume = [torch.bmm(scaled, level.flatten(2)).view(pixels, -1) for level in far]
        else:
            self.near = scaled.reshape(pixels, channels, 1)
            # Pixels of one map behind those of the other, so that one index says which.
            self.far = [level.flatten(2).transpose(1, 2).reshape(-1, channels) for level in far]

    def __call__(self, place: Tensor) -> Tensor:
        """Likeness around ``place``.

        Args:
            place: (N, 2, h, w) float32: for every pixel of ``near`` where it is in ``far``, x and
                y from 0; outside ``far`` likeness is 0.

        Returns:
            (N, 324, h, w) float32, channel ``81 l + 9 (x + 4) + (y + 4)`` for the steps x, y from
            the place, of one pixel at level l.
        """
        batch, height, width = self.shape
        flat = place.float().permute(0, 2, 3, 1).reshape(-1, 2)
        found = [self._around(flat / 2**level, level) for level in range(LEVELS)]
        out = torch.cat(found, 1).view(batch, height, width, CHANNELS)
        return out.permute(0, 3, 1, 2)

    def _around(self, place: Tensor, level: int) -> Tensor:
        """(pixels, 81) of one level: whole places are read and blended."""
        rows, columns = self.sizes[level]
        place = torch.nan_to_num(place).clamp(-_FAR, _FAR)
        corner = place.floor()
        share = place - corner
        steps = torch.arange(-RADIUS, RADIUS + 2, device=place.device)
        x = corner[:, :1].long() + steps
        y = corner[:, 1:].long() + steps
        # x is the slow one.
        inside = ((x >= 0) & (x < columns))[:, :, None] & ((y >= 0) & (y < rows))[:, None, :]
        index = x.clamp(0, columns - 1)[:, :, None] + columns * y.clamp(0, rows - 1)[:, None, :]
        likeness = self._products(index.flatten(1), level).view(inside.shape) * inside
        likeness = torch.lerp(likeness[:, :-1], likeness[:, 1:], share[:, 0, None, None])
        likeness = torch.lerp(likeness[..., :-1], likeness[..., 1:], share[:, 1, None, None])
        return likeness.flatten(1)

    def _products(self, index: Tensor, level: int) -> Tensor:
        """Of every pixel with those of ``far`` that its row of ``index`` names."""
        if self.volume is not None:
            return self.volume[level].gather(1, index)
        far = self.far[level]
        pixels, num = index.shape
        if self.shape[0] > 1:
            each = pixels // self.shape[0]
            first = torch.arange(self.shape[0], device=index.device) * (len(far) // self.shape[0])
            index = index + first.repeat_interleave(each)[:, None]
        step = max(1, _CHUNK_BYTES // (4 * num * far.shape[1]))
        parts = []
        for top in range(0, pixels, step):
            wanted = index[top : top + step]
            read = far.index_select(0, wanted.flatten()).view(len(wanted), num, -1)
            parts.append(torch.bmm(read, self.near[top : top + step]).squeeze(2))
        return torch.cat(parts)


def pixel_grid(like: Tensor) -> Tensor:
    """(1, 2, h, w) float32: x and y of every pixel of ``like``."""
    rows, columns = like.shape[-2:]
    x = torch.arange(columns, device=like.device, dtype=torch.float32).expand(rows, columns)
    y = torch.arange(rows, device=like.device, dtype=torch.float32)[:, None].expand(rows, columns)
    return torch.stack((x, y))[None]
