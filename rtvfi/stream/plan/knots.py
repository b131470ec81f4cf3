"""The state of an open scene: its newest frames and the knots outputs may still use. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction

    from rtvfi.core.stamp import ImageId, Stamp

LONGEST_RUN: Final = 4
"""Longest run of equal frames that counts as one drawing of a motion; a longer one is a pose. The
planner waits for a run to end, so this sets the lookahead of ``PlanOptions.thin``, and its
``preroll``.
"""


class Knot(NamedTuple):
    """A picture at a known time."""

    pts: Fraction
    image: ImageId


class Scene:
    """The current, unfinished scene; created with its first frame."""

    def __init__(self, stamp: Stamp, image: ImageId) -> None:
        first = Knot(stamp.pts, image)
        self.start = stamp.pts
        self.last = stamp
        self.edge = [first]
        """B_0(i), B_1(i-1), .. of the newest frame i."""
        self.knots = deque([first])
        """The knots in use: from the one at or before the next output on."""
        self.before: Knot | None = None
        """The knot before ``knots[0]``."""
        self.shown: Fraction | None = None
        """Content time of the newest output."""
        self._run: deque[Fraction] = deque([stamp.pts], LONGEST_RUN)
        """Times of the newest frames with equal pictures."""
        self._is_run_open = False
        """Whether that run still needs a knot at its centre."""

    def advance(self, content: Fraction) -> None:
        """Drop the knots that neither an output at ``content`` nor a later one needs."""
        knots = self.knots
        while len(knots) > 1 and knots[1].pts <= content:
            self.before = knots.popleft()

    def lower(self, passes: int) -> None:
        """End the levels above ``passes`` here, with a ramp of knots."""
        while len(self.edge) - 1 > passes:
            self.edge.pop()
            self.knots.append(self.edge[-1])

    def note(self, pts: Fraction, image: ImageId, *, thin: bool) -> None:
        """Take the next frame.

        Args:
            pts: its time.
            image: its picture.
            thin: a run of equal frames has one knot, at its centre. A longer run (a pose) has two
                knots, as far from its ends as the centre of the longest run is, so that motion
                into and out of it is like that of the drawings around it; it is held in between.
        """
        is_new = image != self.edge[0].image
        is_due = is_new or len(self._run) == LONGEST_RUN
        if (thin and is_due) or (self._is_run_open and is_new):
            self._centre()
        self._is_run_open = False
        if is_new:
            self._run.clear()
        self._run.append(pts)

    def begin_thin(self) -> None:
        """Change from passes to thinning. No ramp is needed: the top knot is at a run's centre."""
        del self.edge[1:]

    def end_thin(self, passes: int) -> None:
        """Change from thinning to passes, which continue an unfinished run; without passes, end
        it.
        """
        self._is_run_open = passes > 0
        if not passes:
            self._end_run()

    def end(self, *, thin: bool) -> None:
        """End the scene with its newest frame."""
        self.lower(0)
        if thin or self._is_run_open:
            self._end_run()

    def _end_run(self) -> None:
        self._centre()
        self._append(self.edge[0])

    def _centre(self) -> None:
        self._append(Knot((self._run[0] + self._run[-1]) / 2, self.edge[0].image))

    def _append(self, knot: Knot) -> None:
        if knot.pts > self.knots[-1].pts:
            self.knots.append(knot)
