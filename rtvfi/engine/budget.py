"""How much of a GPU's memory networks may take, and what fits into it, known before it is taken.

A GPU shares its memory with the desktop, and one was reported to crash where it should have said
that it is full. So we set ourselves a bound, below what is free: pictures per call, prepared
pictures that are kept, and the size at which motion is looked for follow from it. Memory that is
full all the same still ends in ``OutOfMemory``.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rtvfi.core.errors import first_line
from rtvfi.core.hardware import machine
from rtvfi.core.hardware.chips import chips
from rtvfi.models.base import MANY, Planes, TripleInterpolator

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from rtvfi.models.base import Interpolator

log = logging.getLogger(__name__)

_SHARE: Final = 0.85
"""Of what is free on a card when networks first come to it."""
_SHARED_SHARE: Final = 0.5
"""Of main memory that is available, where a processor's graphics have none of their own."""
_MARGIN: Final = 1.15
"""Times what was measured: libraries choose other kernels, with other scratch, for other sizes."""
_SIDES: Final = (256, 512)
"""Of the pictures that a model is measured with."""
_WANTED_KEPT: Final = 4
"""Prepared pictures that should be kept before more pictures are made in a call."""
_IN_HAND: Final = 3
"""Prepared pictures that the call at work needs: they are part of what was measured."""


def budget_bytes(free: int, *, is_shared: bool, available: int) -> int:
    """The bound.

    Args:
        free: of the device, as its driver tells.
        is_shared: it is main memory, which drivers count as the device's own.
        available: of main memory.
    """
    return int(min(free, available) * _SHARED_SHARE if is_shared else free * _SHARE)


class Footprint(NamedTuple):
    """What a model takes on a device."""

    fixed: float
    """Bytes, whatever the picture."""
    pixel: float
    """Bytes for a pixel of the film in a call for one picture."""
    more: float
    """Bytes for a pixel of each further picture of the call."""
    prepared: float
    """Bytes for a pixel of a prepared picture."""


class Fit(NamedTuple):
    """What a budget allows."""

    num_new: int
    """Most pictures in a call."""
    num_prepared: int
    """Most prepared pictures that are kept, those of the call included."""


LEAST: Final = Fit(1, _IN_HAND)
"""A picture a call, and nothing that could be made again."""


def fitted(model: Footprint, budget: int, pixels: int, most_new: int) -> Fit | None:
    """The most that stays within the budget; None when not even one picture does.

    Args:
        model: what it takes.
        budget: bytes.
        pixels: of a picture of the film.
        most_new: pictures that a call may be asked for.
    """
    for wanted in (_WANTED_KEPT, 0):
        for num_new in range(most_new, 0, -1):
            work = model.fixed + pixels * (model.pixel + (num_new - 1) * model.more)
            left = budget - work * _MARGIN
            if left < 0:
                continue
            each = pixels * model.prepared * _MARGIN
            kept = int(min(left // each, MANY)) if each else MANY
            if kept >= wanted:
                return Fit(num_new, kept + _IN_HAND)
    return None


def footprint(peak: Callable[[int, int], tuple[int, int]]) -> Footprint:
    """A model's footprint from three small measurements.

    Args:
        peak: from the side of a square picture and the pictures of a call to the bytes at the peak
            and those of one prepared picture.
    """
    small, large = (side * side for side in _SIDES)
    (low, _), (high, kept) = (peak(side, 1) for side in _SIDES)
    more, _ = peak(_SIDES[1], 2)
    pixel = max(0.0, (high - low) / (large - small))
    return Footprint(
        fixed=max(0.0, high - pixel * large),
        pixel=pixel,
        more=max(0.0, (more - high) / large),
        prepared=kept / large,
    )


class Budget:
    """The memory of one device, from the moment on at which networks first come to it.

    Args:
        device: a GPU.
    """

    def __init__(self, device: torch.device) -> None:
        import torch

        free, total = torch.cuda.mem_get_info(device)
        properties = torch.cuda.get_device_properties(device)
        chip = chips().get(getattr(properties, "gcnArchName", "").partition(":")[0])
        is_part = chip is not None and chip.kind != "card"  # of a processor
        self.is_shared = is_part or bool(getattr(properties, "is_integrated", False))
        """It is main memory."""
        self.bytes = budget_bytes(
            free, is_shared=self.is_shared, available=machine.memory_bytes()[1] or free
        )
        """The bound."""
        self._device = device
        # torch's allocator asks the driver for no more than that: it raises instead.
        torch.cuda.set_per_process_memory_fraction(min(1.0, self.bytes / total), device)
        log.debug(
            "%s: %d of %d free bytes may be taken%s",
            device,
            self.bytes,
            free,
            ", of main memory" if self.is_shared else "",
        )

    def fit(
        self, model: Interpolator, dtype: torch.dtype, pixels: int, most_new: int
    ) -> Fit | None:
        """What fits; None when not even one picture does.

        A model that cannot be measured gets all it asks for.
        """
        import torch

        try:
            with torch.inference_mode():
                found = footprint(lambda side, num: _peak(model, self._device, dtype, (side, num)))
        except RuntimeError as error:
            log.debug("its memory cannot be measured: %s", first_line(error))
            return Fit(most_new, MANY)
        torch.cuda.empty_cache()
        fit = fitted(found, self.bytes, pixels, most_new)
        log.debug("memory of %s: %s, %s", model.info.id, found, fit)
        return fit


@cache
def budget_of(device: torch.device) -> Budget:
    """The one budget of a device in this process: what is free later on is less by what we took."""
    return Budget(device)


def _peak(
    model: Interpolator, device: torch.device, dtype: torch.dtype, what: tuple[int, int]
) -> tuple[int, int]:
    """Bytes at the peak of a call, and of a prepared picture; see ``footprint``."""
    import torch

    side, num_new = what

    def picture() -> Any:
        if model.info.picture == "rgb":
            return torch.rand(1, 3, side, side, device=device).to(dtype)
        half = side // 2
        y = torch.rand(1, 1, side, side, device=device).to(dtype)
        return Planes(y, torch.rand(1, 2, half, half, device=device).to(dtype) - 0.5)

    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    frames = [picture() for _ in range(model.info.num_frames)]
    held = torch.cuda.memory_allocated(device)
    ready = [model.prepare(frame) for frame in frames]
    kept = (torch.cuda.memory_allocated(device) - held) // len(ready)
    ts = [(k + 1) / (num_new + 1) for k in range(num_new)]
    if isinstance(model, TripleInterpolator) and len(ready) == 3:
        a, b, c = ready
        links = model.link(a, b), model.link(b, c)
        model.triple((a, b, c), links, [0.5 + t for t in ts])
    else:
        model.pair(ready[0], ready[1], ts)
    return torch.cuda.max_memory_allocated(device) - before, kept
