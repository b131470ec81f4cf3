"""A bounded queue of outputs between the model and the outlet, in the order of the plan."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from rtvfi.core.frame import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.stream.plan.batch import Shown
    from rtvfi.stream.plan.planner import Again
    from rtvfi.stream.run.outlet import Outlet
    from rtvfi.stream.run.slot import Underway

    Payload = NDArray[np.uint8]


class _Waiting(NamedTuple):
    underway: Underway | None
    """The model's work; None = a finished output that only waits for its turn."""
    put: Callable[[], bool]


class Backlog:
    """Work given to the model whose outputs were not passed on yet, and the outputs that must
    follow them. Used by the compute thread.

    Args:
        outlet: receives the outputs.
        depth: returns the number of pieces of work that may stay under way.
    """

    def __init__(self, outlet: Outlet, depth: Callable[[], int]) -> None:
        self._outlet = outlet
        self._depth = depth
        self._waiting: deque[_Waiting] = deque()

    def __len__(self) -> int:
        """Number of pieces of work, and of outputs behind them, not passed on yet."""
        return len(self._waiting)

    def put(
        self, batch: Shown, payloads: Mapping[int, Payload], kind: Kind, *, is_final: bool = True
    ) -> bool:
        """Pass on finished outputs, in their turn; False if a newer seek has made them obsolete."""
        is_final = is_final and self._outlet.is_full()
        return self._then(lambda: self._outlet.put(batch, payloads, kind, is_final=is_final))

    def put_again(self, output: Again) -> bool:
        """Repeat the previous output, in its turn; False if a newer seek has made it obsolete."""
        return self._then(lambda: self._outlet.put_again(output))

    def add(self, batch: Shown, underway: Underway, stand_ins: Mapping[int, Payload]) -> bool:
        """Pass on the model's outputs once they are finished; False if a newer seek has come.

        Args:
            batch: the outputs.
            underway: the model's work on them.
            stand_ins: payloads to show instead if the model fails.
        """
        is_full = self._outlet.is_full()

        def put() -> bool:
            made = underway.finish()
            if made is None:
                return self._outlet.put(batch, stand_ins, Kind.COPY, is_final=False)
            return self._outlet.put(batch, made, Kind.SYNTHETIC, is_final=is_full)

        return self._then(put, underway)

    def add_pass(self, underway: Underway) -> bool:
        """Add work without outputs (a pass), so that its failure is noticed."""

        def put() -> bool:
            underway.finish()
            return True

        return self._then(put, underway)

    def drain(self, depth: int = 0) -> bool:
        """Finish and pass on all but ``depth`` pieces of work; False if a newer seek has come."""
        while self._waiting:
            first = self._waiting[0].underway
            is_due = first is None or first.is_done
            if not is_due and sum(w.has_outputs for w in self._works) <= depth:
                return True
            if not self._waiting.popleft().put():
                return False
        return True

    @property
    def _works(self) -> list[Underway]:
        return [entry.underway for entry in self._waiting if entry.underway is not None]

    def drop(self) -> None:
        """Drop everything, after a seek or at the end."""
        for underway in self._works:
            underway.abandon()
        self._waiting.clear()

    def _then(self, put: Callable[[], bool], underway: Underway | None = None) -> bool:
        self._waiting.append(_Waiting(underway, put))
        return self.drain(self._depth())
