"""Reusable host buffers for copies; none is reused before its copy is finished."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from rtvfi.stream.run.executors.lanes import Lanes, Span


class Slot:
    """One host buffer and the work that still uses it."""

    def __init__(self, host: Tensor) -> None:
        self.host = host
        """(bytes,) uint8, as long as the longest copy so far."""
        self.bytes = host.numpy()
        """The same memory."""
        self.copied: Span | None = None
        """The newest copy from or to it."""
        self.held: Tensor | None = None
        """The tensor on the device at the other end of that copy, kept alive until it is done."""
        self.read: Span | None = None
        """The newest work that reads ``held``."""


class Slots:
    """A fixed number of slots; used by one thread.

    Args:
        lanes: the lanes of the device.
        num_slots: largest number of copies at a time.
    """

    def __init__(self, lanes: Lanes, num_slots: int) -> None:
        self._lanes = lanes
        self._free = deque(Slot(torch.empty(0, dtype=torch.uint8)) for _ in range(num_slots))

    @property
    def num_free(self) -> int:
        """Number of slots that can be taken."""
        return len(self._free)

    def take(self, num_bytes: int) -> Slot:
        """Take the slot that was given back first, after waiting for its copy.

        Args:
            num_bytes: size that its buffer must have.

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
        """Give a slot back; its copy may still be running."""
        self._free.append(slot)
