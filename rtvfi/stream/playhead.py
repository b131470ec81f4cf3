"""Where the player is: what it shows now on its own clock, estimated between its reports. Pure."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

HOLD_SECONDS: Final = 1.0
"""A seek's target stands for the position this long after its first frame, if the player reports
no restart sooner.
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
    """Written by the player's event thread, read by the compute and demuxer threads.

    The whole state is one immutable value, replaced in one assignment, so readers need no lock.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state = _State()

    def report(self, position: float | None) -> None:
        """The player says what time it shows."""
        self._state = replace(self._state, position=position, stamp=self._clock())

    def set_speed(self, speed: float) -> None:
        """Playback speed; the time up to now counts at the old one."""
        self._settle()
        self._state = replace(self._state, speed=speed)

    def set_running(self, is_running: bool) -> None:
        """Whether the player's time passes (not paused, not waiting for a frame)."""
        self._settle()
        self._state = replace(self._state, is_running=is_running)

    def set_late(self, seconds: float) -> None:
        """How far the shown picture is behind the sound; 0 when in step."""
        self._state = replace(self._state, late=max(0.0, seconds))

    def hold(self, position: float) -> None:
        """A seek was asked: until its playback starts, ``position`` is where the player is."""
        self._state = replace(self._state, held=position, held_until=None)

    def first_frame(self) -> None:
        """The first frame after a seek was handed over; the hold ends within a second."""
        if self._state.held is not None and self._state.held_until is None:
            self._state = replace(self._state, held_until=self._clock() + HOLD_SECONDS)

    def restarted(self) -> None:
        """The player says that playback started after a seek."""
        self._state = replace(self._state, held=None, held_until=None)

    @property
    def is_held(self) -> bool:
        """Whether a seek is under way and its first frame not yet handed over."""
        return self._state.held is not None and self._state.held_until is None

    def now(self) -> float | None:
        """Seconds on the player's clock; None before the first report."""
        state = self._state
        clock = self._clock()
        if state.held is not None and (state.held_until is None or clock < state.held_until):
            return state.held
        if state.position is None:
            return None
        passed = (clock - state.stamp) * state.speed if state.is_running else 0.0
        return state.position + state.late + passed

    def _settle(self) -> None:
        """Fold the time since the last report into the position, so that a change of pace starts
        now.
        """
        state = self._state
        if state.position is None:
            return
        clock = self._clock()
        passed = (clock - state.stamp) * state.speed if state.is_running else 0.0
        self._state = replace(state, position=state.position + passed, stamp=clock)
