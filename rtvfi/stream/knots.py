"""The state of an open scene: its right pyramid edge and the knots outputs may still use. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction

    from rtvfi.stream.plan import ImageId, Stamp


class Knot(NamedTuple):
    """A picture at a known time."""

    pts: Fraction
    image: ImageId


class Scene:
    """Begins with its first frame."""

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
