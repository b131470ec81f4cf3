"""The playhead: the player's current position, estimated between its reports."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

HOLD_SECONDS: Final = 1.0
"""After a seek, its target counts as the position until this long after its first frame, unless the
player reports sooner that playback has restarted.
"""
SILENCE_SECONDS: Final = 1.0
"""A running player reports every frame. If it reports nothing for longer than this, its time is
assumed to stand still, as when the process was stopped with Ctrl+Z.
"""


@dataclass(frozen=True, slots=True)
class _State:
    position: float | None = None
    stamp: float = 0.0
    speed: float = 1.0
    is_running: bool = False
    late: float = 0.0
    held: float | None = None
    held_until: float | None = None


class Playhead:
    """The player's position. The player's event thread and the demuxer thread (``hold``,
    ``first_frame``) write it; the compute and demuxer threads read it.

    The whole state is one immutable value that is replaced in one assignment, so readers need no
    lock. Keep it that way.

    Args:
        clock: returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state = _State()
        self._writing = threading.RLock()

    def report(self, position: float | None) -> None:
        """Report the position shown by the player, seconds; None = unknown."""
        with self._writing:
            self._state = replace(self._state, position=position, stamp=self._clock())

    def set_speed(self, speed: float) -> None:
        """Set the playback speed; the time up to now counts at the old speed."""
        with self._writing:
            self._settle()
            self._state = replace(self._state, speed=speed)

    def set_running(self, is_running: bool) -> None:
        """Set whether the player's time passes (not paused, not waiting for a frame)."""
        with self._writing:
            self._settle()
            self._state = replace(self._state, is_running=is_running)

    def set_late(self, seconds: float) -> None:
        """Set how far the shown picture is behind the sound, seconds; 0 = in sync."""
        with self._writing:
            self._state = replace(self._state, late=max(0.0, seconds))

    def hold(self, position: float) -> None:
        """Begin a seek: until playback restarts, ``position`` counts as the player's position."""
        with self._writing:
            self._state = replace(self._state, held=position, held_until=None)

    def first_frame(self) -> None:
        """Report that the first frame after a seek was delivered; the hold ends within a second."""
        with self._writing:
            if self.is_held:
                self._state = replace(self._state, held_until=self._clock() + HOLD_SECONDS)

    def restarted(self) -> None:
        """Report that playback has restarted after a seek."""
        with self._writing:
            self._state = replace(self._state, held=None, held_until=None)

    @property
    def speed(self) -> float:
        """Playback speed: seconds of film per second."""
        return self._state.speed

    @property
    def is_held(self) -> bool:
        """Whether a seek is under way whose first frame was not delivered yet."""
        return self._state.held is not None and self._state.held_until is None

    def now(self) -> float | None:
        """Seconds on the player's clock; None before the first report."""
        state = self._state
        clock = self._clock()
        if state.held is not None and (state.held_until is None or clock < state.held_until):
            return state.held
        if state.position is None:
            return None
        return state.position + state.late + _passed(state, clock)

    def _settle(self) -> None:
        """Add the time since the last report to the position, so that a change of speed applies
        from now on only.
        """
        state = self._state
        if state.position is not None:
            clock = self._clock()
            self._state = replace(
                self._state, position=state.position + _passed(state, clock), stamp=clock
            )


def _passed(state: _State, clock: float) -> float:
    """Seconds of film that have passed since the player's last report."""
    passed = min(clock - state.stamp, SILENCE_SECONDS)
    return passed * state.speed if state.is_running else 0.0
