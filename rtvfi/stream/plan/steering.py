"""Chooses how scenes are retimed: by the style, the cadence of the scene, the abilities of the
model and the time available. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from rtvfi.stream.plan.governor import Governor
from rtvfi.stream.plan.ladder import Quality, Standing, Variant, ladder
from rtvfi.stream.see.cadence import CadenceEstimator, passes_for

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from fractions import Fraction

    from rtvfi.core.options import Style
    from rtvfi.core.stamp import Stamp
    from rtvfi.stream.plan.planner import PlanOptions
    from rtvfi.stream.see.changes import Change


@dataclass(frozen=True, kw_only=True, slots=True)
class Retiming:
    """The user's choice of retiming."""

    style: Style = "plain"
    """``smooth`` removes the holds of drawings, ``rhythm`` keeps them and looks at three pictures,
    ``plain`` keeps them; ``off`` plans like ``plain``.
    """
    passes: int | None = None
    """Passes of ``smooth`` and ``rhythm``; None = by the cadence for ``smooth``, none for
    ``rhythm``.
    """


_AGREEING_DRAWINGS: Final = 6
"""Consecutive drawings that must show that only whole frames are held: on threes, 18 frames."""


class Pace(NamedTuple):
    """The rates that decide how much time there is."""

    source_rate: Fraction
    target_rate: Fraction

    @property
    def ratio(self) -> Fraction:
        """Outputs per source frame."""
        return self.target_rate / self.source_rate


class Steering:
    """Chooses passes and pictures per retime for the next frame. Used by one thread, but any thread
    may replace ``retiming`` and call ``options``.

    Args:
        plan: the other options; without ``retiming``, passes and pictures per retime, too.
        retiming: the user's choice.
        pace: lets quality be lowered when time is short; None = never.
    """

    def __init__(
        self, plan: PlanOptions, retiming: Retiming | None = None, pace: Pace | None = None
    ) -> None:
        self._plan = plan
        self._pace = pace
        self._cadence = CadenceEstimator()
        self._drawn = CadenceEstimator(_AGREEING_DRAWINGS)
        """The cadence that remains when repeated whole frames are removed."""
        self._governor: Governor | None = None
        self._wish: tuple[Quality, frozenset[Variant]] | None = None
        """The quality and variants for which the current ladder was made."""
        self._seconds = 0.0
        self._num_calls = 0
        self._num_wanted = 0
        self.retiming = retiming
        self.variants: Collection[Variant] = ()
        """Cheaper ways to run the model."""
        self.expected: Mapping[Variant, float] = {}
        """Seconds of trial calls: ``Executor.expected``."""

    @property
    def standing(self) -> Standing:
        """The current step of the quality ladder; empty without a pace or a model."""
        return self._governor.standing if self._governor is not None else Standing()

    def reset(self) -> None:
        """Prepare for a seek: the next frame starts a scene."""
        self._cadence.reset()
        self._drawn.reset()
        self._seconds, self._num_calls, self._num_wanted = 0.0, 0, 0

    def renew(self) -> None:
        """Forget measured costs, because another model is used."""
        self._governor = self._wish = None

    def push(self, stamp: Stamp, change: Change, model_frames: Literal[2, 3] | None) -> PlanOptions:
        """Take the next frame.

        Args:
            stamp: its times and flags.
            change: what moved in it.
            model_frames: as for ``options``.

        Returns:
            The planner's options from this frame on.
        """
        self._cadence.push(change.changed, stamp.cut, change.cadence)
        if not stamp.same:
            self._drawn.push(change.changed, stamp.cut, change.drawn)
        if self._pace is not None and model_frames is not None:
            self._follow(self._wanted(model_frames), self._pace)
        return self.options(model_frames)

    def options(self, model_frames: Literal[2, 3] | None) -> PlanOptions:
        """The planner's options.

        Args:
            model_frames: pictures that a call of the model looks at; None without a model, in which
                case there are no passes.
        """
        if model_frames is None:
            return replace(self._plan, passes=0, num_frames=2, thin=False)
        wanted, quality = self._wanted(model_frames), self.standing.quality
        if quality is None:
            return wanted
        if quality.is_bypass:
            return replace(wanted, passes=0, num_frames=2, thin=False)
        beat = None
        if self._pace is not None and quality.ratio < self._pace.ratio:
            beat = 1 / (self._pace.source_rate * quality.ratio)
        return replace(
            wanted,
            passes=min(wanted.passes, quality.passes),
            num_frames=min(wanted.num_frames, quality.num_frames),
            beat=beat,
        )

    # What the work costs.

    def worked(self, seconds: float, num_calls: int) -> None:
        """Report the model calls made for the newest frame."""
        self._seconds += seconds
        self._num_calls += num_calls
        self._num_wanted += num_calls

    def skipped(self, num_calls: int) -> None:
        """Report calls that were skipped for lack of time."""
        self._num_wanted += num_calls

    def missed(self, now: float) -> None:
        """Report that an output was made too late to be shown."""
        if self._governor is not None:
            self._governor.miss(now)

    def judge(self, now: float, share: float | None, speed: float = 1.0) -> None:
        """Decide on the quality of the next frame; called when the newest frame's work is done.

        Args:
            now: seconds on a monotonic clock.
            share: margin as a fraction of the largest possible one; None if it means nothing yet.
            speed: playback speed: at 2 a source frame has half the time.
        """
        governor = self._governor
        if governor is not None:
            governor.speed = speed
            if self._num_calls:
                governor.measure(self._seconds / self._num_calls)
            governor.count(self._num_wanted)
            if share is not None:
                governor.push(now, share, is_short=self._num_calls < self._num_wanted)
        self._seconds, self._num_calls, self._num_wanted = 0.0, 0, 0

    def _follow(self, wanted: PlanOptions, pace: Pace) -> None:
        """Make a new ladder if the wanted quality has changed."""
        full = Quality(num_frames=wanted.num_frames, passes=wanted.passes, ratio=pace.ratio)
        wish = full, frozenset(self.variants)
        if wish == self._wish:
            return
        self._wish = wish
        steps = ladder(*wish)
        governor = self._governor or Governor(steps, float(1 / pace.source_rate))
        governor.expect(self.expected)
        if self._governor is not None:
            governor.change(steps)
        self._governor = governor

    def _wanted(self, model_frames: Literal[2, 3]) -> PlanOptions:
        retiming, plan = self.retiming, self._plan
        passes, num_frames, thin = plan.passes, plan.num_frames, plan.thin
        if retiming is not None:
            passes, num_frames, thin = 0, 2, False
            if retiming.style == "rhythm":
                passes, num_frames = retiming.passes or 0, 3
            elif retiming.style == "smooth" and retiming.passes is not None:
                passes = retiming.passes
            elif retiming.style == "smooth":
                # Where only whole frames are held, the repeats are dropped: no passes, no blur.
                cadence = self._cadence.cadence
                thin = cadence > 1 and self._drawn.cadence == 1
                passes = 0 if thin else passes_for(cadence)
        return replace(plan, passes=passes, num_frames=min(num_frames, model_frames), thin=thin)
