"""Decides which outputs and passes the model makes: those that time and the quality step allow."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from rtvfi.stream.plan.batch import needs, outputs_of
from rtvfi.stream.run.margin import Margin

if TYPE_CHECKING:
    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.stamp import ImageId
    from rtvfi.stream.plan.batch import Shown
    from rtvfi.stream.plan.planner import Mid
    from rtvfi.stream.plan.steering import Steering
    from rtvfi.stream.run.executors.pictures import Pictures
    from rtvfi.stream.run.parts import Start, Statistics
    from rtvfi.stream.run.playhead import Playhead

_REACH: Final = 12
"""Upper bound of the source frames that a picture made by passes depends on."""


class Triage:
    """Decides what is skipped; used by the compute thread.

    Args:
        info: the stream.
        started: grid and bounds.
        playhead: where the player is.
        steering: has the current quality, and receives what was skipped.
        pictures: the pictures in use.
        statistics: receives margin and lateness; has the cost of a call.
    """

    def __init__(
        self,
        info: StreamInfo,
        started: Start,
        playhead: Playhead,
        steering: Steering,
        pictures: Pictures,
        statistics: Statistics,
    ) -> None:
        self._origin = started.origin
        reach = math.ceil(_REACH / info.source_rate / started.grid.step)
        self._passes_from = (started.first_index or 0) - reach
        self._is_governed = started.is_governed
        self._playhead = playhead
        self._margin = Margin(playhead, started.attainable)
        self._steering = steering
        self._pictures = pictures
        self._statistics = statistics
        self._names: tuple[ImageId, ...] = ()
        self._is_odd = False

    def restart(self) -> None:
        """A start or seek."""
        self._margin.restart()

    def judge(self) -> None:
        """Decide on the quality of the next source frame; called when a frame's work is done."""
        share = self._margin.settled_share
        self._steering.judge(time.monotonic(), share, self._playhead.speed)

    def is_of_use(self, next_index: int) -> bool:
        """Whether an output that is still needed may use a pass planned before ``next_index``."""
        return next_index >= self._passes_from

    def allows_pass(self, action: Mid) -> bool:
        """Whether there is time for a pass, and all pictures that it needs were made."""
        has_time = self._may_hold(self._statistics.cost or 0.0) and not self._margin.is_low
        if not has_time or not self._pictures.are_there(needs(action)):
            self._steering.skipped(1)
            return False
        return True

    def allows(self, batch: Shown) -> bool:
        """Whether the model makes a batch; if not, source frames replace it."""
        if self._is_late(batch) or not self._pictures.are_there(needs(batch)):
            self._steering.skipped(len(outputs_of(batch)))
            return False
        return not self._is_spared(batch)

    def _is_late(self, batch: Shown) -> bool:
        """Whether the margin leaves no time for the model."""
        statistics, margin = self._statistics, self._margin
        outputs = outputs_of(batch)
        quality = self._steering.standing.quality
        is_bypass = quality is not None and quality.is_bypass
        cost = 0.0 if is_bypass else (statistics.cost or 0.0) * len(outputs)
        is_low = margin.look(float(outputs[0].pts - self._origin), cost)
        statistics.is_behind = is_low or not self._may_hold(cost)
        statistics.margin = margin.seconds
        if margin.is_missed:
            self._steering.missed(time.monotonic())
        return statistics.is_behind

    def _may_hold(self, cost: float) -> bool:
        """``Margin.may_hold`` while playing; always True when rendering."""
        return not self._is_governed or self._margin.may_hold(cost)

    def _is_spared(self, batch: Shown) -> bool:
        """Whether the current quality step skips these outputs."""
        quality = self._steering.standing.quality
        if quality is None or not (quality.is_sparse or quality.is_bypass):
            return False
        names = needs(batch)
        if names != self._names:
            self._names, self._is_odd = names, not self._is_odd
        return quality.is_bypass or self._is_odd
