"""Heads, colours and local coordinates of the demo clip's two characters, drawn as cels.

The poses over time are in ``clip``. Parts are drawn in local units: one unit is the radius of a
head, y points down.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin
from typing import TYPE_CHECKING

from rtvfi.draw.paint import blob, cel, ellipse, ink, mix, polygon, rgb, ribbon, stroke

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtvfi.draw.paint import Canvas, Point

HAIR = rgb("4a4f8f"), rgb("33336b")
SKIN = rgb("ffe3cf"), rgb("f3b9a0")
COAT = rgb("ffd45e"), rgb("e8a542")
SKIRT = rgb("41558f"), rgb("2d3b6e")
SOCK = rgb("fbf7f2"), rgb("c9c4dc")
BOOT = rgb("a8573f"), rgb("7d3b35")
SCARF = rgb("ee5d4a"), rgb("c23a44")
FUR = rgb("f7a04b"), rgb("d9763a")
CREAM = rgb("fff3dc"), rgb("e6cdb8")
PAW = rgb("6b3f3a"), rgb("4c2c31")


@dataclass(frozen=True)
class Local:
    """A local coordinate system: origin and size of one unit in pixels, rotated clockwise."""

    origin: Point
    unit: float
    angle: float = 0.0

    def at(self, x: float, y: float) -> Point:
        """Canvas coordinates of a local point."""
        c, s = cos(self.angle) * self.unit, sin(self.angle) * self.unit
        return self.origin[0] + x * c - y * s, self.origin[1] + x * s + y * c

    def all(self, points: Sequence[Point]) -> list[Point]:
        """Canvas coordinates of local points."""
        return [self.at(x, y) for x, y in points]

    def sub(self, x: float, y: float, angle: float = 0.0) -> Local:
        """A coordinate system with its origin at a local point, rotated further."""
        return Local(self.at(x, y), self.unit, self.angle + angle)


@dataclass(frozen=True)
class Face:
    """The expression and direction of a face."""

    turn: float = 0.0
    """0 = towards the viewer, 1 = turned to the right as far as possible."""
    open: float = 1.0
    """Opening of the eyes, 0..1."""
    smile: float = 1.0
    """Opening of the mouth, 0..1."""
    wind: float = 0.0
    """Swing of the loose hair, about -1..1."""


def back_hair(canvas: Canvas, at: Local, face: Face) -> None:
    """The hair behind head and shoulders; it trails against the turn."""
    t, w = face.turn, face.wind
    tail = -0.55 * t
    ends = [
        (1.02, -0.35),
        (1.08 + 0.2 * tail, 0.45),
        (0.92 + 0.7 * tail + 0.10 * w, 1.15),
        (0.92 + 0.7 * tail + 0.10 * w, 1.15),
        (0.55 + tail, 0.98),
        (0.25 + 1.3 * tail + 0.14 * w, 1.34 - 0.1 * t),
        (0.25 + 1.3 * tail + 0.14 * w, 1.34 - 0.1 * t),
        (-0.2 + tail, 1.05),
        (-0.5 + 1.7 * tail + 0.18 * w, 1.30 - 0.28 * t),
        (-0.5 + 1.7 * tail + 0.18 * w, 1.30 - 0.28 * t),
        (-0.72 + tail, 0.85 - 0.1 * t),
        (-1.0 + 1.6 * tail + 0.22 * w, 1.0 - 0.4 * t),
        (-1.0 + 1.6 * tail + 0.22 * w, 1.0 - 0.4 * t),
        (-1.12 + 0.3 * tail, 0.2),
        (-1.06, -0.45),
        (-0.6, -1.1),
        (0.0, -1.22),
        (0.65, -1.05),
    ]
    deep = HAIR[1], mix(HAIR[1], rgb("1c1c44"), 0.45)
    cel(canvas, blob(at.all(ends)), deep, line=0.045 * at.unit, depth=0.22 * at.unit)


def head(canvas: Canvas, at: Local, face: Face) -> None:
    """Face, eyes, mouth and the hair in front."""
    t, u = face.turn, at.unit
    outline = [
        (0.06 * t, -1.0),
        (0.74, -0.72),
        (0.94 - 0.02 * t, -0.05),
        (0.84 - 0.02 * t, 0.42),
        (0.50 + 0.16 * t, 0.83),
        (0.06 + 0.36 * t, 1.04),
        (-0.44 + 0.24 * t, 0.84),
        (-0.82 + 0.05 * t, 0.42),
        (-0.94, -0.05),
        (-0.74, -0.72),
    ]
    skin = blob(at.all(outline))
    cel(canvas, skin, SKIN, line=0.045 * u, depth=0.0)
    under = blob(at.all(_bangs(t, face.wind, 0.13)))
    canvas.fill(under & skin, SKIN[1])
    for side in (-1.0, 1.0):
        cheek = ellipse(at.at(0.56 * side + 0.22 * t, 0.56), 0.17 * u, 0.09 * u)
        canvas.fill(cheek & skin, rgb("ff9d8a"), opacity=0.55, soft=0.16 * u)
        _eye(canvas, at.sub(0.41 * side * (1 - 0.08 * t) + 0.30 * t, 0.27), side, face)
    nose = at.all([(0.05 + 0.42 * t, 0.50), (0.09 + 0.45 * t, 0.56), (0.04 + 0.42 * t, 0.585)])
    stroke(canvas, nose, 0.035 * u, mix(SKIN[1], rgb("7a3c34"), 0.5))
    _mouth(canvas, at.sub(0.02 + 0.34 * t, 0.72), face.smile)
    _front_hair(canvas, at, face)


def _bangs(turn: float, wind: float, drop: float) -> list[Point]:
    """Outline of the hair over the forehead; ``drop`` lowers its tips (their shadow)."""
    crown = [(-1.04, 0.0), (-1.08, -0.5), (-0.72, -1.06), (0.02, -1.27), (0.76, -1.04)]
    crown += [(1.08, -0.48), (1.0, 0.05)]
    tips = [(0.95, 0.5), (0.70, -0.22), (0.60, 0.08), (0.40, -0.34), (0.16, 0.10)]
    tips += [(-0.02, -0.36), (-0.24, 0.06), (-0.42, -0.32), (-0.66, 0.12), (-0.76, -0.16)]
    tips += [(-0.98, 0.55)]
    points = list(crown)
    for i, (x, y) in enumerate(tips):
        is_tip = i % 2 == 0
        sway = 0.05 * wind if is_tip else 0.0
        shift = 0.16 * turn * (1 - x * x)
        moved = x + shift + sway, y + (drop if is_tip or drop == 0 else drop * 0.8)
        points += [moved, moved] if is_tip else [moved]
    return points


def _front_hair(canvas: Canvas, at: Local, face: Face) -> None:
    t, u, w = face.turn, at.unit, face.wind
    line = 0.045 * u
    for side in (-1.0, 1.0):
        sway = 0.07 * w - 0.25 * t
        lock = ribbon(
            at.all([(0.93 * side, -0.1), (1.03 * side, 0.5), (0.92 * side + sway, 1.12)]),
            [0.13 * u, 0.12 * u, 0.01 * u],
        )
        cel(canvas, lock, HAIR, line=line, depth=0.07 * u)
    curl = at.all([(0.05, -1.15), (-0.12 + 0.05 * w, -1.5), (-0.42 + 0.12 * w, -1.52)])
    cel(canvas, ribbon(curl, [0.09 * u, 0.07 * u, 0.01 * u]), HAIR, line=line, depth=0)
    hair = blob(at.all(_bangs(t, w, 0.0)))
    cel(canvas, hair, HAIR, line=line, depth=0.13 * u)
    ring = [(-0.78, -0.52), (-0.4, -0.78), (0.1, -0.86), (0.6, -0.74), (0.84, -0.5)]
    ring += [(0.62, -0.6), (0.52, -0.52), (0.36, -0.68), (0.2, -0.58), (0.02, -0.72)]
    ring += [(-0.16, -0.58), (-0.34, -0.66), (-0.52, -0.48), (-0.6, -0.56)]
    shine = polygon(at.all([(x + 0.1 * t, y) for x, y in ring]))
    canvas.fill(shine & hair, rgb("8a8fd6"), opacity=0.85)


def _eye(canvas: Canvas, at: Local, side: float, face: Face) -> None:
    """One eye; ``side`` is -1 for the left of the picture. The far one is narrower."""
    u = at.unit
    width = 0.25 * (1 - 0.22 * face.turn * (side > 0))
    lash = rgb("2a1c33")
    upper = [(-1.0, 0.05), (-0.55, -0.75), (0.15, -0.95), (0.8, -0.6), (1.08, 0.1)]
    lid = [(x * side * width, (y * face.open + 0.25 * (1 - face.open)) * 0.29) for x, y in upper]
    if face.open > 0.25:
        white = [*upper, (0.9, 0.55), (0.35, 0.95), (-0.4, 0.95), (-0.88, 0.5)]
        opening = blob(at.all([(x * side * width, y * face.open * 0.29) for x, y in white]))
        canvas.fill(opening, rgb("ffffff"))
        look = 0.04 * face.turn + 0.015 * side
        for centre, rx, ry, colour in (
            ((look, 0.01), 0.175, 0.265, rgb("2b2a66")),
            ((look, 0.09), 0.145, 0.18, rgb("3f7fd0")),
            ((look, 0.15), 0.11, 0.105, rgb("7fd0f0")),
            ((look, 0.01), 0.07, 0.11, rgb("1b1740")),
        ):
            iris = ellipse(at.at(*centre), rx * u * width / 0.25, ry * u)
            canvas.fill(iris & opening, colour)
        top = blob(at.all([(x * side * width, y * face.open * 0.29 - 0.17) for x, y in white]))
        canvas.fill(top & opening, rgb("2b2a66"), opacity=0.35)
        canvas.fill(ellipse(at.at(look - 0.07, -0.11), 0.062 * u, 0.072 * u), rgb("ffffff"))
        canvas.fill(ellipse(at.at(look + 0.075, 0.13), 0.032 * u, 0.036 * u), rgb("ffffff"))
        low = [
            (0.75 * side * width, 0.22),
            (0.3 * side * width, 0.285),
            (-0.3 * side * width, 0.28),
        ]
        stroke(canvas, at.all(low), 0.03 * u, mix(lash, SKIN[1], 0.35))
    canvas.fill(ribbon(at.all(lid), [0.02 * u, 0.045 * u, 0.05 * u, 0.05 * u, 0.02 * u]), lash)
    flick = at.all([lid[3], lid[4], (lid[4][0] + 0.05 * side, lid[4][1] - 0.02)])
    canvas.fill(ribbon(flick, [0.04 * u, 0.035 * u, 0.005 * u]), lash)
    brow = [(-0.2 * side, -0.43), (0.05 * side, -0.5), (0.25 * side, -0.44)]
    stroke(canvas, at.all(brow), 0.045 * u, HAIR[1])


def _mouth(canvas: Canvas, at: Local, smile: float) -> None:
    u = at.unit
    if smile > 0.2:
        shape = [(-0.17, -0.03), (-0.17, -0.03), (0.0, 0.01), (0.17, -0.03), (0.17, -0.03)]
        shape += [
            (0.1, 0.02 + 0.15 * smile),
            (0.0, 0.04 + 0.18 * smile),
            (-0.1, 0.02 + 0.15 * smile),
        ]
        mouth = blob(at.all(shape))
        canvas.fill(mouth, rgb("6b2130"), grow=0.02 * u)
        canvas.fill(mouth, rgb("b3424c"))
        tongue = ellipse(at.at(0.0, 0.06 + 0.17 * smile), 0.09 * u, 0.07 * u)
        canvas.fill(tongue & mouth, rgb("f28a86"))
    else:
        stroke(
            canvas, at.all([(-0.12, -0.01), (0.0, 0.035), (0.12, -0.01)]), 0.035 * u, ink(SKIN[1])
        )
