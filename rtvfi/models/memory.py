"""Refuses pictures that a network has no memory for, before hours are spent. Imports torch late."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rtvfi.core.errors import OutOfMemory
from rtvfi.core.hardware.machine import memory_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

SIDES = ((3840, 2160), (2560, 1440), (1920, 1080), (1280, 720), (960, 540), (640, 360))
"""Usual sizes, width and height, of which the largest that fits is named."""


class Need(NamedTuple):
    """What a network needs."""

    name: str
    """As it is called in messages."""
    needed: Callable[[int, int, float], int]
    """Upper bound of the bytes for pictures of so many rows and columns, at a flow scale."""
    scales: Sequence[float]
    """Flow scales there are."""


def free_bytes(device: torch.device) -> int | None:
    """What could be taken now; None when nobody tells."""
    if device.type == "cuda":
        import torch

        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return memory_bytes()[1] or None


class MemoryCheck:
    """Asks once for each size.

    Args:
        need: of the network.
        device: where it is.
    """

    def __init__(self, need: Need, device: torch.device) -> None:
        self._need = need
        self._device = device
        self._fitting: set[tuple[int, int, float]] = set()
        """Rows, columns and scale for which there was enough."""

    def check(self, size: Sequence[int], scale: float) -> None:
        """Refuse what would not fit, in one sentence.

        Args:
            size: rows and columns, padded.
            scale: flow scale.

        Raises:
            OutOfMemory: too little is free; the hint names what would fit.
        """
        height, width = size
        if (height, width, scale) in self._fitting:
            return
        free = free_bytes(self._device)
        needed = self._need.needed(height, width, scale)
        if free is not None and needed > free:
            raise OutOfMemory(
                f"{self._need.name} needs up to {needed / 1e9:.1f} GB for pictures of "
                f"{width}x{height} at scale {scale:g}, {free / 1e9:.1f} GB are free",
                _what_fits(self._need, (height, width), scale, free),
            )
        self._fitting.add((height, width, scale))


def _what_fits(need: Need, size: tuple[int, int], scale: float, free: int) -> str:
    scales = [s for s in need.scales if s < scale and need.needed(*size, s) <= free]
    if scales:
        return f"--scale {max(scales):g} fits"
    for width, height in SIDES:
        is_smaller = width * height < size[0] * size[1]
        if is_smaller and need.needed(height, width, scale) <= free:
            return f"pictures of {width}x{height} would fit"
    return "only smaller pictures would fit"
