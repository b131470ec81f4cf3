"""Correlation of every pixel of one feature map with the surroundings of its match in another.

The usual implementation stores the products of all pairs of pixels: 4.3 GB for a picture of
1920x1080, a third more with downscaled copies. Averaging and bilinear sampling are linear in the
second map, so the same values can be computed as products with a downscaled second map, only where
they are looked up. For small pictures the stored volume is faster; ``VOLUME_BYTES`` is the limit.
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
"""Up to this size, the products of all pairs are stored."""
_CHUNK_BYTES: Final = 64 << 20
_FAR: Final = 2.0**20
"""Positions are clamped to this many pixels, far outside any picture."""


def pyramid(features: Tensor) -> tuple[Tensor, ...]:
    """A feature map at full, half, quarter and eighth size, in float32.

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
    """Looks up correlations of the pixels of ``near`` with positions in ``far``.

    Args:
        near: (N, C, h, w), float32.
        far: the ``pyramid`` of the other picture.
        volume_bytes: up to this size, the products of all pairs are stored.
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
            # The pixels of all N maps in one list, so that a single index selects map and pixel.
            self.far = [level.flatten(2).transpose(1, 2).reshape(-1, channels) for level in far]

    def __call__(self, place: Tensor) -> Tensor:
        """The correlations around ``place``.

        Args:
            place: (N, 2, h, w), float32: for every pixel of ``near`` its position in ``far``, x and
                y from 0; outside ``far`` correlations are 0.

        Returns:
            (N, 324, h, w), float32: channel ``81 l + 9 (x + 4) + (y + 4)`` has the correlation at
            the offset x, y from the position, in pixels of level l.
        """
        batch, height, width = self.shape
        flat = place.float().permute(0, 2, 3, 1).reshape(-1, 2)
        found = [self._around(flat / 2**level, level) for level in range(LEVELS)]
        out = torch.cat(found, 1).view(batch, height, width, CHANNELS)
        return out.permute(0, 3, 1, 2)

    def _around(self, place: Tensor, level: int) -> Tensor:
        """(pixels, 81) of one level: looked up at integer positions and interpolated."""
        rows, columns = self.sizes[level]
        place = torch.nan_to_num(place).clamp(-_FAR, _FAR)
        corner = place.floor()
        share = place - corner
        steps = torch.arange(-RADIUS, RADIUS + 2, device=place.device)
        x = corner[:, :1].long() + steps
        y = corner[:, 1:].long() + steps
        # x is the slower index.
        inside = ((x >= 0) & (x < columns))[:, :, None] & ((y >= 0) & (y < rows))[:, None, :]
        index = x.clamp(0, columns - 1)[:, :, None] + columns * y.clamp(0, rows - 1)[:, None, :]
        likeness = self._products(index.flatten(1), level).view(inside.shape) * inside
        likeness = torch.lerp(likeness[:, :-1], likeness[:, 1:], share[:, 0, None, None])
        likeness = torch.lerp(likeness[..., :-1], likeness[..., 1:], share[:, 1, None, None])
        return likeness.flatten(1)

    def _products(self, index: Tensor, level: int) -> Tensor:
        """The products of every pixel with the pixels of ``far`` in its row of ``index``."""
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
