"""How scenes are retimed from here on: by style, by what the scene shows, by what the model can and
by what there is time for. Pure.
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
    """What the user chose."""

    style: Style = "plain"
    """``smooth`` takes out the holds of drawings by passes, ``rhythm`` keeps them and looks at
    three pictures, ``plain`` keeps them; ``off`` plans like ``plain``.
    """
    passes: int | None = None
    """Passes of ``smooth`` and ``rhythm``; None = by the cadence for ``smooth``, none for
    ``rhythm``.
    """


_AGREEING_DRAWINGS: Final = 6
"""Drawings that must agree that nothing but whole frames is held: on threes, 18 frames."""


class Pace(NamedTuple):
    """What decides how much there is time for."""

    source_rate: Fraction
    target_rate: Fraction

    @property
    def ratio(self) -> Fraction:
        """Outputs per source frame."""
        return self.target_rate / self.source_rate


class Steering:
    """Passes and pictures per retime for the next frame; used by one thread, but ``retiming`` may
    be replaced and ``options`` be asked by any.

    Args:
        plan: everything else, and with no ``retiming`` these too.
        retiming: see there.
        pace: for quality that gives way to speed; None = it never does.
    """

    def __init__(
        self, plan: PlanOptions, retiming: Retiming | None = None, pace: Pace | None = None
    ) -> None:
        self._plan = plan
        self._pace = pace
        self._cadence = CadenceEstimator()
        self._drawn = CadenceEstimator(_AGREEING_DRAWINGS)
        """The cadence left when whole frames that repeat are taken out."""
        self._governor: Governor | None = None
        self._wish: tuple[Quality, frozenset[Variant]] | None = None
        """What the ladder was made for."""
        self._seconds = 0.0
        self._num_calls = 0
        self._num_wanted = 0
        self.retiming = retiming
        self.variants: Collection[Variant] = ()
        """Cheaper ways the model can be run."""
        self.expected: Mapping[Variant, float] = {}
        """See ``Executor.expected``."""

    @property
    def standing(self) -> Standing:
        """The step of quality in force; none without a pace or a model."""
        return self._governor.standing if self._governor is not None else Standing()

    def reset(self) -> None:
        """A seek: the next frame starts a scene."""
        self._cadence.reset()
        self._drawn.reset()
        self._seconds, self._num_calls, self._num_wanted = 0.0, 0, 0

    def renew(self) -> None:
        """Another model: what the old one cost says nothing."""
        self._governor = self._wish = None

    def push(self, stamp: Stamp, change: Change, model_frames: Literal[2, 3] | None) -> PlanOptions:
        """Take note of the next frame.

        Args:
            stamp: its times and flags.
            change: what moved.
            model_frames: see ``options``.

        Returns:
            How to plan from it on.
        """
        self._cadence.push(change.changed, stamp.cut, change.cadence)
        if not stamp.same:
            self._drawn.push(change.changed, stamp.cut, change.drawn)
        if self._pace is not None and model_frames is not None:
            self._follow(self._wanted(model_frames), self._pace)
        return self.options(model_frames)

    def options(self, model_frames: Literal[2, 3] | None) -> PlanOptions:
        """How to plan.

        Args:
            model_frames: pictures a call of the model looks at; None without a model, when passes
                could not be made.
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
        """Tell of calls of the model for the newest frame."""
        self._seconds += seconds
        self._num_calls += num_calls
        self._num_wanted += num_calls

    def skipped(self, num_calls: int) -> None:
        """Tell of calls that were left out for lack of time."""
        self._num_wanted += num_calls

    def missed(self, now: float) -> None:
        """Tell that an output was made too late to be shown."""
        if self._governor is not None:
            self._governor.miss(now)

    def judge(self, now: float, share: float | None, speed: float = 1.0) -> None:
        """The newest frame's work is done: decide on the quality of the next.

        Args:
            now: seconds on any clock that does not jump.
            share: of the margin that can be had; None when it says nothing yet.
            speed: of playback: at 2 a source frame has half the time.
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
        """The ladder begins at what is wanted now."""
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
                # Where nothing is held but whole frames, they are left out: no passes, no blur.
                cadence = self._cadence.cadence
                thin = cadence > 1 and self._drawn.cadence == 1
                passes = 0 if thin else passes_for(cadence)
        return replace(plan, passes=passes, num_frames=min(num_frames, model_frames), thin=thin)
