"""Memory that GIMM-VFI needs, known before it is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from rtvfi.core.errors import OutOfMemory
from rtvfi.core.hardware.machine import memory_bytes
from rtvfi.models.gimm.correlation import VOLUME_BYTES
from rtvfi.models.gimm.synthesis import STRIP_BYTES, STRIP_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def free_bytes(device: torch.device) -> int | None:
    """What could be taken now; None when nobody tells."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return memory_bytes()[1] or None


def check_memory(
    size: tuple[int, int],
    scale: float,
    kind: tuple[torch.device, torch.dtype],
    scales: Sequence[float],
) -> None:
    """Refuse what would not fit, in one sentence, before hours are spent.

    Args:
        size: rows and columns, padded.
        scale: flow scale.
        kind: where the network is, and its type.
        scales: flow scales there are.

    Raises:
        OutOfMemory: too little is free; the hint names a scale that would fit.
    """
    device, dtype = kind
    free = free_bytes(device)
    height, width = size
    needed = needed_bytes(height, width, scale, dtype)
    if free is None or needed <= free:
        return
    fitting = [s for s in scales if s < scale and needed_bytes(height, width, s, dtype) <= free]
    raise OutOfMemory(
        f"GIMM-VFI needs up to {needed / 1e9:.1f} GB for pictures of {width}x{height} at scale "
        f"{scale:g}, {free / 1e9:.1f} GB are free",
        f"--scale {max(fitting):g} fits" if fitting else "only smaller pictures would fit",
    )
