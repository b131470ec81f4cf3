"""Generates cels, drawn shapes with an alpha channel, from random numbers.

A shape is a signed distance in texture pixels, positive inside. Shapes are coloured as cels are
painted: a flat tone, one hard-edged shade, marks, a dark outline. Sprites are (4, S, S), float32:
RGB and straight alpha, [0, 1].
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from rtvfi.draw.textures import axes, background, integer, uniform

if TYPE_CHECKING:
    from torch import Generator, Tensor


def coverage(distance: Tensor) -> Tensor:
    """Anti-aliased coverage, 0 to 1, from a signed distance in pixels."""
    return (distance + 0.5).clamp(0, 1)


def blob(g: Generator, size: int) -> Tensor:
    """A lumpy disc: the radius is a short Fourier series of the angle."""
    x, y = axes(size)
    angle = torch.atan2(y, x)
    radius = torch.full_like(x, uniform(g, 0.5, 0.72))
    for k in range(1, 7):
        swing = uniform(g, -0.3, 0.3) / k
        radius = radius + swing * torch.cos(k * angle + uniform(g, 0, 2 * math.pi))
    return (radius.clamp(0.08, 0.95) - torch.sqrt(x * x + y * y)) * (size / 2)


def polygon(g: Generator, size: int) -> Tensor:
    """A convex polygon or box: the inside of a few half planes."""
    x, y = axes(size)
    sides = integer(g, 3, 7)
    inside = torch.full_like(x, 2.0)
    start = uniform(g, 0, 2 * math.pi)
    for k in range(sides):
        angle = start + (k + uniform(g, -0.25, 0.25)) * 2 * math.pi / sides
        reach = uniform(g, 0.25, 0.75)
        inside = torch.minimum(inside, reach - x * math.cos(angle) - y * math.sin(angle))
    inside = torch.minimum(inside, 0.95 - torch.maximum(x.abs(), y.abs()))
    return inside * (size / 2)


def stroke(g: Generator, size: int, start: tuple[float, float], width: float) -> Tensor:
    """A tapered curve (quadratic Bezier) from ``start``, ``width`` in units of half the texture."""
    x, y = axes(size)
    points = [start, (uniform(g, -0.9, 0.9), uniform(g, -0.9, 0.9))]
    points.append((uniform(g, -0.9, 0.9), uniform(g, -0.9, 0.9)))
    taper = uniform(g, 0.0, 1.0)
    best = torch.full_like(x, -2.0)
    for k in range(96):
        s = k / 95
        cx, cy = (
            (1 - s) ** 2 * points[0][i] + 2 * s * (1 - s) * points[1][i] + s * s * points[2][i]
            for i in (0, 1)
        )
        reach = width * (1 - taper * s)
        best = torch.maximum(best, reach - torch.sqrt((x - cx) ** 2 + (y - cy) ** 2))
    return best * (size / 2)


def limbs(g: Generator, size: int) -> Tensor:
    """Strands of hair, fingers, arms, branches: several tapered curves, often from one root."""
    root = (uniform(g, -0.5, 0.5), uniform(g, -0.5, 0.5))
    thin = uniform(g) < 0.5
    inside = torch.full((size, size), -float(size))
    for _ in range(integer(g, 1, 9 if thin else 4)):
        start = root if uniform(g) < 0.7 else (uniform(g, -0.9, 0.9), uniform(g, -0.9, 0.9))
        width = uniform(g, 0.02, 0.09) if thin else uniform(g, 0.08, 0.25)
        inside = torch.maximum(inside, stroke(g, size, start, width))
    return inside


def figure(g: Generator, size: int) -> Tensor:
    """A body with limbs."""
    inside = torch.maximum(blob(g, size) - 0.1 * size, limbs(g, size))
    return torch.maximum(inside, limbs(g, size)) if uniform(g) < 0.5 else inside


def holes(g: Generator, size: int) -> Tensor:
    """Foliage, a fence, a railing: a repeated shape with gaps."""
    x, y = axes(size)
    angle = uniform(g, 0, math.pi)
    u = x * math.cos(angle) + y * math.sin(angle)
    v = y * math.cos(angle) - x * math.sin(angle)
    v = v + uniform(g, 0, 0.1) * torch.sin(u * uniform(g, 2, 8))
    period = uniform(g, 0.12, 0.5)
    bars = period * uniform(g, 0.12, 0.35) - ((v / period).frac().abs() - 0.5).abs() * period
    if uniform(g) < 0.5:
        other = uniform(g, 0.2, 0.8)
        bars = torch.maximum(bars, other * 0.12 - ((u / other).frac().abs() - 0.5).abs() * other)
    return torch.minimum(bars, 0.95 - torch.maximum(x.abs(), y.abs())) * (size / 2)


def glyphs(g: Generator, size: int) -> Tensor:
    """Lines of made-up letters: strokes on a small grid."""
    inside = torch.full((size, size), -float(size))
    rows = integer(g, 1, 5)
    cell = max(10, int(size / (rows * uniform(g, 1.0, 2.0) + 1)))
    weight = max(1.0, cell * uniform(g, 0.08, 0.16))
    line = torch.arange(cell, dtype=torch.float32) + 0.5
    y, x = torch.meshgrid(line, line, indexing="ij")
    for row in range(rows):
        top = int((row + 0.5) * (size - cell) / rows)
        for left in range(integer(g, 0, size // 2), size - cell, int(cell * 0.95)):
            if uniform(g) < 0.12:
                continue
            letter = torch.full((cell, cell), -float(size))
            for _ in range(integer(g, 2, 5)):
                letter = torch.maximum(letter, _bar(g, x, y, cell, weight))
            patch = inside[top : top + cell, left : left + cell]
            torch.maximum(patch, letter, out=patch)
    return inside


def _bar(g: Generator, x: Tensor, y: Tensor, cell: int, weight: float) -> Tensor:
    ax, ay, bx, by = (cell * (0.15 + 0.35 * integer(g, 0, 3)) for _ in range(4))
    length = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-3)
    along = (((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length).clamp(0, 1)
    return weight - torch.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))


def paint(g: Generator, inside: Tensor) -> Tensor:
    """Colour a shape the way cels are painted."""
    size = inside.shape[0]
    x, y = axes(size)
    colour = torch.rand(3, 1, 1, generator=g).expand(3, size, size).clone()
    if uniform(g) < 0.3:
        colour = background(g, size) * 0.7 + colour * 0.3
    angle = uniform(g, 0, 2 * math.pi)
    edge = x * math.cos(angle) + y * math.sin(angle) + 0.15 * torch.sin(6 * x + angle)
    shade = coverage((edge - uniform(g, -0.5, 0.5)) * (size / 2))
    colour = colour * (1 - uniform(g, 0.1, 0.45) * shade)
    for _ in range(integer(g, 0, 6)):
        cx, cy, radius = uniform(g, -0.6, 0.6), uniform(g, -0.6, 0.6), uniform(g, 0.04, 0.25)
        squash = uniform(g, 0.4, 1.6)
        mark = coverage((radius - torch.hypot(x - cx, (y - cy) * squash)) * (size / 2))
        colour = colour * (1 - mark) + torch.rand(3, 1, 1, generator=g) * mark
    for _ in range(integer(g, 0, 4)):
        a, offset = uniform(g, 0, 2 * math.pi), uniform(g, -0.5, 0.5)
        bow = uniform(g, 0, 0.15)
        away = x * math.cos(a) + y * math.sin(a) - offset + bow * torch.sin(5 * x + 9 * offset)
        colour = colour * (1 - 0.9 * coverage(uniform(g, 0.5, 2.0) - away.abs() * (size / 2)))
    if uniform(g) < 0.75:
        line = coverage(uniform(g, 0.8, 0.035 * size + 1.0) - inside)
        ink = torch.rand(3, 1, 1, generator=g) * 0.25
        colour = colour * (1 - line) + ink * line
    return torch.cat((colour.clamp(0, 1), coverage(inside)[None]))


def sprite(g: Generator, size: int) -> Tensor:
    """A painted cel of any kind."""
    kinds = (blob, blob, polygon, limbs, limbs, figure, figure, holes)
    return paint(g, kinds[integer(g, 0, len(kinds))](g, size))


def lettering(g: Generator, size: int) -> Tensor:
    """Text-like marks in one colour, mostly with a dark rim."""
    inside = glyphs(g, size)
    colour = torch.rand(3, 1, 1, generator=g) * 0.5 + (0.5 if uniform(g) < 0.7 else 0.0)
    rim = uniform(g, 1.0, 2.5) if uniform(g) < 0.6 else 0.0
    fill = colour * coverage(inside)
    return torch.cat((fill.expand(3, size, size), coverage(inside + rim)[None]))


def segment(g: Generator, size: int, is_thin: bool) -> Tensor:
    """A painted segment of a limb from x = -0.8 to 0.8, tapered, with round ends; or, if
    ``is_thin``, a curved strand of hair.
    """
    x, y = axes(size)
    root = uniform(g, 0.04, 0.1) if is_thin else uniform(g, 0.1, 0.19)
    tip = root * (uniform(g, 0.0, 0.4) if is_thin else uniform(g, 0.6, 1.0))
    bow = uniform(g, -0.25, 0.25) if is_thin else uniform(g, -0.05, 0.05)
    along = (x / 1.6 + 0.5).clamp(0, 1)
    middle = bow * torch.sin(math.pi * along)
    reach = root + (tip - root) * along
    away = torch.hypot(x - (along * 1.6 - 0.8), y - middle)
    return paint(g, (reach - away) * (size / 2))


def particles(g: Generator, size: int) -> Tensor:
    """Snow, sparks, dust (dots) or rain (streaks) scattered over a texture, in one colour."""
    x, y = axes(size)
    inside = torch.full_like(x, -float(size))
    radius = uniform(g, 0.6, 2.5)
    length = uniform(g, 4, 24) if uniform(g) < 0.35 else 0.0
    for _ in range(integer(g, 30, 160)):
        cx, cy = integer(g, 0, size), integer(g, 0, size)
        here = radius * uniform(g, 0.5, 1.5)
        reach = int(here + length) + 2
        rows, columns = slice(max(0, cy - reach), cy + reach), slice(max(0, cx - reach), cx + reach)
        px, py = (x[rows, columns] + 1) * (size / 2) - cx, (y[rows, columns] + 1) * (size / 2) - cy
        away = torch.hypot(px, py - py.clamp(-length / 2, length / 2))
        patch = inside[rows, columns]
        torch.maximum(patch, here - away, out=patch)
    colour = torch.rand(3, 1, 1, generator=g) * 0.5 + 0.5
    strength = uniform(g, 0.6, 1.0)
    return torch.cat((colour.expand(3, size, size), strength * coverage(inside)[None]))
