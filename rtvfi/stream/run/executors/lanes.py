"""Where work of a device lies in line: one lane up, one for the work itself, one down.

What is given to a lane is done in the order given; lanes do not wait for each other unless told to.
``CudaLanes`` are streams and events of CUDA and ROCm; ``DirectLanes`` do everything at once.
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
    """A piece of work that was given to a lane."""

    @property
    def is_done(self) -> bool:
        """Whether the device is past it; never waits."""
        ...

    @property
    def seconds(self) -> float:
        """What it took on the device. Only once it is done."""
        ...

    def wait(self) -> None:
        """Wait, on the host, until it is done.

        Raises:
            RuntimeError: the device failed, at this or at anything before.
        """
        ...


class Lanes(Protocol):
    """The lanes of one device; used by one thread."""

    def host(self, num_bytes: int) -> Tensor:
        """Memory of the host that the device can read and write by itself: (num_bytes,) uint8."""
        ...

    def copy(self, way: Way, to: Tensor, source: Tensor, after: Span | None = None) -> Span:
        """Copy between host and device on a lane of its own.

        Args:
            way: the lane.
            to: written to; nothing else may touch it before the span is done.
            source: of the same bytes; it stays as it is, and alive, until then.
            after: work that must be done first.
        """
        ...

    def work(self, job: Callable[[], T]) -> tuple[T, Span]:
        """Run ``job`` on the host now; what it asks of the device is in line on the work lane."""
        ...

    def follow(self, span: Span) -> None:
        """Whatever is given to the work lane from here on waits for this."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """The span of what is over."""

    seconds: float = 0.0
    is_done: bool = True

    def wait(self) -> None:
        """Nothing to wait for."""


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
        """Run ``job`` on the host now; what it asks of the device is in line on the work lane."""
        start = time.perf_counter()
        made = job()
        return made, Done(time.perf_counter() - start)

    def follow(self, span: Span) -> None:
        """All of it is over."""


class _Events:
    """A span between two events."""

    def __init__(self) -> None:
        self._begin, self._end = (_event() for _ in range(2))

    def begin(self, stream: torch.cuda.Stream) -> None:
        self._begin.record(stream)

    def end(self, stream: torch.cuda.Stream) -> None:
        self._end.record(stream)

    def hold(self, stream: torch.cuda.Stream) -> None:
        """What ``stream`` is given from here on waits for the end."""
        stream.wait_event(self._end)

    @property
    def is_done(self) -> bool:
        return bool(self._end.query())  # type: ignore[no-untyped-call]  # torch has no type

    @property
    def seconds(self) -> float:
        return float(self._begin.elapsed_time(self._end)) / 1e3

    def wait(self) -> None:
        self._end.synchronize()


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch has no type


class CudaLanes:
    """The ``Lanes`` of a GPU, CUDA or ROCm.

    Work goes to whatever stream is the current one of the thread, copies to streams of their own.
    Memory that lanes share must not be given back to torch's allocator before both are past it,
    for that knows of one stream only: whoever uses lanes keeps such tensors.

    Args:
        device: of type ``cuda``.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._copying: dict[Way, torch.cuda.Stream] = {
            "up": torch.cuda.Stream(device),  # type: ignore[no-untyped-call]  # torch has no type
            "down": torch.cuda.Stream(device),  # type: ignore[no-untyped-call]  # torch has no type
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
        """Run ``job`` on the host now; what it asks of the device is in line on the work lane."""
        stream, span = torch.cuda.current_stream(self._device), _Events()
        span.begin(stream)
        made = job()
        span.end(stream)
        return made, span

    def follow(self, span: Span) -> None:
        """Whatever is given to the work lane from here on waits for this."""
        if isinstance(span, _Events):
            span.hold(torch.cuda.current_stream(self._device))
