"""Outputs on their way from the model to the outlet: in the plan's order, a bounded number."""

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
    """None: it only waits for its turn."""
    put: Callable[[], bool]


class Backlog:
    """What was given to the model and not yet handed on, and what must come after it; used by the
    compute thread.

    Args:
        outlet: where outputs go.
        depth: pieces of work that may stay under way.
    """

    def __init__(self, outlet: Outlet, depth: Callable[[], int]) -> None:
        self._outlet = outlet
        self._depth = depth
        self._waiting: deque[_Waiting] = deque()

    def __len__(self) -> int:
        """Pieces of work, and outputs behind them, that were not handed on."""
        return len(self._waiting)

    def put(
        self, batch: Shown, payloads: Mapping[int, Payload], kind: Kind, *, is_final: bool = True
    ) -> bool:
        """Hand on what is there, in its turn; False when a newer seek overtook us."""
        is_final = is_final and self._outlet.is_full()
        return self._then(lambda: self._outlet.put(batch, payloads, kind, is_final=is_final))

    def put_again(self, output: Again) -> bool:
        """Hand on what the output before showed; False when a newer seek overtook us."""
        return self._then(lambda: self._outlet.put_again(output))

    def add(self, batch: Shown, underway: Underway, stand_ins: Mapping[int, Payload]) -> bool:
        """Hand on what the model makes once it is there; False when a newer seek overtook us.

        Args:
            batch: the outputs.
            underway: the work.
            stand_ins: what is shown in their place when the model fails.
        """
        is_full = self._outlet.is_full()

        def put() -> bool:
            made = underway.finish()
            if made is None:
                return self._outlet.put(batch, stand_ins, Kind.COPY, is_final=False)
            return self._outlet.put(batch, made, Kind.SYNTHETIC, is_final=is_full)

        return self._then(put, underway)

    def add_pass(self, underway: Underway) -> bool:
        """Work that gives no outputs: it is looked at when it is done."""

        def put() -> bool:
            underway.finish()
            return True

        return self._then(put, underway)

    def drain(self, depth: int = 0) -> bool:
        """Hand on all but so many pieces of work; False when a newer seek overtook us."""
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
        """A seek or the end: nothing of it is wanted any more."""
        for underway in self._works:
            underway.abandon()
        self._waiting.clear()

    def _then(self, put: Callable[[], bool], underway: Underway | None = None) -> bool:
        self._waiting.append(_Waiting(underway, put))
        return self.drain(self._depth())
