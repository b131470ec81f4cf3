"""Determines the refresh rate of the display that the window is on.

The rate that mpv reports at first may be another monitor's, until the window is mapped or moved
(Wayland, monitors of different rates; mpv#10444, #8780). With display sync, mpv also measures the
rate, and the measurement decides. mpv itself is not changed. Handlers run on the player's event
thread.
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
"""Seconds after the window was mapped or the display changed before measurements are used."""
READINGS: Final = 6
"""Number of consecutive measurements that must agree."""
_SPREAD: Final = 0.01
"""Relative spread of measurements of one rate; with a variable rate they spread more."""
_AGREES: Final = 0.02
_NEAR: Final = 0.006
"""Relative distance within which a measurement is rounded to a whole number, which most displays
have.
"""
_LOWEST: Final = 20.0
"""Hz; a lower measurement comes from a compositor that updates a hidden window rarely."""


class Display:
    """The display of one window.

    Args:
        changed: called with every newly accepted rate.
    """

    def __init__(self, changed: Callable[[float], None]) -> None:
        self._changed = changed
        self._told: float | None = None
        self._measured: deque[float] = deque(maxlen=READINGS)
        self._since = -math.inf
        self.rate: float | None = None
        """The accepted rate in Hz; None = unknown."""

    def tell(self, rate: float | None, now: float) -> None:
        """Report mpv's property ``display-fps``.

        Args:
            rate: Hz; None, 0 and NaN (X11 without a monitor) mean unknown.
            now: monotonic seconds.
        """
        told = _known(rate)
        if told != self._told:
            self._told = told
            self.restart(now)
            self._believe(told)

    def restart(self, now: float) -> None:
        """Forget measurements, because the window was just mapped."""
        self._since = now
        self._measured.clear()

    def look(self, player: Mpv, now: float) -> None:
        """Compare the reported rate with the measured one; called periodically while playing.

        Args:
            player: the mpv.
            now: monotonic seconds.
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
            log.info("the display runs at %g Hz, not %g", rate, self._told)
        self.rate = rate
        if rate is not None:
            self._changed(rate)


def _known(rate: float | None) -> float | None:
    return rate if rate is not None and math.isfinite(rate) and rate > 1 else None


def _snapped(rate: float) -> float:
    whole = float(round(rate))
    return whole if abs(rate - whole) <= _NEAR * rate else rate
