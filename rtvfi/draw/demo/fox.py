"""The fox of the demo clip, running or sitting, drawn from a pose."""

from __future__ import annotations

from math import cos, sin
from typing import TYPE_CHECKING

from rtvfi.draw.demo.cast import CREAM, FUR, PAW, Local
from rtvfi.draw.paint import bend, blob, cel, ellipse, ink, limb, mix, rgb, ribbon, stroke

if TYPE_CHECKING:
    from rtvfi.draw.demo.bodies import Pose
    from rtvfi.draw.paint import Canvas, Point

FAR = FUR[1], mix(FUR[1], rgb("3a1d28"), 0.35)


def fox_joints(pose: Pose) -> dict[str, list[Point]]:
    """The drawn points of the running fox, pixels."""
    p, u = pose.phase, pose.unit
    at = Local((pose.root[0], pose.root[1] + 0.30 * u * sin(p)), u, -0.14 * cos(p))
    joints = {"body": [at.at(0, 0)], "head": [at.at(1.5, -1.05 + 0.12 * sin(p + 0.8))]}
    for name, x, lag in (
        ("far hind", -0.95, 2.6),
        ("far fore", 0.95, 0.45),
        ("near hind", -1.1, 2.2),
        ("near fore", 0.8, 0.0),
    ):
        swing = 0.95 * sin(p - lag)
        fold = 0.35 + 0.45 * cos(p - lag)
        bent = swing - fold if "hind" in name else swing - 0.8 * fold
        hip = at.at(x, 0.35)
        knee = hip[0] + u * 0.62 * sin(swing), hip[1] + u * 0.62 * cos(swing)
        paw = knee[0] + u * 0.62 * sin(bent), knee[1] + u * 0.62 * cos(bent)
        joints[name] = [hip, knee, paw]
    tail = [at.at(-1.25, -0.1)]
    for i in range(1, 6):
        wag = 0.16 * i * sin(p - 0.75 * i)
        tail.append(at.at(-1.25 - 0.42 * i, -0.12 * i + wag))
    joints["tail"] = tail
    return joints


def _draw_tail(canvas: Canvas, points: list[Point], u: float) -> None:
    line = bend(points, 4, closed=False)
    widths = (0.2, 0.36, 0.5, 0.54, 0.4, 0.08)
    cel(canvas, ribbon(points, [w * u for w in widths]), FUR, line=0.06 * u, depth=0.2 * u)
    start = len(line) * 7 // 10
    tip = limb(
        line[start:], [u * (0.47 - 0.41 * i / (len(line) - start)) for i in range(len(line))]
    )
    canvas.fill(tip, CREAM[0])


def _fox_head(canvas: Canvas, at: Local, turn: float, blink: float) -> None:
    """``turn`` 0 = to the viewer, 1 = to the right."""
    u, line = at.unit, 0.06 * at.unit
    for side in (-1.0, 1.0):
        ear = [(0.30 * side - 0.1 * turn, -0.72), (0.82 * side - 0.1 * turn, -1.62)]
        ear += [ear[-1], (0.98 * side - 0.12 * turn, -0.3)]
        cel(canvas, blob(at.all(ear)), FUR, line=line, depth=0.12 * u)
        inner = [(0.5 * side - 0.1 * turn, -0.75), (0.78 * side - 0.1 * turn, -1.36)]
        inner += [inner[-1], (0.86 * side - 0.12 * turn, -0.5)]
        canvas.fill(blob(at.all(inner)), PAW[0])
    outline = [(0.0, -0.92), (0.72, -0.7), (1.04, -0.1), (1.32, 0.36), (1.32, 0.36), (0.82, 0.62)]
    outline += [(0.35 + 0.2 * turn, 0.86), (-0.35 + 0.2 * turn, 0.86), (-0.82, 0.62), (-1.32, 0.36)]
    outline += [(-1.32, 0.36), (-1.04, -0.1), (-0.72, -0.7)]
    skull = blob(at.all(outline))
    cel(canvas, skull, FUR, line=line, depth=0.0)
    mask = [
        (0.3 * turn, 0.05),
        (0.45 + 0.3 * turn, 0.22),
        (1.3, 0.3),
        (1.3, 0.9),
        (0.2 * turn, 1.0),
    ]
    mask += [(-1.3, 0.9), (-1.3, 0.3), (-0.45 + 0.3 * turn, 0.22)]
    canvas.fill(blob(at.all(mask)) & skull, CREAM[0])
    low = [(-1.4, 0.52), (0.2 * turn, 0.76), (1.4, 0.52), (1.4, 1.0), (-1.4, 1.0)]
    canvas.fill(blob(at.all(low)) & skull, CREAM[1])
    for side in (-1.0, 1.0):
        eye = at.at(0.46 * side + 0.34 * turn, 0.02)
        if blink < 0.3:
            arc = at.all(
                [
                    (0.46 * side + 0.34 * turn + x, y)
                    for x, y in ((-0.15, 0.0), (0, 0.08), (0.15, 0.0))
                ]
            )
            stroke(canvas, arc, 0.08 * u, ink(PAW[1]))
            continue
        canvas.fill(ellipse(eye, 0.145 * u * (1 - 0.2 * turn * (side > 0)), 0.22 * u), ink(PAW[1]))
        glint = at.at(0.41 * side + 0.34 * turn - 0.02, -0.07)
        canvas.fill(ellipse(glint, 0.06 * u, 0.07 * u), rgb("ffffff"))
    canvas.fill(ellipse(at.at(0.42 * turn, 0.34), 0.15 * u, 0.10 * u), ink(PAW[1]))
    smile = [(-0.2, 0.52), (-0.09, 0.6), (0.0, 0.5), (0.09, 0.6), (0.2, 0.52)]
    stroke(canvas, at.all([(x + 0.4 * turn, y) for x, y in smile]), 0.05 * u, ink(PAW[1]))


def draw_fox_running(canvas: Canvas, pose: Pose) -> None:
    """The fox running to the right."""
    u, line = pose.unit, 0.06 * pose.unit
    joints = fox_joints(pose)
    _draw_tail(canvas, joints["tail"], u)
    for name in ("far hind", "far fore"):
        cel(canvas, limb(joints[name], [0.30 * u, 0.21 * u, 0.17 * u]), FAR, line=line, depth=0)
    tilt = -0.14 * cos(pose.phase)
    at = Local(joints["body"][0], u, tilt)
    trunk = [(-1.5, -0.1), (-1.0, -0.62), (0.1, -0.62), (1.0, -0.78), (1.45, -0.3), (1.2, 0.4)]
    trunk += [(0.2, 0.52), (-1.1, 0.6)]
    body = blob(at.all(trunk))
    cel(canvas, body, FUR, line=line, depth=0.25 * u)
    chest = [(1.0, -0.7), (1.6, -0.4), (1.3, 0.6), (0.75, 0.5), (0.85, 0.1)]
    canvas.fill(blob(at.all(chest)) & body, CREAM[0])
    for name in ("near hind", "near fore"):
        leg = joints[name]
        radii = [0.42 * u if "hind" in name else 0.32 * u, 0.22 * u, 0.17 * u]
        cel(canvas, limb(leg, radii), FUR, line=line, depth=0.12 * u)
        half = (leg[1][0] + leg[2][0]) / 2, (leg[1][1] + leg[2][1]) / 2
        canvas.fill(limb([half, leg[2]], [0.19 * u, 0.17 * u]), PAW[0])
    _fox_head(canvas, Local(joints["head"][0], u, 0.6 * tilt), 0.8, pose.open)


def sitting_tail(pose: Pose) -> list[Point]:
    """The tail of the sitting fox, pixels; ``wave`` wags it."""
    at = Local(pose.root, pose.unit)
    points = [at.at(0.6, 0.95)]
    for i in range(1, 6):
        turn = 0.15 + 0.42 * i / 5 * pose.wave + 0.23 * i
        x, y = points[-1]
        points.append((x + 0.5 * pose.unit * cos(turn), y - 0.5 * pose.unit * sin(turn)))
    return points


def draw_fox_sitting(canvas: Canvas, pose: Pose) -> None:
    """The fox sitting, wagging its tail; ``root`` is the middle of its chest."""
    u, line = pose.unit, 0.06 * pose.unit
    at = Local(pose.root, u)
    _draw_tail(canvas, sitting_tail(pose), u)
    trunk = [(-0.5, -0.8), (0.5, -0.8), (0.8, 0.1), (1.0, 0.85), (0.75, 1.22), (-0.75, 1.22)]
    trunk += [(-1.0, 0.85), (-0.8, 0.1)]
    body = blob(at.all(trunk))
    cel(canvas, body, FUR, line=line, depth=0.2 * u)
    bib = [(-0.5, -0.8), (0.5, -0.8), (0.55, 0.0), (0.0, 0.55), (-0.55, 0.0)]
    canvas.fill(blob(at.all(bib)) & body, CREAM[0])
    for side in (-1.0, 1.0):
        leg = at.all([(0.28 * side, 0.2), (0.27 * side, 1.12)])
        cel(canvas, limb(leg, [0.24 * u, 0.2 * u]), FUR, line=line, depth=0.08 * u)
        canvas.fill(limb(at.all([(0.27 * side, 0.85), (0.27 * side, 1.12)]), [0.2 * u] * 2), PAW[0])
    tilt = 0.10 * pose.wind
    _fox_head(canvas, Local(at.at(0.3 * tilt, -1.25), u, tilt), 0.0, pose.open)
