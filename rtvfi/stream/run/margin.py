"""How far the output is ahead of the player, and whether that leaves time for the model. Pure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rtvfi.stream.run.playhead import Playhead

RISE_SECONDS: Final = 2.0
"""Time after a seek until a low margin counts in full."""


class MarginGate:
    """Whether the next output can afford its network call, with hysteresis.

    Thresholds are shares of the margin that can be had at all (a full ring), and no more than fixed
    times.
    """

    def __init__(self) -> None:
        self._is_cheap = False

    def restart(self) -> None:
        """A start or seek."""
        self._is_cheap = False

    def decide(self, margin_seconds: float, cost_seconds: float, attainable: float) -> bool:
        """Whether the next output should be the cheap one, a copy in place of a call.

        Args:
            margin_seconds: time until the output is due.
            cost_seconds: predicted cost of the call.
            attainable: the longest margin that can be had.
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
        """Clock when the player took this epoch's first frame."""
        self._best = 0.0
        self.seconds: float | None = None
        """Until the output looked at is due; None while nothing is shown, when nothing can be late.
        """
        self.share = 1.0
        """Of what can be had by now, up to 1; below 0 the output is late already."""
        self._is_settled = False
        self.is_low = False
        """The gate's last answer."""

    @property
    def settled_share(self) -> float | None:
        """``share``, once it has had time to rise; None before and while nothing is shown."""
        return self.share if self._is_settled else None

    @property
    def is_missed(self) -> bool:
        """Whether the output looked at is late already, though there was time."""
        return self._is_settled and self.seconds is not None and self.seconds < 0

    def may_hold(self, cost: float) -> bool:
        """Whether there is ever enough in stock for a call of so many seconds: if not, the picture
        would stop while it is made, also one made before anything is shown, or in a pause.
        """
        return cost < self._attainable

    def restart(self) -> None:
        """A start or seek."""
        self._shown_since, self._is_settled, self.is_low = None, False, False
        self._gate.restart()

    def look(self, position: float, cost: float) -> bool:
        """Whether there is no time for the model.

        Args:
            position: of the next output on the player's clock, seconds.
            cost: predicted seconds of making it.
        """
        clock = time.monotonic()
        now = self._playhead.now()
        if now is None or self._playhead.is_held:
            self.seconds, self._shown_since, self._is_settled = None, None, False
            self.is_low = False
            return False
        if self._shown_since is None:
            self._shown_since, self._best = clock, 0.0
        # The player's time passes at its own speed; what it costs is measured on the clock.
        speed = self._playhead.speed
        self.seconds = (position - now) / speed
        self._best = max(self._best, self.seconds)
        # After a seek the margin starts near 0 and a fast model builds it up: it is judged by what
        # was reached so far, and by the full measure only when it has had time.
        most = self._attainable / speed
        grown = most * (clock - self._shown_since) / RISE_SECONDS
        attainable = min(most, max(self._best, grown))
        self.share = min(1.0, self.seconds / attainable) if attainable > 0 else 1.0
        self._is_settled = clock - self._shown_since >= RISE_SECONDS
        self.is_low = self._gate.decide(self.seconds, cost, attainable)
        return self.is_low
