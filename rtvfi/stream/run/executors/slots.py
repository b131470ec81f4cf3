"""Buffers that copies go through, used again and again, never before a copy is over."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from rtvfi.stream.run.executors.lanes import Lanes, Span


class Slot:
    """One buffer on the host and what still concerns it."""

    def __init__(self, host: Tensor) -> None:
        self.host = host
        """(bytes,) uint8, as long as the longest copy so far."""
        self.bytes = host.numpy()
        """The same memory."""
        self.copied: Span | None = None
        """The newest copy from it or into it."""
        self.held: Tensor | None = None
        """On the device: where that copy comes from or goes to; alive until it is done."""
        self.read: Span | None = None
        """The newest work that reads ``held``."""


class Slots:
    """A fixed number of them; used by one thread.

    Args:
        lanes: where copies lie in line.
        num_slots: most copies under way.
    """

    def __init__(self, lanes: Lanes, num_slots: int) -> None:
        self._lanes = lanes
        self._free = deque(Slot(torch.empty(0, dtype=torch.uint8)) for _ in range(num_slots))

    @property
    def num_free(self) -> int:
        """Slots that ``take`` can give."""
        return len(self._free)

    def take(self, num_bytes: int) -> Slot:
        """The slot that was given back first, its copy over; waits for that.

        Args:
            num_bytes: that its buffer must hold.

        Raises:
            IndexError: none is free.
        """
        slot = self._free[0]
        if slot.copied is not None:
            slot.copied.wait()
        if len(slot.host) < num_bytes:
            slot.host = self._lanes.host(num_bytes)
            slot.bytes = slot.host.numpy()
        return self._free.popleft()

    def give_back(self, slot: Slot) -> None:
        """It may be taken again; a copy may still be under way."""
        self._free.append(slot)
