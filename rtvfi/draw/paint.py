"""Painting with numpy: anti-aliased shapes, cel colouring, painted noise.

Coordinates are pixels, x right, y down, pixel centres at .5. A shape is a signed distance in
pixels, positive inside, with a bounding box. A ``Canvas`` is RGBA, float32, [0, 1], premultiplied,
so that canvases can be composited.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import ceil, cos, floor, sin
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Point = tuple[float, float]
    Colour = tuple[float, float, float]
    Box = tuple[float, float, float, float]


def rgb(code: str) -> Colour:
    """Colour from six hexadecimal digits."""
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


def mix(a: Colour, b: Colour, weight: float) -> Colour:
    """``a`` blended with ``b``, whose weight is ``weight``, 0 to 1."""
    red, green, blue = (p + (q - p) * weight for p, q in zip(a, b, strict=True))
    return red, green, blue


@dataclass(frozen=True)
class Shape:
    """A shape, given by its signed distance and bounding box."""

    box: Box
    """Left, top, right, bottom."""
    distance: Callable[[Array, Array], Array]
    """The signed distance at x and y, pixels, positive inside."""

    def __or__(self, other: Shape) -> Shape:
        """The union."""
        a, b = self.box, other.box
        box = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
        return Shape(box, lambda x, y: np.maximum(self.distance(x, y), other.distance(x, y)))

    def __and__(self, other: Shape) -> Shape:
        """The intersection."""
        return Shape(self.box, lambda x, y: np.minimum(self.distance(x, y), other.distance(x, y)))

    def __sub__(self, other: Shape) -> Shape:
        """This shape without the other."""
        return Shape(self.box, lambda x, y: np.minimum(self.distance(x, y), -other.distance(x, y)))

    def moved(self, dx: float, dy: float) -> Shape:
        """The same shape elsewhere."""
        left, top, right, bottom = self.box
        box = (left + dx, top + dy, right + dx, bottom + dy)
        return Shape(box, lambda x, y: self.distance(x - dx, y - dy))


def ellipse(centre: Point, rx: float, ry: float, angle: float = 0.0) -> Shape:
    """An ellipse, rotated clockwise by ``angle``; its distance is accurate only near the edge."""
    (cx, cy), c, s = centre, cos(angle), sin(angle)
    reach = max(rx, ry)

    def distance(x: Array, y: Array) -> Array:
        u, v = (x - cx) * c + (y - cy) * s, (y - cy) * c - (x - cx) * s
        level = np.hypot(u / rx, v / ry)
        slope = np.hypot(u / (rx * rx), v / (ry * ry))
        return np.asarray((1 - level) * level / np.maximum(slope, 1e-6), np.float32)

    return Shape((cx - reach, cy - reach, cx + reach, cy + reach), distance)


def bone(a: Point, b: Point, ra: float, rb: float) -> Shape:
    """A rounded stroke from ``a`` to ``b`` whose radius goes from ``ra`` to ``rb``."""
    (ax, ay), (bx, by) = a, b
    dx, dy = bx - ax, by - ay
    length = max(dx * dx + dy * dy, 1e-6)

    def distance(x: Array, y: Array) -> Array:
        along = np.clip(((x - ax) * dx + (y - ay) * dy) / length, 0, 1)
        away = np.hypot(x - ax - along * dx, y - ay - along * dy)
        return np.asarray(ra + (rb - ra) * along - away, np.float32)

    r = max(ra, rb)
    return Shape((min(ax, bx) - r, min(ay, by) - r, max(ax, bx) + r, max(ay, by) + r), distance)


def limb(points: Sequence[Point], radii: Sequence[float]) -> Shape:
    """A chain of bones through ``points``."""
    pairs = zip(points, points[1:], radii, radii[1:], strict=False)
    return reduce(Shape.__or__, (bone(a, b, ra, rb) for a, b, ra, rb in pairs))


def polygon(points: Sequence[Point]) -> Shape:
    """The inside (even-odd rule) of a closed line."""
    p = np.asarray(points, np.float32)
    q = np.roll(p, -1, axis=0)

    def distance(x: Array, y: Array) -> Array:
        nearest = np.full(x.shape, np.inf, np.float32)
        inside = np.zeros(x.shape, bool)
        for (ax, ay), (bx, by) in zip(p, q, strict=True):
            dx, dy = bx - ax, by - ay
            length = max(float(dx * dx + dy * dy), 1e-6)
            along = np.clip(((x - ax) * dx + (y - ay) * dy) / length, 0, 1)
            away = (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2
            np.minimum(nearest, away, out=nearest)
            if ay != by:
                inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * (dx / dy))
        return np.asarray(np.where(inside, 1, -1) * np.sqrt(nearest), np.float32)

    (left, top), (right, bottom) = p.min(axis=0).tolist(), p.max(axis=0).tolist()
    return Shape((left, top, right, bottom), distance)


def bend(points: Sequence[Point], steps: int = 6, *, closed: bool = True) -> list[Point]:
    """A smooth line through ``points`` (Catmull-Rom). A point given twice in a row is a corner."""
    p = np.asarray(points, np.float64)
    n = len(p)
    s = np.arange(steps)[:, None] / steps
    line: list[Point] = []
    for i in range(n if closed else n - 1):
        index = np.arange(i - 1, i + 3)
        a, b, c, d = p[index % n if closed else index.clip(0, n - 1)]
        if np.allclose(b, c):
            continue
        in_ = np.zeros(2) if np.allclose(a, b) else (c - a) / 2
        out = np.zeros(2) if np.allclose(c, d) else (d - b) / 2
        curve = (
            (2 * s**3 - 3 * s**2 + 1) * b
            + (s**3 - 2 * s**2 + s) * in_
            + (3 * s**2 - 2 * s**3) * c
            + (s**3 - s**2) * out
        )
        line.extend((float(x), float(y)) for x, y in curve)
    return line if closed else [*line, (float(p[-1, 0]), float(p[-1, 1]))]


def blob(points: Sequence[Point], steps: int = 6) -> Shape:
    """The inside of a smooth closed line; see ``bend``."""
    return polygon(bend(points, steps))


def ribbon(points: Sequence[Point], radii: Sequence[float], steps: int = 4) -> Shape:
    """A smooth open line with a width: hair, scarf, tail."""
    line = bend(points, steps, closed=False)
    at = np.linspace(0, len(radii) - 1, len(line))
    return limb(line, [float(r) for r in np.interp(at, range(len(radii)), radii)])


def everywhere(width: float, height: float) -> Shape:
    """A shape that holds the whole picture."""
    return Shape((0, 0, width, height), lambda x, _: np.full(x.shape, 1e6, np.float32))


class Canvas:
    """A picture to paint on; see the module for its format."""

    def __init__(self, width: int, height: int) -> None:
        self.pixels: Array = np.zeros((height, width, 4), np.float32)

    def window(self, box: Box, margin: float) -> tuple[tuple[slice, slice], Array, Array] | None:
        """The part of the canvas a box touches, with x and y of its pixel centres."""
        height, width = self.pixels.shape[:2]
        left, right = (max(0, floor(box[0] - margin)), min(width, ceil(box[2] + margin)))
        top, bottom = (max(0, floor(box[1] - margin)), min(height, ceil(box[3] + margin)))
        if left >= right or top >= bottom:
            return None
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32) + np.float32(0.5)
        return (slice(top, bottom), slice(left, right)), x, y

    def fill(
        self,
        shape: Shape,
        colour: Colour | Array,
        *,
        opacity: float = 1.0,
        grow: float = 0.0,
        soft: float = 1.0,
    ) -> None:
        """Fill a shape with a colour.

        Args:
            shape: the shape.
            colour: a colour, or an (H, W, 3) picture of the canvas's size.
            opacity: opacity of the inside, 0 to 1.
            grow: pixels by which the shape is enlarged.
            soft: width of the edge in pixels; 1 is just anti-aliased.
        """
        window = self.window(shape.box, max(grow, 0) + soft)
        if window is None:
            return
        place, x, y = window
        alpha = np.clip((shape.distance(x, y) + grow) / soft + 0.5, 0, 1) * np.float32(opacity)
        paint = np.asarray(colour, np.float32)
        if paint.ndim > 1:
            paint = paint[place]
        self.lay(place, alpha, paint)

    def lay(self, place: tuple[slice, slice], alpha: Array, paint: Array) -> None:
        """Put ``paint`` (..., 3) over the pixels at ``place`` with (H, W) weights."""
        target = self.pixels[place]
        target *= 1 - alpha[..., None]
        target[..., :3] += paint * alpha[..., None]
        target[..., 3] += alpha


def cel(
    canvas: Canvas,
    shape: Shape,
    colours: tuple[Colour, Colour],
    *,
    line: float = 1.5,
    depth: float = 6.0,
    light: Point = (-0.5, -0.85),
) -> None:
    """Paint a shape as a cel: outline, flat colour, hard-edged shade.

    Args:
        canvas: to paint on.
        shape: the shape.
        colours: lit and shaded colour; the outline is a dark version of the shaded one.
        line: width of the outline outside the shape, pixels.
        depth: width of the shade along the edge on the dark side, pixels.
        light: direction of the light source, of length about 1.
    """
    window = canvas.window(shape.box, line + 1)
    if window is None:
        return
    place, x, y = window
    inside = shape.distance(x, y)
    lit, shade = colours
    if line:
        canvas.lay(place, np.clip(inside + line + 0.5, 0, 1), np.array(ink(shade), np.float32))
    canvas.lay(place, np.clip(inside + 0.5, 0, 1), np.array(lit, np.float32))
    if depth:
        bright = shape.distance(x - depth * light[0], y - depth * light[1])
        dark = np.minimum(inside, -bright)
        canvas.lay(place, np.clip(dark + 0.5, 0, 1), np.array(shade, np.float32))


def ink(colour: Colour) -> Colour:
    """The outline colour for a colour: nearly black, with a little of its hue."""
    return mix(rgb("231a2e"), colour, 0.16)


def stroke(
    canvas: Canvas, points: Sequence[Point], width: float, colour: Colour, taper: float = 0.3
) -> None:
    """A smooth inked line, thinner towards its ends."""
    half = width / 2
    canvas.fill(ribbon(points, [half * taper, half, half, half * taper], 5), colour)


def noise(rng: np.random.Generator, size: tuple[int, int], cell: Point, octaves: int) -> Array:
    """Smooth noise that repeats in x and y.

    Args:
        rng: random generator.
        size: width, height.
        cell: width and height of the largest features, pixels.
        octaves: number of octaves, each finer and half as strong.

    Returns:
        (H, W), about [-1, 1].
    """
    width, height = size
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        columns = max(2, round(width / cell[0] * 2**octave))
        rows = max(2, round(height / cell[1] * 2**octave))
        field = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
        total += _stretch(_stretch(field, height).T, width).T * np.float32(0.5**octave)
    return total


def _stretch(field: Array, length: int) -> Array:
    """Resample the rows of ``field`` to ``length`` rows, smoothly and wrapping."""
    n = len(field)
    at = np.arange(length, dtype=np.float32) * np.float32(n / length)
    low = at.astype(int)
    part = at - low
    weight = (part * part * (3 - 2 * part))[:, None]
    result = field[low % n] * (1 - weight) + field[(low + 1) % n] * weight
    return np.asarray(result, np.float32)


def ramp(height: int, stops: Sequence[tuple[float, Colour]]) -> Array:
    """(H, 1, 3): colours from top to bottom; a stop is a place in 0..1 and its colour."""
    places, colours = zip(*stops, strict=True)
    at = (np.arange(height) + 0.5) / height
    bands = [np.interp(at, places, [c[i] for c in colours]) for i in range(3)]
    return np.stack(bands, axis=-1).astype(np.float32)[:, None]
