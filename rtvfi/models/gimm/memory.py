"""An upper bound for the memory that GIMM-VFI needs."""

from __future__ import annotations

from typing import Final

import torch

from rtvfi.models.gimm.correlation import VOLUME_BYTES
from rtvfi.models.gimm.synthesis import STRIP_BYTES, STRIP_CHANNELS

_FIXED: Final = 400 << 20
"""Bytes independent of the picture size: parameters, and memory of libraries."""
_MOST_IN_STRIPS: Final = STRIP_BYTES + (256 << 20)
"""Maximum bytes of one strip in the last decoder."""
_PER_SAMPLE: Final = 380
"""Values in the network's dtype per pixel at the size of motion estimation, for three pictures."""
_PER_PIXEL: Final = 1300
"""Bytes in float32 per such pixel: motion, splats, and the fields that a frame is blended from."""
_OF_FRAME: Final = 180
"""Bytes per full-size pixel: warped and blended pictures."""


def needed_bytes(height: int, width: int, scale: float, dtype: torch.dtype) -> int:
    """An upper bound in bytes for pictures of this padded size at this flow scale and dtype."""
    size = torch.finfo(dtype).bits // 8
    pixels, small = height * width, height * width * scale**2
    strip = min(_MOST_IN_STRIPS, small * STRIP_CHANNELS * size)
    table = min(VOLUME_BYTES, 2 * (small / 64) ** 2 * 4 * 4 / 3)
    kept = small * (_PER_SAMPLE * size + _PER_PIXEL) + pixels * _OF_FRAME
    return int(_FIXED + strip + table + kept)
