"""The GPU memory that networks may use, and what fits into it, decided before it is allocated.

The desktop uses the same memory, and a GPU was reported to crash where it should have reported that
its memory is full. So rtvfi sets itself a limit below what is free. Pictures per call, the number
of prepared pictures kept, and the flow scale follow from it. If memory runs out all the same,
``OutOfMemory`` is raised.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from rtvfi.core.errors import first_line
from rtvfi.core.hardware import machine
from rtvfi.core.hardware.chips import chips
from rtvfi.models.base import MANY, Planes, TripleInterpolator

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from rtvfi.models.base import Interpolator, Picture

log = logging.getLogger(__name__)

_SHARE: Final = 0.85
"""Fraction of a card's free memory, when networks first use it, that they may take."""
_SHARED_SHARE: Final = 0.5
"""Fraction of the available main memory, for an integrated GPU without memory of its own."""
_MARGIN: Final = 1.15
"""Factor on measured memory: for other sizes, libraries choose kernels with other scratch needs."""
_SIDES: Final = (256, 512)
"""Sides in pixels of the square pictures that a model is measured with."""
_WANTED_KEPT: Final = 4
"""Prepared pictures to keep before memory is spent on more pictures per call."""
_IN_HAND: Final = 3
"""Prepared pictures that a call itself needs: they are part of the measured memory."""


def budget_bytes(free: int, *, is_shared: bool, available: int) -> int:
    """Bytes that networks may use.

    Args:
        free: free bytes of the device, as its driver reports.
        is_shared: the device uses main memory, which its driver counts as its own.
        available: available bytes of main memory.
    """
    return int(min(free, available) * _SHARED_SHARE if is_shared else free * _SHARE)


class Footprint(NamedTuple):
    """The memory a model needs on a device."""

    fixed: float
    """Bytes, independent of the picture."""
    pixel: float
    """Bytes per pixel of the film in a call for one picture."""
    more: float
    """Bytes per pixel for each further picture of the call."""
    prepared: float
    """Bytes per pixel of a prepared picture."""


class Fit(NamedTuple):
    """What a budget allows."""

    num_new: int
    """Maximum number of pictures in a call."""
    num_prepared: int
    """Maximum number of prepared pictures kept, those of the call included."""


LEAST: Final = Fit(1, _IN_HAND)
"""The minimum: one picture a call, and no prepared pictures beyond those of the call."""


def fitted(model: Footprint, budget: int, pixels: int, most_new: int) -> Fit | None:
    """The largest fit within the budget; None if not even one picture fits.

    Args:
        model: what the model needs.
        budget: bytes that may be used.
        pixels: pixels of a picture of the film.
        most_new: maximum number of pictures that a call is asked for.
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
        peak: takes the side of a square picture and the number of pictures of a call; returns the
            peak bytes of the call and the bytes of one prepared picture.
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
    """The memory budget of one device, fixed when networks first use it.

    Args:
        device: a GPU.
    """

    def __init__(self, device: torch.device) -> None:
        import torch

        free, total = torch.cuda.mem_get_info(device)
        properties = torch.cuda.get_device_properties(device)
        chip = chips().get(getattr(properties, "gcnArchName", "").partition(":")[0])
        is_part = chip is not None and chip.kind != "card"  # integrated into a processor
        self.is_shared = is_part or bool(getattr(properties, "is_integrated", False))
        """The device uses main memory."""
        self.bytes = budget_bytes(
            free, is_shared=self.is_shared, available=machine.memory_bytes()[1] or free
        )
        """Bytes that networks may use."""
        self._device = device
        # torch's allocator raises an error instead of asking the driver for more.
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
        """What fits; None if not even one picture does.

        A model that cannot be measured gets ``most_new``.
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
    """The budget of a device, made once per process: later, part of the memory is taken by us."""
    return Budget(device)


def _peak(
    model: Interpolator, device: torch.device, dtype: torch.dtype, what: tuple[int, int]
) -> tuple[int, int]:
    """(peak bytes of a call, bytes of a prepared picture); ``what`` = (side, pictures per call)."""
    import torch

    side, num_new = what

    def picture() -> Picture:
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
