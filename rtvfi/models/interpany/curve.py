"""A curve through points: the distance an object has moved as a function of time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through two points, a parabola through three, a cubic spline through more.

    The spline has "not-a-knot" ends: one cubic for the first two and for the last two intervals. It
    may overshoot between its points; ``at`` clamps it to 0..1.
    """

    points: tuple[tuple[float, float], ...]
    """At least two points (time, distance), both 0..1, in the order of increasing times."""

    def __post_init__(self) -> None:
        if len(self.points) < 2:
            raise ValueError("fewer than two points")
        if any(not 0 <= v <= 1 for point in self.points for v in point):
            raise ValueError("a number outside 0 to 1")
        if any(left[0] >= right[0] for left, right in pairwise(self.points)):
            raise ValueError("times that do not rise")

    def at(self, times: Sequence[float]) -> list[float]:
        """The distance at each time, 0..1; constant before the first and after the last point."""
        xs, ys = np.array(self.points, dtype=np.float64).T
        wanted = np.clip(np.asarray(times, dtype=np.float64), xs[0], xs[-1])
        if len(xs) == 2:
            found = np.interp(wanted, xs, ys)
        elif len(xs) == 3:
            found = np.polyval(np.polyfit(xs, ys, 2), wanted)
        else:
            found = _spline(xs, ys, wanted)
        return [float(v) for v in np.clip(found, 0, 1)]


def _spline(
    xs: NDArray[np.float64], ys: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The cubic spline through at least 4 points, computed from its slopes at the points."""
    n, h = len(xs), np.diff(xs)
    rise = np.diff(ys) / h
    system, right = np.zeros((n, n)), np.zeros(n)
    for k in range(1, n - 1):  # second derivatives agree on both sides of an inner point
        system[k, k - 1 : k + 2] = h[k], 2 * (h[k - 1] + h[k]), h[k - 1]
        right[k] = 3 * (h[k] * rise[k - 1] + h[k - 1] * rise[k])
    # third derivatives agree at the second point and at the last but one
    for row, (a, b, c), (p, q) in (
        (0, (0, 1, 2), (0, 1)),
        (n - 1, (n - 1, n - 2, n - 3), (n - 2, n - 3)),
    ):
        system[row, a] = h[q] ** 2
        system[row, b] = h[q] ** 2 - h[p] ** 2
        system[row, c] = -(h[p] ** 2)
        right[row] = 2 * (h[q] ** 2 * rise[p] - h[p] ** 2 * rise[q])
    slopes = np.linalg.solve(system, right)
    piece = np.clip(np.searchsorted(xs, wanted, side="right") - 1, 0, n - 2)
    u = (wanted - xs[piece]) / h[piece]
    bend0 = h[piece] * (slopes[piece] - rise[piece])
    bend1 = h[piece] * (rise[piece] - slopes[piece + 1])
    straight = (1 - u) * ys[piece] + u * ys[piece + 1]
    curved: NDArray[np.float64] = straight + u * (1 - u) * ((1 - u) * bend0 + u * bend1)
    return curved


def parse_curve(text: str) -> Curve:
    """Parse a curve like ``"0,0 0.3,0.8 1,1"``.

    Raises:
        ValueError: the text is not a valid curve; the message says why.
    """
    points = []
    for word in text.split():
        x, comma, y = word.partition(",")
        if not comma:
            raise ValueError(f'"{word}" is no "time,distance"')
        points.append((float(x), float(y)))
    return Curve(tuple(points))
