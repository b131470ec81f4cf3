"""The exit of the compute thread: puts outputs into the ring, and passes them to the recorder."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rtvfi.core.frame import Kind, OutputFrame
from rtvfi.stream.plan.batch import outputs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.core.errors import RtvfiError
    from rtvfi.core.ring import Ring
    from rtvfi.stream.plan.batch import Shown
    from rtvfi.stream.plan.planner import Again
    from rtvfi.stream.run.parts import Statistics

    Payload = NDArray[np.uint8]


class _Newest(NamedTuple):
    payload: Payload
    kind: Kind
    is_final: bool


class Outlet:
    """Sends the output frames of the current epoch; used by the compute thread.

    Args:
        ring: the output ring.
        statistics: counts frames.
        tap: receives every frame: ``Start.tap``.
        is_full: returns whether quality is full; if not, no frame counts as final.
    """

    def __init__(
        self,
        ring: Ring[OutputFrame],
        statistics: Statistics,
        tap: Callable[[OutputFrame, bool], None] | None,
        is_full: Callable[[], bool],
    ) -> None:
        self._ring = ring
        self._statistics = statistics
        self._tap = tap
        self.is_full = is_full
        """Returns whether quality is full now."""
        self._newest: _Newest | None = None
        self._epoch = 0

    def begin(self, epoch: int) -> None:
        """Begin a new epoch, after a seek."""
        self._epoch = epoch

    @property
    def is_current(self) -> bool:
        """Whether no newer seek has come."""
        return self._ring.epoch == self._epoch

    def put(
        self, batch: Shown, payloads: Mapping[int, Payload], kind: Kind, *, is_final: bool = True
    ) -> bool:
        """Send the outputs of a batch; False if a newer seek has come."""
        for output in outputs_of(batch):
            self._newest = _Newest(payloads[output.index], kind, is_final)
            if not self._put_newest(output.index, output.pts):
                return False
        return True

    def put_again(self, output: Again) -> bool:
        """Send the previous picture again."""
        return self._put_newest(output.index, output.pts)

    def put_source(self, payload: Payload, index: int, pts: Fraction) -> bool:
        """Send a source frame that is not in the plan."""
        self._newest = _Newest(payload, Kind.COPY, is_final=True)
        return self._put_newest(index, pts)

    def _put_newest(self, index: int, pts: Fraction) -> bool:
        newest = self._newest
        assert newest is not None, "there is nothing to show again"
        frame = OutputFrame(newest.payload, index, pts, newest.kind, self._epoch)
        is_taken = self._ring.put(frame, self._epoch)
        self._statistics.counts[frame.kind] += is_taken
        if is_taken and self._tap is not None:
            self._tap(frame, newest.is_final and self.is_full())
        return is_taken

    def finish(self) -> None:
        """End the epoch: no output follows."""
        self._ring.finish(self._epoch)

    def fail(self, error: RtvfiError) -> None:
        """End the epoch: readers get the frames so far, then this error."""
        self._ring.fail(error, self._epoch)
