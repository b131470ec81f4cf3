"""What to give up when the device is too slow, and when to take it back.

Two parts, both without a clock of their own. The ``Governor`` picks a step of the quality ladder
from measured call costs and the fill of the output ring; it thinks in seconds. The ``MarginGate``
decides before every single call whether there is still time for it; it thinks in frames. Neither
changes when an output is shown.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

_OVERLOAD: Final = 0.95
"""Load above which the device cannot keep up: cost per source frame / source period."""
_SPARE: Final = 0.7
"""Predicted load below which a better step is tried."""
_FRAMES: Final = 12
"""Source frames a load must last; also those between two steps down."""
_LOW, _HIGH = 0.25, 0.75
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 60.0
"""Seconds between a change and the next rise; doubled whenever a rise did not hold."""
_MISS_SECONDS: Final = 1.0
_SMOOTHING: Final = 0.15
"""Weight of the newest call in the running mean."""
_CALLS_WINDOW: Final = 24
"""Source frames over which calls are averaged: drawings held for long need few."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """A step of the ladder."""

    num_frames: Literal[2, 3] = 2
    flow_scale: float = 1.0
    passes: int = 0
    ratio: Fraction = Fraction(2)
    """Target rate / source rate."""
    is_lite: bool = False
    """Half-size inference or a lighter model."""
    is_sparse: bool = False
    """Every second pair of pictures gets nothing between."""
    is_bypass: bool = False
    """Source frames only."""

    @property
    def num_calls(self) -> float:
        """Network calls per source frame: passes, and outputs that fall on no knot."""
        if self.is_bypass:
            return 0.0
        between = self.ratio - Fraction(1, self.ratio.denominator)
        return float(self.passes + between / (2 if self.is_sparse else 1))

    @property
    def relative_cost(self) -> float:
        """Cost of a call against a two-frame one at full scale, until it has been measured.

        Guesses: a third frame adds a flow and more warping, half the size is a quarter of the
        pixels but not of the overhead.
        """
        cost = 1.7 if self.num_frames == 3 else 1.0
        if self.flow_scale < 1:
            cost *= 0.6
        return cost * (0.35 if self.is_lite else 1.0)


def ladder(
    full: Quality,
    *,
    has_scales: bool = True,
    has_lite: bool = True,
    has_free_grid: bool = False,
    has_sparse: bool = False,
) -> list[Quality]:
    """Steps from ``full`` down to pass-through, each cheaper than the one before.

    Args:
        full: what the user asked for.
        has_scales: motion may be estimated at half size.
        has_lite: a lighter model or half-size inference is at hand.
        has_free_grid: the output rate may drop to twice the source rate on the way.
        has_sparse: every second pair may be left out.
    """
    steps = [full]

    def give_up(wanted: bool, **change: object) -> None:
        cheaper = replace(steps[-1], **change)  # type: ignore[arg-type]
        if wanted and _first_guess(cheaper) < _first_guess(steps[-1]):
            steps.append(cheaper)

    give_up(full.num_frames == 3, num_frames=2)
    give_up(has_scales and full.flow_scale > 0.5, flow_scale=0.5)
    give_up(full.passes > 1, passes=full.passes - 1)
    give_up(has_free_grid and full.ratio > 2, ratio=Fraction(2))
    give_up(full.passes > 0, passes=0)
    give_up(has_lite, is_lite=True)
    give_up(has_sparse, is_sparse=True)
    give_up(True, is_bypass=True)
    return steps


class Governor:
    """A reducer: measured costs and ring fill in, ladder step out."""

    def __init__(self, steps: Sequence[Quality], period: float) -> None:
        """Start at the best step.

        Args:
            steps: the ladder, best first.
            period: seconds per source frame.
        """
        self._steps = list(steps)
        self._period = period
        self._level = 0
        self._activity = 1.0
        """Calls wanted, as a share of those of a scene in which every frame differs."""
        self._num_counted = 0
        self._cost: dict[tuple[int, float, bool], float] = {}
        self._num_overloaded = self._num_whole = 0
        self._frames_since_change = 0
        self._changed_at: float | None = None
        self._rose = False
        self._wait = _FIRST_WAIT
        self._fills: deque[float] = deque(maxlen=_FRAMES)
        """Newest last; a single frame may cost more than another without anything being wrong."""
        self._misses: deque[float] = deque()

    @property
    def level(self) -> int:
        """0 = everything asked for; the last one is pass-through."""
        return self._level

    @property
    def quality(self) -> Quality:
        """The step in force."""
        return self._steps[self._level]

    def measure(self, seconds: float, quality: Quality | None = None) -> None:
        """Tell what one network call took, made at ``quality`` (by default the step in force)."""
        key = _kind(quality or self.quality)
        mean = self._cost.get(key, seconds)
        self._cost[key] = mean + _SMOOTHING * (seconds - mean)

    def count(self, num_calls: int) -> None:
        """Tell how many calls a source frame wanted, those left out for lack of time included."""
        full = self.quality.num_calls
        if full:
            self._num_counted = min(self._num_counted + 1, _CALLS_WINDOW)
            self._activity += (num_calls / full - self._activity) / self._num_counted

    def change(self, steps: Sequence[Quality]) -> None:
        """Go on with another ladder, at its first step that costs no more than the one in force."""
        most = _first_guess(self.quality)
        self._steps = list(steps)
        if self._level:
            fitting = (i for i, step in enumerate(steps) if _first_guess(step) <= most)
            self._level = next(fitting, len(steps) - 1)

    def miss(self, now: float) -> None:
        """Tell that an output was too late to be shown."""
        self._misses.append(now)

    def load(self, level: int) -> float:
        """Predicted share of the time that a step needs; 0 while nothing was measured."""
        quality = self._steps[level]
        return quality.num_calls * self._activity * self._call_cost(quality) / self._period

    def push(self, now: float, fill: float, *, is_short: bool = False) -> Quality:
        """Decide anew, once per source frame.

        Args:
            now: seconds on any clock that does not jump.
            fill: how full the output ring is, 0 to 1.
            is_short: calls were left out for lack of time.
        """
        if self._changed_at is None:
            self._changed_at = now
        self._frames_since_change += 1
        # A ring that stays full with nothing left out proves the prediction wrong.
        self._num_whole = 0 if is_short else self._num_whole + 1
        keeps_up = fill >= _HIGH and self._num_whole >= _CALLS_WINDOW
        overloaded = self.load(self._level) > _OVERLOAD and not keeps_up
        self._num_overloaded = self._num_overloaded + 1 if overloaded else 0
        self._fills.append(fill)
        shrinking = fill < self._fills[0]
        while self._misses and self._misses[0] < now - _MISS_SECONDS:
            self._misses.popleft()
        if self._rose and now - self._changed_at >= self._wait:
            # The last rise has held as long as it had to wait for: trust returns.
            self._rose, self._wait = False, _FIRST_WAIT
        if len(self._misses) >= 2:
            self._go(self._level + 2, now)
        elif self._frames_since_change >= _FRAMES and (
            self._num_overloaded >= _FRAMES or (fill < _LOW and shrinking)
        ):
            self._go(self._level + 1, now)
        elif self._may_rise(now, fill):
            self._go(self._level - 1, now)
        return self.quality

    def _may_rise(self, now: float, fill: float) -> bool:
        if self._level == 0 or fill <= _HIGH or self._changed_at is None:
            return False
        calm = now - self._changed_at
        if self.load(self._level - 1) < _SPARE:
            return calm >= self._wait
        # What the better step cost was measured before the last change; it may no longer be true.
        return calm >= _LONGEST_WAIT and self.load(self._level) < _SPARE

    def _go(self, level: int, now: float) -> None:
        level = min(level, len(self._steps) - 1)
        if level > self._level and self._rose:
            self._wait = min(2 * self._wait, _LONGEST_WAIT)
        self._rose = level < self._level
        self._level = level
        self._changed_at = now
        self._num_overloaded = self._frames_since_change = self._num_counted = 0
        self._misses.clear()

    def _call_cost(self, quality: Quality) -> float:
        """Measured seconds of a call, else scaled from the nearest measured step."""
        known = self._cost.get(_kind(quality))
        if known is not None:
            return known
        for other in reversed(self._steps):
            measured = self._cost.get(_kind(other))
            if measured is not None:
                return measured * quality.relative_cost / other.relative_cost
        return 0.0


class MarginGate:
    """Whether the next output can afford its network call, with hysteresis.

    The margin is what the player still has to show when the output is due to be ready. Thresholds
    are shares of the margin that can be had at all (a full ring), and no more than fixed times.
    """

    def __init__(self, priming_seconds: float = 1.5) -> None:
        """Start unprimed.

        Args:
            priming_seconds: wall time after ``restart`` in which quality goes first: nothing is
                shown yet, so nothing can be late.
        """
        self._priming_seconds = priming_seconds
        self._priming_since: float | None = None
        self._cheap = False

    def restart(self, now: float) -> None:
        """A start or seek: nothing of this epoch has been handed to the player yet."""
        self._priming_since = now
        self._cheap = False

    def started(self) -> None:
        """The player has taken its first frame: priming is over."""
        self._priming_since = None

    def decide(
        self,
        margin_seconds: float,
        cost_seconds: float,
        attainable: float,
        now: float | None = None,
    ) -> bool:
        """Whether the next output should be the cheap one, a copy in place of a call.

        Args:
            margin_seconds: seconds of output ready beyond what the player has taken.
            cost_seconds: predicted cost of the call.
            attainable: seconds of output a full ring holds.
            now: the clock given to ``restart``; without it there is no priming.
        """
        since = self._priming_since
        if since is not None and now is not None and now - since < self._priming_seconds:
            return False
        left = margin_seconds - cost_seconds
        if left < min(0.3 * attainable, 0.3):
            self._cheap = True
        elif left > min(0.6 * attainable, 0.6):
            self._cheap = False
        return self._cheap


def _kind(quality: Quality) -> tuple[int, float, bool]:
    return (quality.num_frames, quality.flow_scale, quality.is_lite)


def _first_guess(quality: Quality) -> float:
    return quality.num_calls * quality.relative_cost
