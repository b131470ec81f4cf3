"""Bodies of the demo clip's two characters: a girl who runs or waves, a fox who runs or sits.

Each is drawn from a pose of a few smooth numbers; ``*_joints`` gives the drawn points of a pose.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin
from typing import TYPE_CHECKING

from rtvfi.draw.demo.cast import (
    BOOT,
    COAT,
    SCARF,
    SKIN,
    SKIRT,
    SOCK,
    Face,
    Local,
    back_hair,
    head,
)
from rtvfi.draw.paint import blob, bone, cel, ellipse, ink, limb, mix, rgb, ribbon, stroke

if TYPE_CHECKING:
    from rtvfi.draw.paint import Canvas, Colour, Point


@dataclass(frozen=True)
class Pose:
    """The pose in a drawing; every field is a smooth function of time."""

    root: Point
    """Position between the hips, pixels."""
    unit: float
    """Radius of a head, pixels."""
    phase: float
    """Phase of the run, radians; 2 pi are two steps."""
    wind: float = 0.0
    """Swing of hair and cloth, about -1..1."""
    wave: float = 0.0
    """Swing of the waving hand, about -1..1."""
    open: float = 1.0
    """Opening of the eyes, 0..1."""


def _chain(start: Point, unit: float, *parts: tuple[float, float]) -> list[Point]:
    """Joints from ``start``: each part has a length in units and an angle from straight down,
    positive to the right.
    """
    points = [start]
    for length, angle in parts:
        x, y = points[-1]
        points.append((x + unit * length * sin(angle), y + unit * length * cos(angle)))
    return points


def _leg(pose: Pose, hip: Point, phase: float) -> list[Point]:
    """Hip, knee, ankle, toe of a running leg."""
    thigh = 0.22 + 0.78 * sin(phase)
    bend = 0.95 + 0.85 * cos(phase + 0.45)
    shin = thigh - bend
    foot = shin + 1.35 - 0.35 * cos(phase + 0.45)
    return _chain(hip, pose.unit, (1.15, thigh), (1.15, shin), (0.5, foot))


def _arm(pose: Pose, shoulder: Point, phase: float) -> list[Point]:
    """Shoulder, elbow, wrist of a running arm."""
    upper = -0.25 - 0.85 * sin(phase)
    return _chain(shoulder, pose.unit, (0.82, upper), (0.72, upper + 1.55 - 0.35 * sin(phase)))


def runner_joints(pose: Pose) -> dict[str, list[Point]]:
    """The drawn points of the running girl, pixels."""
    u, p = pose.unit, pose.phase
    hip = Local((pose.root[0], pose.root[1] + 0.15 * u * cos(2 * p)), u, 0.16 + 0.03 * sin(2 * p))
    neck = hip.at(0.0, -1.62)
    return {
        "trunk": [hip.at(0, 0), neck],
        "head": [(neck[0] + 0.14 * u, neck[1] - (1.12 + 0.05 * sin(2 * p + 0.9)) * u)],
        "near leg": _leg(pose, hip.at(-0.06, 0.02), p),
        "far leg": _leg(pose, hip.at(0.16, 0.0), p + pi),
        "near arm": _arm(pose, hip.at(-0.14, -1.36), p),
        "far arm": _arm(pose, hip.at(0.26, -1.36), p + pi),
    }


def _dark(colours: tuple[Colour, Colour]) -> tuple[Colour, Colour]:
    """The colours of a limb on the far side."""
    return colours[1], mix(colours[1], rgb("1d1838"), 0.35)


def _draw_leg(canvas: Canvas, u: float, joints: list[Point], *, far: bool) -> None:
    hip, knee, ankle, toe = joints
    tone = _dark if far else (lambda colours: colours)
    line = 0.045 * u
    cel(
        canvas,
        limb([hip, knee, ankle], [0.30 * u, 0.23 * u, 0.17 * u]),
        tone(SKIN),
        line=line,
        depth=0.13 * u,
    )
    middle = (knee[0] * 0.45 + ankle[0] * 0.55, knee[1] * 0.45 + ankle[1] * 0.55)
    cel(canvas, limb([middle, ankle], [0.23 * u, 0.19 * u]), tone(SOCK), line=line, depth=0.1 * u)
    near = (middle[0] * 0.3 + ankle[0] * 0.7, middle[1] * 0.3 + ankle[1] * 0.7)
    boot = limb([near, ankle], [0.24 * u, 0.24 * u]) | limb([ankle, toe], [0.25 * u, 0.19 * u])
    cel(canvas, boot, tone(BOOT), line=line, depth=0.1 * u)


def _draw_arm(canvas: Canvas, u: float, joints: list[Point], *, far: bool) -> None:
    shoulder, elbow, wrist = joints
    tone = _dark if far else (lambda colours: colours)
    line = 0.045 * u
    dx, dy = wrist[0] - elbow[0], wrist[1] - elbow[1]
    hand = (wrist[0] + 0.42 * dx, wrist[1] + 0.42 * dy)
    cel(canvas, limb([wrist, hand], [0.15 * u, 0.17 * u]), tone(SKIN), line=line, depth=0.08 * u)
    sleeve = limb([shoulder, elbow, wrist], [0.27 * u, 0.25 * u, 0.28 * u])
    cel(canvas, sleeve, tone(COAT), line=line, depth=0.15 * u)


def _scarf(canvas: Canvas, at: Local, pose: Pose, flow: float) -> None:
    """Two tails that stream to the left; ``flow`` 1 = level, 0 = hanging."""
    u = pose.unit
    for k, (length, lag) in enumerate(((1.15, 0.0), (0.9, 1.1))):
        points = [at.at(-0.2, 0.0)]
        for i in range(1, 6):
            swing = 0.12 * i * sin(2 * pose.phase - 0.9 * i - lag) * (0.4 + 0.6 * flow)
            swing += 0.05 * i * pose.wind
            reach = 0.42 * i * length
            points.append(
                at.at(
                    -0.2 - reach * (0.35 + 0.65 * flow),
                    reach * (1 - 0.92 * flow) + swing + 0.14 * k,
                )
            )
        tail = ribbon(points, [0.15 * u, 0.17 * u, 0.19 * u, 0.2 * u, 0.22 * u, 0.2 * u])
        cel(canvas, tail, SCARF if k else _dark(SCARF), line=0.045 * u, depth=0.12 * u)


def _collar(canvas: Canvas, at: Local, u: float) -> None:
    wrap = ribbon(
        at.all([(-0.42, -0.02), (-0.1, 0.16), (0.36, 0.03)]), [0.2 * u, 0.22 * u, 0.2 * u]
    )
    cel(canvas, wrap, SCARF, line=0.045 * u, depth=0.1 * u)


def _trunk(canvas: Canvas, at: Local, sway: float) -> None:
    """Coat and skirt; ``at`` is between the hips."""
    u, line = at.unit, 0.045 * at.unit
    hem = [(-0.42, -0.32), (0.42, -0.32), (0.62, 0.1), (0.86 + 0.1 * sway, 0.46)]
    hem += [(0.86 + 0.1 * sway, 0.46), (0.4, 0.60), (0.0, 0.64 - 0.04 * sway), (-0.4, 0.62)]
    hem += [(-0.88 + 0.1 * sway, 0.5), (-0.88 + 0.1 * sway, 0.5), (-0.62, 0.1)]
    skirt = blob(at.all(hem))
    cel(canvas, skirt, SKIRT, line=line, depth=0.16 * u)
    for x in (-0.42, -0.06, 0.32):
        pleat = at.all([(x * 0.75, -0.05), (x * 1.1 + 0.02, 0.3), (x * 1.35 + 0.07 * sway, 0.58)])
        stroke(canvas, pleat, 0.04 * u, ink(SKIRT[1]))
    coat = [(-0.40, -1.5), (0.0, -1.62), (0.40, -1.5), (0.52, -1.1), (0.46, -0.6), (0.56, -0.08)]
    coat += [(0.56, -0.08), (0.0, 0.02), (-0.56, -0.08), (-0.56, -0.08), (-0.46, -0.6)]
    coat += [(-0.52, -1.1)]
    cel(canvas, blob(at.all(coat)), COAT, line=line, depth=0.22 * u)


def draw_runner(canvas: Canvas, pose: Pose) -> None:
    """The girl running to the right."""
    u = pose.unit
    joints = runner_joints(pose)
    hip, neck = joints["trunk"]
    at = Local(hip, u, 0.16 + 0.03 * sin(2 * pose.phase))
    face = Face(turn=0.72, open=pose.open, wind=pose.wind)
    top = Local(joints["head"][0], u, 0.05 + 0.04 * sin(2 * pose.phase + 0.5))
    _draw_arm(canvas, u, joints["far arm"], far=True)
    _draw_leg(canvas, u, joints["far leg"], far=True)
    _scarf(canvas, Local(neck, u), pose, 1.0)
    back_hair(canvas, top, face)
    _draw_leg(canvas, u, joints["near leg"], far=False)
    _trunk(canvas, at, pose.wind)
    stroke(canvas, at.all([(0.16, -1.35), (0.22, -0.7), (0.2, -0.04)]), 0.04 * u, ink(COAT[1]))
    _collar(canvas, Local(neck, u), u)
    head(canvas, top, face)
    _draw_arm(canvas, u, joints["near arm"], far=False)


def waver_joints(pose: Pose) -> dict[str, list[Point]]:
    """The drawn points of the waving girl, pixels."""
    u = pose.unit
    hip = Local(pose.root, u, 0.03 * pose.wave)
    neck = hip.at(0.0, -1.62)
    raised = hip.at(0.36, -1.34)
    upper, lower = pi - 1.35 + 0.10 * pose.wave, pi - 0.55 + 0.45 * pose.wave
    return {
        "trunk": [hip.at(0, 0), neck],
        "head": [hip.at(0.03 * pose.wave, -2.72)],
        "left leg": _chain(hip.at(-0.26, 0.1), u, (1.1, -0.05), (1.1, -0.03), (0.34, -0.5)),
        "right leg": _chain(hip.at(0.26, 0.1), u, (1.1, 0.05), (1.1, 0.03), (0.34, 0.5)),
        "raised arm": _chain(raised, u, (0.82, upper), (0.72, lower)),
        "hanging arm": _chain(
            hip.at(-0.36, -1.36), u, (0.8, -0.42), (0.7, 0.05 + 0.04 * pose.wind)
        ),
    }


def _palm(canvas: Canvas, at: Local) -> None:
    """An open hand; ``at`` is the wrist, the fingers point up."""
    u = at.unit
    hand = ellipse(at.at(0.0, -0.22), 0.19 * u, 0.21 * u, at.angle)
    for x, reach in ((-0.16, 0.50), (-0.06, 0.60), (0.05, 0.60), (0.15, 0.52)):
        hand |= bone(at.at(x * 0.8, -0.25), at.at(x * 1.6, -reach), 0.065 * u, 0.055 * u)
    hand |= bone(at.at(-0.1, -0.16), at.at(-0.34, -0.34), 0.07 * u, 0.055 * u)
    cel(canvas, hand, SKIN, line=0.04 * u, depth=0.06 * u)


def draw_waver(canvas: Canvas, pose: Pose) -> None:
    """The girl standing, waving to the viewer."""
    u = pose.unit
    joints = waver_joints(pose)
    neck = joints["trunk"][1]
    at = Local(joints["trunk"][0], u, 0.03 * pose.wave)
    face = Face(turn=0.12, open=pose.open, wind=pose.wind)
    top = Local(joints["head"][0], u, 0.05 + 0.05 * pose.wave)
    back_hair(canvas, top, face)
    for name in ("left leg", "right leg"):
        _draw_leg(canvas, u, joints[name], far=False)
    _draw_arm(canvas, u, joints["hanging arm"], far=False)
    _trunk(canvas, at, pose.wind)
    stroke(canvas, at.all([(0.0, -1.4), (0.01, -0.7), (0.0, 0.0)]), 0.04 * u, ink(COAT[1]))
    for y in (-1.05, -0.65, -0.25):
        canvas.fill(ellipse(at.at(0.1, y), 0.05 * u, 0.05 * u), ink(COAT[1]))
    _scarf(canvas, Local((neck[0] - 0.1 * u, neck[1] + 0.15 * u), 0.8 * u), pose, 0.12)
    _collar(canvas, Local(neck, u), u)
    head(canvas, top, face)
    shoulder, elbow, wrist = joints["raised arm"]
    _palm(canvas, Local(wrist, u, 0.4 - 0.45 * pose.wave))
    sleeve = limb([shoulder, elbow, wrist], [0.27 * u, 0.25 * u, 0.28 * u])
    cel(canvas, sleeve, COAT, line=0.045 * u, depth=0.15 * u)
