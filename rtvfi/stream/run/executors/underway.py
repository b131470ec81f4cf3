"""Running device work and downloads of ``overlapped``."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from rtvfi.core.errors import BadPicture

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.stream.run.executors.executor import StageTimes
    from rtvfi.stream.run.executors.lanes import Span
    from rtvfi.stream.run.executors.slots import Slot, Slots
    from rtvfi.stream.run.executors.tiles import StaticTiles

    Payload = NDArray[np.uint8]
    Static = tuple[Payload, NDArray[np.bool_]]

Stage = Literal["convert", "model", "download"]

NOT_FINITE: Final = "the model failed: its output contains NaN or infinity"


@dataclass(frozen=True, slots=True)
class Home:
    """State shared by the downloads of one executor."""

    payload_bytes: int
    tiles: StaticTiles
    slots: Slots
    """Buffers for downloads."""
    times: StageTimes
    """Sums the times of finished work."""
    underway: deque[Download] = field(default_factory=deque)
    """Running downloads, oldest first."""

    def arrived(self, download: Download, slot: Slot) -> None:
        """Take back the slot of a finished download."""
        self.underway.remove(download)
        self.slots.give_back(slot)


class Spans:
    """The device work of one piece of work."""

    def __init__(self) -> None:
        self._all: list[tuple[Stage, str, Span]] = []

    def add(self, stage: Stage, lane: str, span: Span) -> None:
        """Add a span of this stage in that lane."""
        self._all.append((stage, lane, span))

    @property
    def is_done(self) -> bool:
        """Whether the device has finished all spans."""
        return all(span.is_done for *_, span in self._all)

    def wait(self) -> None:
        """Wait for all spans."""
        for *_, span in self._all:
            span.wait()

    def add_to(self, times: StageTimes) -> None:
        """Add the durations to ``times``; valid once all spans are done."""
        for stage, _, span in self._all:
            setattr(times, stage, getattr(times, stage) + span.seconds)

    @property
    def busy(self) -> float:
        """Seconds of the busiest lane; valid once all spans are done."""
        lanes: dict[str, float] = {}
        for _, lane, span in self._all:
            lanes[lane] = lanes.get(lane, 0.0) + span.seconds
        return max(lanes.values(), default=0.0)


class Pass:
    """A pass running on the device; a ``Pending``."""

    def __init__(self, spans: Spans, times: StageTimes) -> None:
        self._spans = spans
        self._times = times
        self.busy = 0.0

    @property
    def is_done(self) -> bool:
        """Whether the device has finished it."""
        return self._spans.is_done

    def finish(self) -> dict[int, Payload]:
        """Wait for it; the result is empty, because a pass has no outputs."""
        self._spans.wait()
        self._spans.add_to(self._times)
        self.busy = self._spans.busy
        return {}

    def abandon(self) -> None:
        """Does nothing: it holds no buffers."""


class Download:
    """Pictures that are being copied to the host.

    Args:
        home: the shared state of the executor.
        slot: the buffer they are copied to.
        static: for each picture, the tiles to copy from a source frame.
        spans: the device work that makes them.
    """

    def __init__(
        self, home: Home, slot: Slot, static: Sequence[Static | None], spans: Spans
    ) -> None:
        self._home = home
        self._slot: Slot | None = slot
        self._static = static
        self._spans = spans
        self._made: list[Payload] = []
        self._error: Exception | None = None
        self.busy = 0.0

    @property
    def is_done(self) -> bool:
        """Whether ``payloads`` will return without waiting."""
        return self._slot is None or self._spans.is_done

    def payloads(self) -> list[Payload]:
        """Wait for the pictures; returns the same arrays on every call.

        Raises:
            BadPicture: they contain NaN or infinity.
            RuntimeError: the device failed.
        """
        self.collect()
        if self._error is not None:
            raise self._error
        return self._made

    def collect(self) -> None:
        """Wait for the pictures, copy them out of the slot and give it back."""
        slot = self._slot
        if slot is None:
            return
        try:
            self._spans.wait()
            self._take_out(slot)
            self._spans.add_to(self._home.times)
            self.busy = self._spans.busy
        except (BadPicture, RuntimeError) as error:
            self._error = error
        finally:
            self.abandon()

    def _take_out(self, slot: Slot) -> None:
        num, size = len(self._static), self._home.payload_bytes
        arrived = slot.bytes
        if not arrived[num * size]:
            raise BadPicture(NOT_FINITE)
        made = arrived[: num * size].reshape(num, size).copy()
        for payload, static in zip(made, self._static, strict=True):
            if static is not None:
                self._home.tiles.restore(payload, *static)
        self._made = list(made)

    def abandon(self) -> None:
        """Give the slot back; before it is reused, its copy is waited for."""
        if self._slot is not None:
            self._home.arrived(self, self._slot)
            self._slot = None


class Asked:
    """Outputs whose pictures are being downloaded; a ``Pending``."""

    def __init__(self, indices: Sequence[int], download: Download) -> None:
        self._indices = indices
        self._download = download

    @property
    def is_done(self) -> bool:
        """Whether the download is finished."""
        return self._download.is_done

    @property
    def busy(self) -> float:
        """Seconds for which it occupied the device; valid once it is finished."""
        return self._download.busy

    def finish(self) -> dict[int, Payload]:
        """Wait for it; returns and raises the same as ``Executor.run``."""
        return dict(zip(self._indices, self._download.payloads(), strict=True))

    def abandon(self) -> None:
        """Release its buffers without waiting: its result is not needed any more."""
        self._download.abandon()
