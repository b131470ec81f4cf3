"""Checks before a long run whether there is enough memory. Imports torch only when needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rtvfi.core.errors import OutOfMemory
from rtvfi.core.hardware.machine import memory_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

SIDES = ((3840, 2160), (2560, 1440), (1920, 1080), (1280, 720), (960, 540), (640, 360))
"""Common sizes, width and height; the hint of the error names the largest one that fits."""


class Need(NamedTuple):
    """The memory requirements of a network."""

    name: str
    """Name of the network in messages."""
    needed: Callable[[int, int, float], int]
    """From rows, columns and flow scale to an upper bound of the memory in bytes."""
    scales: Sequence[float]
    """The flow scales that the network supports."""


def free_bytes(device: torch.device) -> int | None:
    """Memory that can be allocated on a device now, in bytes; None if unknown."""
    if device.type == "cuda":
        import torch

        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return memory_bytes()[1] or None


class MemoryCheck:
    """Checks once for each size whether there is enough memory.

    Args:
        need: the requirements of the network.
        device: the device of the network.
    """

    def __init__(self, need: Need, device: torch.device) -> None:
        self._need = need
        self._device = device
        self._fitting: set[tuple[int, int, float]] = set()
        """Rows, columns and scale for which there was enough memory."""

    def check(self, size: Sequence[int], scale: float) -> None:
        """Raise an error if a size does not fit in memory.

        Args:
            size: rows and columns, padded.
            scale: flow scale.

        Raises:
            OutOfMemory: too little memory is free; the hint names a setting or size that fits.
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
