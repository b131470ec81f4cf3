"""Work that a device was given, and pictures on their way down, for ``overlapped``."""

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
    """What downloads of one executor share."""

    payload_bytes: int
    tiles: StaticTiles
    slots: Slots
    """That pictures arrive in."""
    times: StageTimes
    """Where finished work is counted."""
    underway: deque[Download] = field(default_factory=deque)
    """In the order in which they were asked for."""

    def arrived(self, download: Download, slot: Slot) -> None:
        """A download needs its slot no more."""
        self.underway.remove(download)
        self.slots.give_back(slot)


class Spans:
    """What a piece of work asked of the device."""

    def __init__(self) -> None:
        self._all: list[tuple[Stage, str, Span]] = []

    def add(self, stage: Stage, lane: str, span: Span) -> None:
        """One more, for this stage, on that lane."""
        self._all.append((stage, lane, span))

    @property
    def is_done(self) -> bool:
        """Whether the device is past all of it."""
        return all(span.is_done for *_, span in self._all)

    def wait(self) -> None:
        """Wait for all of it."""
        for *_, span in self._all:
            span.wait()

    def add_to(self, times: StageTimes) -> None:
        """Count it, once it is done."""
        for stage, _, span in self._all:
            setattr(times, stage, getattr(times, stage) + span.seconds)

    @property
    def busy(self) -> float:
        """Seconds of the lane that had most to do, once it is done."""
        lanes: dict[str, float] = {}
        for _, lane, span in self._all:
            lanes[lane] = lanes.get(lane, 0.0) + span.seconds
        return max(lanes.values(), default=0.0)


class Pass:
    """A pass that was given to the device; a ``Pending``."""

    def __init__(self, spans: Spans, times: StageTimes) -> None:
        self._spans = spans
        self._times = times
        self.busy = 0.0

    @property
    def is_done(self) -> bool:
        """Whether the device is past it."""
        return self._spans.is_done

    def finish(self) -> dict[int, Payload]:
        """Wait for it; it shows nothing."""
        self._spans.wait()
        self._spans.add_to(self._times)
        self.busy = self._spans.busy
        return {}

    def abandon(self) -> None:
        """It holds nothing."""


class Download:
    """Pictures on their way to the host.

    Args:
        home: of the executor that made it.
        slot: what they arrive in.
        static: for each picture, the tiles that are a source frame's.
        spans: what it took to make them.
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
        """Whether ``payloads`` need not wait."""
        return self._slot is None or self._spans.is_done

    def payloads(self) -> list[Payload]:
        """The pictures, the same arrays each time.

        Raises:
            BadPicture: they contain NaN or infinity.
            RuntimeError: the device failed.
        """
        self.collect()
        if self._error is not None:
            raise self._error
        return self._made

    def collect(self) -> None:
        """Wait for the pictures, take them out of the slot and give that back."""
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
        """Let go of the slot; it waits for the copy before it is used again."""
        if self._slot is not None:
            self._home.arrived(self, self._slot)
            self._slot = None


class Asked:
    """Outputs whose pictures are on their way; a ``Pending``."""

    def __init__(self, indices: Sequence[int], download: Download) -> None:
        self._indices = indices
        self._download = download

    @property
    def is_done(self) -> bool:
        """Whether all are there."""
        return self._download.is_done

    @property
    def busy(self) -> float:
        """Seconds that the device was kept from other work; once it is finished."""
        return self._download.busy

    def finish(self) -> dict[int, Payload]:
        """Wait for it; what ``Executor.run`` returns and raises."""
        return dict(zip(self._indices, self._download.payloads(), strict=True))

    def abandon(self) -> None:
        """It is not wanted any more: let go of its buffers without waiting."""
        self._download.abandon()
