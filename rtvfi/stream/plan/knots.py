"""The state of an open scene: its newest frames and the knots outputs may still use. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction

    from rtvfi.core.stamp import ImageId, Stamp

LONGEST_RUN: Final = 4
"""Frames of one picture that are one drawing in motion; more are a pose."""


class Knot(NamedTuple):
    """A picture at a known time."""

    pts: Fraction
    image: ImageId


class Scene:
    """A scene that is not over yet; made with its first frame."""

    def __init__(self, stamp: Stamp, image: ImageId) -> None:
        first = Knot(stamp.pts, image)
        self.start = stamp.pts
        self.last = stamp
        self.edge = [first]
        """B_0(i), B_1(i-1), .. of the newest frame i."""
        self.knots = deque([first])
        """From the one at or before the next output on."""
        self.before: Knot | None = None
        """The knot before ``knots[0]``."""
        self.shown: Fraction | None = None
        """Content of its newest output."""
        self._run: deque[Fraction] = deque([stamp.pts], LONGEST_RUN)
        """Times of the newest frames that show one picture."""
        self._is_run_open = False
        """Whether it still wants its centre."""

    def advance(self, content: Fraction) -> None:
        """Forget the knots that an output at ``content`` and later ones cannot lie after."""
        knots = self.knots
        while len(knots) > 1 and knots[1].pts <= content:
            self.before = knots.popleft()

    def lower(self, passes: int) -> None:
        """Make the levels above ``passes`` end here, in a ramp of knots."""
        while len(self.edge) - 1 > passes:
            self.edge.pop()
            self.knots.append(self.edge[-1])

    def note(self, pts: Fraction, image: ImageId, *, thin: bool) -> None:
        """Take note of the next frame.

        Args:
            pts: its time.
            image: its picture.
            thin: runs of equal frames have one knot, at their centre. A longer run, a pose, has its
                first and last knot as far from its ends as the longest run has: it moves like the
                drawings around it where it begins and ends, and is held between.
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
        """Give up all levels: the top knot is where runs have their centres, no ramp is needed."""
        del self.edge[1:]

    def end_thin(self, passes: int) -> None:
        """Go on with passes, which take up a run that goes on; without them, end it here."""
        self._is_run_open = passes > 0
        if not passes:
            self._end_run()

    def end(self, *, thin: bool) -> None:
        """The scene ends with its newest frame."""
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
