"""Lanes that do every copy as late as is allowed, and write down what was asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch

from rtvfi.stream.run.executors.lanes import DirectLanes, Done

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from rtvfi.stream.run.executors.lanes import Span, Way

T = TypeVar("T")
COPY_SECONDS = 0.25


class LateSpan:
    """A copy that nobody has made yet."""

    def __init__(self, lanes: LateLanes, way: Way, copy: Callable[[], object]) -> None:
        self._lanes = lanes
        self.way: Way = way
        self.copy: Callable[[], object] | None = copy

    @property
    def is_done(self) -> bool:
        return self.copy is None

    @property
    def seconds(self) -> float:
        assert self.is_done, "asked for the time of what is not over"
        return COPY_SECONDS

    def wait(self) -> None:
        self._lanes.make(self)


class LateLanes(DirectLanes):
    """Copies are made when somebody waits for them, or for a later one of the same lane."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.error: Exception | None = None
        """Raised by the next copy down."""
        self.num_buffers = 0
        self._lines: dict[Way, list[LateSpan]] = {"up": [], "down": []}

    def host(self, num_bytes: int) -> Tensor:
        self.num_buffers += 1
        # Nobody can take for a picture what nobody has written.
        return torch.zeros(num_bytes, dtype=torch.uint8)

    def copy(self, way: Way, to: Tensor, source: Tensor, after: Span | None = None) -> Span:
        assert len(to) == len(source)
        assert way == "up" or isinstance(after, Done), "it comes down before it is made"
        span = LateSpan(self, way, lambda: to.copy_(source))
        self._lines[way].append(span)
        self.log.append(f"{way} asked")
        return span

    def follow(self, span: Span) -> None:
        span.wait()

    def work(self, job: Callable[[], T]) -> tuple[T, Span]:
        made, span = super().work(job)
        self.log.append("work")
        return made, span

    def make(self, span: LateSpan) -> None:
        """Make this copy and all before it in its lane."""
        line = self._lines[span.way]
        while not span.is_done:
            first = line.pop(0)
            copy, first.copy = first.copy, None
            assert copy is not None
            if span.way == "down" and self.error is not None:
                error, self.error = self.error, None
                raise error
            with torch.inference_mode():
                copy()
            self.log.append(f"{first.way} done")

    @property
    def num_waiting(self) -> int:
        """Copies that nobody has made yet."""
        return sum(map(len, self._lines.values()))
