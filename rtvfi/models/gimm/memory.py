"""Memory that GIMM-VFI needs, known before it is taken."""

from __future__ import annotations

from typing import Final

import torch

from rtvfi.models.gimm.correlation import VOLUME_BYTES
from rtvfi.models.gimm.synthesis import STRIP_BYTES, STRIP_CHANNELS

_FIXED: Final = 400 << 20
"""Bytes that do not depend on the picture: parameters, and what libraries keep."""
_MOST_IN_STRIPS: Final = STRIP_BYTES + (256 << 20)
"""Of the last decoder; a small picture is one strip, and smaller."""
_PER_SAMPLE: Final = 380
"""Numbers in the network's type for every pixel at the size of motion: of three pictures."""
_PER_PIXEL: Final = 1300
"""Bytes of float32 for every such pixel: motion, splats, and what a frame is put together from."""
_OF_FRAME: Final = 180
"""Bytes for every pixel of the frame: pictures fetched and blended."""


def needed_bytes(height: int, width: int, scale: float, dtype: torch.dtype) -> int:
    """An upper bound for pictures of this padded size, at this flow scale."""
    size = torch.finfo(dtype).bits // 8
    pixels, small = height * width, height * width * scale**2
    strip = min(_MOST_IN_STRIPS, small * STRIP_CHANNELS * size)
    table = min(VOLUME_BYTES, 2 * (small / 64) ** 2 * 4 * 4 / 3)
    kept = small * (_PER_SAMPLE * size + _PER_PIXEL) + pixels * _OF_FRAME
    return int(_FIXED + strip + table + kept)
