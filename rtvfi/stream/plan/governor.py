"""Decides when to lower quality because the device is too slow, and when to raise it again. Pure.

The governor chooses a step of the quality ladder from measured call costs and from how far the
output is ahead of the player. It works in seconds and has no clock of its own. It never changes the
time of an output.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from rtvfi.stream.plan.ladder import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rtvfi.stream.plan.ladder import Quality, Variant

_OVERLOAD: Final = 0.95
"""Load (cost per source frame / source period) above which the device cannot keep up."""
_SPARE: Final = 0.7
"""Predicted load below which a better step is tried."""
_FRAMES: Final = 12
"""Source frames for which an overload must last, and the least number between two steps down."""
_LOW, _HIGH = 0.25, 0.75
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 60.0
"""Seconds between a change and the next step up; doubled whenever a step up did not last."""
_HELD: Final = 30.0
"""Seconds after which a step up counts as lasting; the wait is then reset."""
_SPARE_FRAMES: Final = 48
"""Source frames for which there must have been time to spare before a step up: costs vary."""
_DOUBT: Final = 4
"""After this many waits, an old measured cost is replaced by a guess from current costs."""
_MISS_SECONDS: Final = 1.0
_SMOOTHING: Final = 0.15
"""Weight of the newest call in the running mean."""
_CALLS_WINDOW: Final = 24
"""Source frames over which calls are averaged; long holds need few calls."""


class Governor:
    """Takes measured costs and the fill of the output ring, returns a step of the ladder."""

    def __init__(self, steps: Sequence[Quality], period: float) -> None:
        """Start at the best step.

        Args:
            steps: the ladder, best first.
            period: seconds per source frame.
        """
        self._steps = tuple(steps)
        self._period = period
        self.speed = 1.0
        """Playback speed: at 2 a source frame has half the time."""
        self._level = 0
        self._activity = 1.0
        """Calls needed, as a fraction of those of a scene in which every frame differs."""
        self._num_counted = 0
        self._cost: dict[tuple[int, Variant], float] = {}
        """Seconds per call, by its kind."""
        self._expected: frozenset[Variant] = frozenset()
        """Variants that were timed beforehand."""
        self._num_measured = 0
        """Calls measured since the last change of step; the first may be slower than later ones."""
        self._num_overloaded = self._num_whole = self._num_spare = 0
        self._frames_since_change = 0
        self._changed_at: float | None = None
        self._rose = False
        self._wait = _FIRST_WAIT
        self._fills: deque[float] = deque(maxlen=_FRAMES)
        """Newest last; several, because a single frame may be slow without anything being wrong."""
        self._misses: deque[float] = deque()

    @property
    def level(self) -> int:
        """Index into the ladder: 0 = full quality; the last step is source frames only."""
        return self._level

    @property
    def quality(self) -> Quality:
        """The current step."""
        return self._steps[self._level]

    @property
    def standing(self) -> Standing:
        """The current step and its ladder."""
        return Standing(self._level, self._steps)

    def measure(self, seconds: float, quality: Quality | None = None) -> None:
        """Report the seconds of one network call made at ``quality`` (default: the current
        step).
        """
        key = _kind(quality or self.quality)
        before = self._cost.get(key, seconds)
        mean = self._cost[key] = before + _SMOOTHING * (seconds - before)
        self._num_measured += 1
        if self._num_measured > _FRAMES and before > 0:
            # Whatever makes one kind of call slower or faster is assumed to affect all kinds.
            for other in self._cost.keys() - {key}:
                self._cost[other] *= mean / before

    def expect(self, seconds: Mapping[Variant, float]) -> None:
        """Report the seconds of trial two-frame calls, before the first real one is made."""
        self._expected = frozenset(seconds)
        for variant, cost in seconds.items():
            self._cost.setdefault((2, variant), cost)

    def count(self, num_calls: int) -> None:
        """Report the calls that a source frame needed, including those skipped for lack of time."""
        full = self.quality.num_calls
        if full:
            self._num_counted = min(self._num_counted + 1, _CALLS_WINDOW)
            self._activity += (num_calls / full - self._activity) / self._num_counted

    def change(self, steps: Sequence[Quality]) -> None:
        """Continue with another ladder, at its first step that costs no more than the current one,
        or that is expected to leave time to spare.
        """
        most = self.quality.cost
        self._steps = tuple(steps)
        if self._level:
            fitting = (
                i
                for i, step in enumerate(steps)
                if step.cost <= most or (step.variant in self._expected and self.load(i) < _SPARE)
            )
            self._level = next(fitting, len(steps) - 1)

    def miss(self, now: float) -> None:
        """Report that an output was too late to be shown."""
        self._misses.append(now)

    def load(self, level: int) -> float:
        """Predicted load of a step, 1 = all available time; 0 before the first measurement."""
        quality = self._steps[level]
        seconds = quality.num_calls * self._activity * self._call_cost(quality)
        return seconds * self.speed / self._period

    def push(self, now: float, fill: float, *, is_short: bool = False) -> Quality:
        """Decide on the step; called once per source frame.

        Args:
            now: seconds on a monotonic clock.
            fill: how full the output ring is, 0 to 1.
            is_short: calls were skipped for lack of time.
        """
        if self._changed_at is None:
            self._changed_at = now
        self._frames_since_change += 1
        # A ring that stays full although nothing is skipped proves the prediction wrong.
        self._num_whole = 0 if is_short else self._num_whole + 1
        keeps_up = fill >= _HIGH and self._num_whole >= _CALLS_WINDOW
        overloaded = self.load(self._level) > _OVERLOAD and not keeps_up
        self._num_overloaded = self._num_overloaded + 1 if overloaded else 0
        has_spare = self._level > 0 and self.load(self._level - 1) < _SPARE
        self._num_spare = self._num_spare + 1 if has_spare else 0
        self._fills.append(fill)
        shrinking = fill < self._fills[0]
        while self._misses and self._misses[0] < now - _MISS_SECONDS:
            self._misses.popleft()
        if self._rose and now - self._changed_at >= max(_HELD, self._wait):
            self._rose, self._wait = False, _FIRST_WAIT
        if len(self._misses) >= 2:
            self._set_level(self._level + 2, now)
        elif self._frames_since_change >= _FRAMES and (
            self._num_overloaded >= _FRAMES or (fill < _LOW and shrinking)
        ):
            self._set_level(self._level + 1, now)
        elif self._may_rise(now, fill):
            self._set_level(self._level - 1, now)
        return self.quality

    def _may_rise(self, now: float, fill: float) -> bool:
        if self._level == 0 or fill <= _HIGH or self._changed_at is None:
            return False
        calm = now - self._changed_at
        if self._num_spare >= _SPARE_FRAMES:
            return calm >= self._wait
        # What the better step cost was measured before the last change, and may be true no longer.
        if calm >= min(_DOUBT * self._wait, _LONGEST_WAIT) and self._guess() < _SPARE:
            return True
        return calm >= _LONGEST_WAIT and self.load(self._level) < _SPARE

    def _guess(self) -> float:
        """Load of the next better step, predicted from current costs."""
        better, now = self._steps[self._level - 1], self.quality
        cost = self._cost.get(_kind(now))
        if cost is None or now.is_bypass:
            return math.inf
        calls = better.num_calls * better.relative_cost / now.relative_cost
        return calls * self._activity * cost * self.speed / self._period

    def _set_level(self, level: int, now: float) -> None:
        level = min(level, len(self._steps) - 1)
        if level > self._level and self._rose:
            self._wait = min(2 * self._wait, _LONGEST_WAIT)
        self._rose = level < self._level
        self._level = level
        self._changed_at = now
        self._num_overloaded = self._frames_since_change = 0
        self._num_counted = self._num_measured = self._num_spare = 0
        self._misses.clear()

    def _call_cost(self, quality: Quality) -> float:
        """Seconds of a call: measured, else scaled from the nearest measured step."""
        known = self._cost.get(_kind(quality))
        if known is not None:
            return known
        measured = [step for step in reversed(self._steps) if _kind(step) in self._cost]
        alike = [step for step in measured if step.variant == quality.variant]
        other = next(iter(alike or measured), None)
        if other is None:
            return 0.0
        return self._cost[_kind(other)] * quality.relative_cost / other.relative_cost


def _kind(quality: Quality) -> tuple[int, Variant]:
    return (quality.num_frames, quality.variant)
