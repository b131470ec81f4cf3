"""The rate of the display that the window is on, as far as it can be believed.

What mpv is told at first may be another monitor's, until the window was mapped or moved (Wayland,
monitors of several rates; mpv#10444, #8780). Where mpv keeps time by the display it also measures
the rate: that settles it. Nothing of mpv's is changed. Handlers run on the player's event thread.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.playing.mpv.player import Mpv

log = logging.getLogger(__name__)

SETTLING_SECONDS: Final = 2.0
"""After the window was mapped, or the display changed: measurements before that are not taken."""
READINGS: Final = 6
"""Measurements in a row that have to agree with each other before they are believed."""
_SPREAD: Final = 0.01
"""Part by which measurements of one rate differ; with a variable rate they differ by more."""
_AGREES: Final = 0.02
_NEAR: Final = 0.006
"""Part by which a measurement may miss the whole number that displays nearly always have."""
_LOWEST: Final = 20.0
"""Less is a compositor that shows a hidden window now and then."""


class Display:
    """One window's display.

    Args:
        changed: told of a rate that is believed from now on.
    """

    def __init__(self, changed: Callable[[float], None]) -> None:
        self._changed = changed
        self._told: float | None = None
        self._measured: deque[float] = deque(maxlen=READINGS)
        self._since = -math.inf
        self.rate: float | None = None
        """The rate that is believed; None = nobody told."""

    def tell(self, rate: float | None, now: float) -> None:
        """mpv says what the display's rate is (``display-fps``).

        Args:
            rate: None, 0 and NaN (X11 without a monitor) are unknown.
            now: seconds, monotonic.
        """
        told = _known(rate)
        if told != self._told:
            self._told = told
            self.restart(now)
            self._believe(told)

    def restart(self, now: float) -> None:
        """The window was mapped: what was measured before does not count."""
        self._since = now
        self._measured.clear()

    def look(self, player: Mpv, now: float) -> None:
        """Hold what mpv is told against what it measures; called now and then while playing.

        Args:
            player: the mpv.
            now: see ``tell``.
        """
        self.tell(player.display_fps, now)
        if now - self._since < SETTLING_SECONDS:
            return
        measured = _known(player.estimated_display_fps)  # only with display sync
        if measured is None or measured < _LOWEST:
            self._measured.clear()
            return
        self._measured.append(measured)
        least, most = min(self._measured), max(self._measured)
        if len(self._measured) < READINGS or most - least > _SPREAD * most:
            return
        middle = (least + most) / 2
        is_true = self._told is not None and abs(middle - self._told) <= _AGREES * middle
        self._believe(self._told if is_true else _snapped(middle))

    def _believe(self, rate: float | None) -> None:
        if rate == self.rate:
            return
        if rate is not None and self._told is not None and rate != self._told:
            log.info("the display shows %g pictures a second, and not %g", rate, self._told)
        self.rate = rate
        if rate is not None:
            self._changed(rate)


def _known(rate: float | None) -> float | None:
    return rate if rate is not None and math.isfinite(rate) and rate > 1 else None


def _snapped(rate: float) -> float:
    whole = float(round(rate))
    return whole if abs(rate - whole) <= _NEAR * rate else rate
