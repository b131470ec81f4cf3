"""Where the player is: what it shows now on its own clock, estimated between its reports."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

HOLD_SECONDS: Final = 1.0
"""A seek's target stands for the position this long after its first frame, if the player reports
no restart sooner.
"""
SILENCE_SECONDS: Final = 1.0
"""A running player reports every frame: one that says nothing for longer stands still, as when the
process was stopped (Ctrl+Z), though the clock went on.
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
    """Written by the player's event thread and by the demuxer thread (``hold``, ``first_frame``),
    read by the compute and demuxer threads.

    The whole state is one immutable value, replaced in one assignment, so readers need no lock.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state = _State()
        self._writing = threading.RLock()

    def report(self, position: float | None) -> None:
        """The player says what time it shows."""
        self._change(position=position, stamp=self._clock())

    def set_speed(self, speed: float) -> None:
        """Playback speed; the time up to now counts at the old one."""
        with self._writing:
            self._settle()
            self._change(speed=speed)

    def set_running(self, is_running: bool) -> None:
        """Whether the player's time passes (not paused, not waiting for a frame)."""
        with self._writing:
            self._settle()
            self._change(is_running=is_running)

    def set_late(self, seconds: float) -> None:
        """How far the shown picture is behind the sound; 0 when in step."""
        self._change(late=max(0.0, seconds))

    def hold(self, position: float) -> None:
        """A seek was asked: until its playback starts, ``position`` is where the player is."""
        self._change(held=position, held_until=None)

    def first_frame(self) -> None:
        """The first frame after a seek was handed over; the hold ends within a second."""
        with self._writing:
            if self.is_held:
                self._change(held_until=self._clock() + HOLD_SECONDS)

    def restarted(self) -> None:
        """The player says that playback started after a seek."""
        self._change(held=None, held_until=None)

    @property
    def speed(self) -> float:
        """Seconds of film that pass in a second of playback."""
        return self._state.speed

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
        return state.position + state.late + _passed(state, clock)

    def _settle(self) -> None:
        """Fold the time since the last report into the position, so that a change of pace starts
        now.
        """
        state = self._state
        if state.position is not None:
            clock = self._clock()
            self._change(position=state.position + _passed(state, clock), stamp=clock)

    def _change(self, **fields: Any) -> None:
        with self._writing:
            self._state = replace(self._state, **fields)


def _passed(state: _State, clock: float) -> float:
    """Seconds of the player's time since its last report."""
    passed = min(clock - state.stamp, SILENCE_SECONDS)
    return passed * state.speed if state.is_running else 0.0
