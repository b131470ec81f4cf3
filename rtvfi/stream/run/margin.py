"""How far the output is ahead of the player, and whether that leaves time for the model. Pure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rtvfi.stream.run.playhead import Playhead

RISE_SECONDS: Final = 2.0
"""Seconds after a seek before the margin is compared with the full thresholds."""


class MarginGate:
    """Decides, with hysteresis, whether there is time for the next network call.

    The thresholds are fractions of the largest possible margin (a full ring), limited to fixed
    times.
    """

    def __init__(self) -> None:
        self._is_cheap = False

    def restart(self) -> None:
        """A start or seek."""
        self._is_cheap = False

    def decide(self, margin_seconds: float, cost_seconds: float, attainable: float) -> bool:
        """Whether the next output should be cheap: a copy instead of a call.

        Args:
            margin_seconds: time until the output is due.
            cost_seconds: predicted duration of the call.
            attainable: the largest possible margin, seconds.
        """
        left = margin_seconds - cost_seconds
        if left < min(0.3 * attainable, 0.3):
            self._is_cheap = True
        elif left > min(0.6 * attainable, 0.6):
            self._is_cheap = False
        return self._is_cheap


class Margin:
    """The margin of the newest output; used by the compute thread.

    Args:
        playhead: where the player is.
        attainable: seconds of film a player and the output ring can be ahead of the playhead
            together.
    """

    def __init__(self, playhead: Playhead, attainable: float) -> None:
        self._playhead = playhead
        self._gate = MarginGate()
        self._attainable = attainable
        self._shown_since: float | None = None
        """Clock time at which the player took the first frame after a seek."""
        self._best = 0.0
        self.seconds: float | None = None
        """Seconds until the newest output is due; None while nothing is shown, so nothing is
        late.
        """
        self.share = 1.0
        """The margin as a fraction of the largest one possible by now, up to 1; negative = late."""
        self._is_settled = False
        self.is_low = False
        """The last decision of the gate."""

    @property
    def settled_share(self) -> float | None:
        """``share``; None while nothing is shown, and too soon after a seek."""
        return self.share if self._is_settled else None

    @property
    def is_missed(self) -> bool:
        """Whether the newest output is late although there was enough time since the seek."""
        return self._is_settled and self.seconds is not None and self.seconds < 0

    def may_hold(self, cost: float) -> bool:
        """Whether the frames in stock can ever cover a call of ``cost`` seconds. If not, playback
        would stall during the call, even one made before anything is shown, or while paused.
        """
        return cost < self._attainable

    def restart(self) -> None:
        """A start or seek."""
        self._shown_since, self._is_settled, self.is_low = None, False, False
        self._gate.restart()

    def look(self, position: float, cost: float) -> bool:
        """Whether there is no time for the model.

        Args:
            position: time of the next output on the player's clock, seconds.
            cost: predicted duration of its call, seconds.
        """
        clock = time.monotonic()
        now = self._playhead.now()
        if now is None or self._playhead.is_held:
            self.seconds, self._shown_since, self._is_settled = None, None, False
            self.is_low = False
            return False
        if self._shown_since is None:
            self._shown_since, self._best = clock, 0.0
        # Film time passes at the playback speed; the cost is measured in real time.
        speed = self._playhead.speed
        self.seconds = (position - now) / speed
        self._best = max(self._best, self.seconds)
        # After a seek the margin starts near 0 and a fast model builds it up. So at first it is
        # compared with the largest margin reached so far, and later with the full one.
        most = self._attainable / speed
        grown = most * (clock - self._shown_since) / RISE_SECONDS
        attainable = min(most, max(self._best, grown))
        self.share = min(1.0, self.seconds / attainable) if attainable > 0 else 1.0
        self._is_settled = clock - self._shown_since >= RISE_SECONDS
        self.is_low = self._gate.decide(self.seconds, cost, attainable)
        return self.is_low
