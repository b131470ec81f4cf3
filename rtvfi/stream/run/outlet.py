"""Where the compute thread's outputs leave it: into the ring, and to whoever taps it."""

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
    """Output frames of the epoch in hand; used by the compute thread.

    Args:
        ring: of outputs.
        statistics: where frames are counted.
        tap: see ``Start.tap``.
        is_full: whether no quality is given up now; without that no frame is final.
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
        """Whether no quality is given up now."""
        self._newest: _Newest | None = None
        self._epoch = 0

    def begin(self, epoch: int) -> None:
        """A seek: frames are of this epoch from here on."""
        self._epoch = epoch

    @property
    def is_current(self) -> bool:
        """Whether no newer seek has overtaken this epoch."""
        return self._ring.epoch == self._epoch

    def put(
        self, batch: Shown, payloads: Mapping[int, Payload], kind: Kind, *, is_final: bool = True
    ) -> bool:
        """Hand on the outputs of a batch; False when a newer seek overtook us."""
        for output in outputs_of(batch):
            self._newest = _Newest(payloads[output.index], kind, is_final)
            if not self._put_newest(output.index, output.pts):
                return False
        return True

    def put_again(self, output: Again) -> bool:
        """Hand on what the output before showed."""
        return self._put_newest(output.index, output.pts)

    def put_source(self, payload: Payload, index: int, pts: Fraction) -> bool:
        """Hand on a source frame that no plan asked for."""
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
        """Nothing follows."""
        self._ring.finish(self._epoch)

    def fail(self, error: RtvfiError) -> None:
        """Whoever reads gets the frames so far, then this."""
        self._ring.fail(error, self._epoch)
