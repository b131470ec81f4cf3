"""Work queues of a device: one lane for uploads, one for computation, one for downloads.

Each lane works in the order given; lanes wait for each other only where told to. ``CudaLanes`` are
streams and events of CUDA or ROCm; ``DirectLanes`` do everything immediately.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

T = TypeVar("T")
Way = Literal["up", "down"]


class Span(Protocol):
    """A piece of work in a lane."""

    @property
    def is_done(self) -> bool:
        """Whether the device has finished it; never waits."""
        ...

    @property
    def seconds(self) -> float:
        """Its duration on the device; valid once it is done."""
        ...

    def wait(self) -> None:
        """Block the host until it is done.

        Raises:
            RuntimeError: the device failed, in this work or in earlier work.
        """
        ...


class Lanes(Protocol):
    """The lanes of one device; used by one thread."""

    def host(self, num_bytes: int) -> Tensor:
        """Host memory that the device can access directly: (num_bytes,) uint8."""
        ...

    def copy(self, way: Way, to: Tensor, source: Tensor, after: Span | None = None) -> Span:
        """Copy between host and device on a lane of its own.

        Args:
            way: the lane.
            to: the destination; nothing else may read or write it before the span is done.
            source: of as many bytes; it must stay alive and unchanged until the span is done.
            after: work that must be done first.
        """
        ...

    def work(self, job: Callable[[], T]) -> tuple[T, Span]:
        """Run ``job`` on the host now; the device work it starts is queued in the work lane."""
        ...

    def follow(self, span: Span) -> None:
        """Make all later work in the work lane wait for ``span``."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """The span of work that is finished."""

    seconds: float = 0.0
    is_done: bool = True

    def wait(self) -> None:
        """Return at once."""


class DirectLanes:
    """The ``Lanes`` of a processor: everything is done when the call returns."""

    def host(self, num_bytes: int) -> Tensor:
        """Ordinary memory."""
        return torch.empty(num_bytes, dtype=torch.uint8)

    def copy(self, way: Way, to: Tensor, source: Tensor, after: Span | None = None) -> Span:
        """Copy between host and device on a lane of its own."""
        del way, after
        return self.work(lambda: to.copy_(source))[1]

    def work(self, job: Callable[[], T]) -> tuple[T, Span]:
        """Run ``job`` on the host now; the device work it starts is queued in the work lane."""
        start = time.perf_counter()
        made = job()
        return made, Done(time.perf_counter() - start)

    def follow(self, span: Span) -> None:
        """Does nothing: all work is finished."""


class _Events:
    """A span between two events."""

    def __init__(self) -> None:
        self._begin, self._end = (_event() for _ in range(2))

    def begin(self, stream: torch.cuda.Stream) -> None:
        self._begin.record(stream)

    def end(self, stream: torch.cuda.Stream) -> None:
        self._end.record(stream)

    def hold(self, stream: torch.cuda.Stream) -> None:
        """Make all later work in ``stream`` wait for the end of this span."""
        stream.wait_event(self._end)

    @property
    def is_done(self) -> bool:
        return bool(self._end.query())

    @property
    def seconds(self) -> float:
        return float(self._begin.elapsed_time(self._end)) / 1e3

    def wait(self) -> None:
        self._end.synchronize()


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)


class CudaLanes:
    """The ``Lanes`` of a GPU, CUDA or ROCm.

    Work runs in the thread's current stream, copies in streams of their own. A tensor that two
    lanes use must not be freed before both have finished with it, because torch's allocator knows
    only one stream and would reuse its memory. So users of lanes must keep such tensors alive.

    Args:
        device: a device of type ``cuda``.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._copying: dict[Way, torch.cuda.Stream] = {
            "up": torch.cuda.Stream(device),
            "down": torch.cuda.Stream(device),
        }

    def host(self, num_bytes: int) -> Tensor:
        """Pinned memory."""
        return torch.empty(num_bytes, dtype=torch.uint8, pin_memory=True)

    def copy(self, way: Way, to: Tensor, source: Tensor, after: Span | None = None) -> Span:
        """Copy between host and device on a lane of its own."""
        stream, span = self._copying[way], _Events()
        if isinstance(after, _Events):
            after.hold(stream)
        with torch.cuda.stream(stream):
            span.begin(stream)
            to.copy_(source, non_blocking=True)
            span.end(stream)
        return span

    def work(self, job: Callable[[], T]) -> tuple[T, Span]:
        """Run ``job`` on the host now; the device work it starts is queued in the work lane."""
        stream, span = torch.cuda.current_stream(self._device), _Events()
        span.begin(stream)
        made = job()
        span.end(stream)
        return made, span

    def follow(self, span: Span) -> None:
        """Make all later work in the work lane wait for ``span``."""
        if isinstance(span, _Events):
            span.hold(torch.cuda.current_stream(self._device))
