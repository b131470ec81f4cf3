"""How scenes are retimed from here on: by style, by what the scene shows, by what the model can.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from rtvfi.stream.cadence import CadenceEstimator, passes_for

if TYPE_CHECKING:
    from rtvfi.stream.options import Style
    from rtvfi.stream.plan import PlanOptions


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


class Steering:
    """Passes and pictures per retime for the next frame; used by one thread, but ``retiming`` may
    be replaced by any.

    Args:
        plan: everything else, and with no ``retiming`` these too.
        retiming: see there.
    """

    def __init__(self, plan: PlanOptions, retiming: Retiming | None = None) -> None:
        self._plan = plan
        self._cadence = CadenceEstimator()
        self.retiming = retiming

    def reset(self) -> None:
        """A seek: the next frame starts a scene."""
        self._cadence.reset()

    def push(self, *, changed: bool, cut: bool) -> None:
        """Take note of the next frame.

        Args:
            changed: its picture differs from the one before.
            cut: it starts a scene.
        """
        self._cadence.push(changed, cut)

    def options(self, model_frames: Literal[2, 3] | None) -> PlanOptions:
        """How to plan.

        Args:
            model_frames: pictures a call of the model looks at; None without a model, when passes
                could not be made.
        """
        if model_frames is None:
            return replace(self._plan, passes=0, num_frames=2)
        wanted = self._wanted()
        if model_frames == 2 and wanted.num_frames == 3:
            return replace(wanted, num_frames=2)
        return wanted

    def _wanted(self) -> PlanOptions:
        retiming, plan = self.retiming, self._plan
        if retiming is None:
            return plan
        if retiming.style == "smooth":
            passes = retiming.passes
            if passes is None:
                passes = passes_for(self._cadence.cadence)
            return replace(plan, passes=passes, num_frames=2)
        if retiming.style == "rhythm":
            return replace(plan, passes=retiming.passes or 0, num_frames=3)
        return replace(plan, passes=0, num_frames=2)
