"""The painted backgrounds of the demo clip: layers that pan at their own whole number of pixels."""

from __future__ import annotations

from math import cos, pi, sin
from typing import TYPE_CHECKING, Final

import numpy as np

from rtvfi.draw.paint import (
    Canvas,
    Shape,
    bone,
    ellipse,
    everywhere,
    mix,
    noise,
    polygon,
    ramp,
    rgb,
    ribbon,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtvfi.draw.paint import Array, Colour, Point

WIDTH: Final = 854
HEIGHT: Final = 480


def _wash(rng: np.random.Generator, size: tuple[int, int], base: Array, strength: float) -> Array:
    """A painted surface: ``base`` (H, 1, 3) with broad brush marks."""
    marks = noise(rng, size, (160, 46), 4)[..., None]
    return np.asarray((base + strength * marks).clip(0, 1), np.float32)


def _ridge(
    rng: np.random.Generator, width: int, level: float, swing: float, period: float
) -> Shape:
    """Everything below a wavy skyline."""
    x = np.arange(0, width + 16, 12.0)
    y = np.full(x.shape, float(level))
    for octave in range(4):
        k = 2**octave
        y += swing / k**1.1 * np.sin(2 * pi * k * x / period + rng.uniform(0, 2 * pi))
    line = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]

    def distance(px: Array, py: Array) -> Array:
        skyline = np.interp(px[0], x, y).astype(np.float32)
        return np.asarray(py - skyline, np.float32)

    return Shape((0, min(b for _, b in line), width, HEIGHT), distance)


def _tuft(
    canvas: Canvas, rng: np.random.Generator, centre: Point, size: Point, tones: Sequence[Colour]
) -> None:
    """Foliage or cloud: many discs, dark ones low, light ones high and towards the light."""
    (cx, cy), (rx, ry) = centre, size
    for k, tone in enumerate(tones):
        rise = k / max(1, len(tones) - 1)
        for _ in range(26):
            angle, far = rng.uniform(0, 2 * pi), rng.uniform(0, 1) ** 0.5 * (1 - 0.35 * rise)
            x = cx + rx * far * cos(angle) - 0.22 * rx * rise
            y = cy + ry * far * sin(angle) - 0.32 * ry * rise
            r = min(rx, ry) * rng.uniform(0.16, 0.34) * (1 - 0.3 * rise)
            canvas.fill(ellipse((x, y), r * 1.1, r * 0.95), tone)


def day_sky() -> Canvas:
    """Blue sky with a sun, static."""
    canvas = Canvas(WIDTH, HEIGHT)
    stops = [
        (0.0, rgb("3f8fe0")),
        (0.35, rgb("7cc3f4")),
        (0.6, rgb("cdeefb")),
        (0.72, rgb("fff3df")),
    ]
    rng = np.random.default_rng(1)
    canvas.fill(everywhere(WIDTH, HEIGHT), _wash(rng, (WIDTH, HEIGHT), ramp(HEIGHT, stops), 0.012))
    for radius, opacity in ((190, 0.16), (110, 0.22), (60, 0.5)):
        canvas.fill(ellipse((690, 92), radius, radius), rgb("fffbe6"), opacity=opacity, soft=radius)
    canvas.fill(ellipse((690, 92), 34, 34), rgb("fffef6"), soft=4)
    return canvas


def clouds(width: int) -> Canvas:
    """Summer clouds."""
    canvas = Canvas(width, HEIGHT)
    rng = np.random.default_rng(2)
    tones = [rgb("b9c9ea"), rgb("d5e0f5"), rgb("eef3fc"), rgb("ffffff")]
    for x, base, size in ((120, 236, 95), (430, 176, 62), (640, 262, 100), (880, 205, 80)):
        for k in (-2, 2, -1, 1, 0):
            tall = size * (0.95 - 0.27 * abs(k)) * rng.uniform(0.85, 1.15)
            at = x + k * size * 0.48, base - 0.42 * tall
            _tuft(canvas, rng, at, (size * 0.46, tall * 0.5), tones)
    fade = ramp(
        HEIGHT, [(0.0, (1, 1, 1)), (0.36, (1, 1, 1)), (0.60, (0.25, 0.25, 0.25)), (0.64, (0, 0, 0))]
    )
    canvas.pixels *= fade[..., :1]
    return canvas


def mountains(width: int) -> Canvas:
    """Two blue ranges."""
    canvas = Canvas(width, HEIGHT)
    rng = np.random.default_rng(3)
    for level, swing, top, foot in (
        (262, 34, rgb("8fb7dd"), rgb("cfe6f0")),
        (296, 22, rgb("6fa3c4"), rgb("b5dcd8")),
    ):
        shape = _ridge(rng, width, level, swing, 560)
        tint = ramp(HEIGHT, [(0.46, top), (0.70, foot)])
        canvas.fill(shape, _wash(rng, (width, HEIGHT), tint, 0.02))
    return canvas


def _ground(
    seed: int,
    width: int,
    ridge: tuple[float, float, float],
    paint: tuple[tuple[float, str], tuple[float, str], float],
) -> tuple[Canvas, np.random.Generator]:
    """Paint everything below a wavy skyline.

    Returns:
        The canvas, and the random generator for objects on it.

    Args:
        seed: of the random generator.
        width: pixels.
        ridge: level, swing and period of the skyline.
        paint: colours at two heights (0 top, 1 bottom), and how strong the brush marks are.
    """
    canvas, rng = Canvas(width, HEIGHT), np.random.default_rng(seed)
    upper, lower, strength = paint
    tint = ramp(HEIGHT, [(at, rgb(colour)) for at, colour in (upper, lower)])
    shape = _ridge(rng, width, *ridge)
    canvas.fill(shape, _wash(rng, (width, HEIGHT), tint, strength))
    return canvas, rng


def hills(width: int) -> Canvas:
    """A green hill with trees."""
    canvas, rng = _ground(4, width, (328, 15, 700), ((0.62, "8fca6a"), (0.78, "5fae5c"), 0.05))
    leaf = [rgb("2f6b55"), rgb("3f8a5a"), rgb("62a95c"), rgb("98cc66")]
    x = 30.0
    while x < width:
        size = rng.uniform(20, 46)
        y = 330 - size * 0.6 + rng.uniform(-4, 10)
        canvas.fill(bone((x, y), (x, y + size * 1.05), size * 0.09, size * 0.13), rgb("6b4a45"))
        _tuft(canvas, rng, (x, y - size * 0.15), (size * 0.85, size * 0.72), leaf)
        x += rng.choice([rng.uniform(34, 60), rng.uniform(120, 230)])
    return canvas


def meadow(width: int) -> Canvas:
    """Grass, flowers and the far edge of the path."""
    canvas, rng = _ground(5, width, (356, 5, 420), ((0.72, "a5d86a"), (0.86, "78bf56"), 0.06))
    for _ in range(width // 3):
        x, y = rng.uniform(0, width), rng.uniform(358, 405)
        tall = 5 + (y - 350) * 0.12
        tone = mix(rgb("5da64c"), rgb("c3e57c"), rng.uniform(0, 1))
        canvas.fill(bone((x, y), (x + rng.uniform(-3, 3), y - tall), 1.2, 0.3), tone)
    for _ in range(width // 22):
        x, y = rng.uniform(0, width), rng.uniform(362, 402)
        tone = (rgb("ffffff"), rgb("ffd7e6"), rgb("ffe680"))[int(rng.integers(3))]
        canvas.fill(ellipse((x, y), 2.6, 2.0), tone)
    return canvas


def path(width: int) -> Canvas:
    """The path the two run along."""
    canvas, rng = _ground(6, width, (402, 3, 330), ((0.82, "f1d9a8"), (1.0, "d8b285"), 0.045))
    for _ in range(width // 14):
        x, y = rng.uniform(0, width), rng.uniform(410, 476)
        size = 1 + (y - 400) * 0.045 * rng.uniform(0.4, 1)
        canvas.fill(ellipse((x, y + 1), size * 1.5, size * 0.8), rgb("b98f6c"))
        canvas.fill(ellipse((x, y), size * 1.4, size * 0.7), rgb("f7e6c2"))
    for _ in range(width // 9):
        x, y = rng.uniform(0, width), 404 + rng.uniform(-2, 4)
        tone = mix(rgb("4f9a47"), rgb("a9d868"), rng.uniform(0, 1))
        canvas.fill(bone((x, y), (x + rng.uniform(-6, 6), y - rng.uniform(6, 13)), 1.8, 0.4), tone)
    return canvas


def near_grass(width: int) -> Canvas:
    """Blades close to the camera, out of focus."""
    canvas = Canvas(width, HEIGHT)
    rng = np.random.default_rng(7)
    for clump in np.arange(0, width, 150) + rng.uniform(0, 110, len(range(0, width, 150))):
        for _ in range(int(rng.integers(4, 9))):
            x = float(clump + rng.normal(0, 16))
            tone = mix(rgb("2c6b43"), rgb("6db356"), rng.uniform(0, 1))
            lean, tall = rng.uniform(-24, 24) + (x - clump) * 0.7, rng.uniform(16, 50)
            blade = ribbon(
                [(x, 486), (x + lean * 0.3, 486 - tall * 0.6), (x + lean, 486 - tall)],
                [6, 4, 0.5],
            )
            canvas.fill(blade, tone, soft=2.5)
    return canvas


def night_sky() -> Canvas:
    """Dusk with stars and a large moon, static."""
    canvas = Canvas(WIDTH, HEIGHT)
    rng = np.random.default_rng(8)
    stops = [
        (0.0, rgb("141a4e")),
        (0.3, rgb("2f2f7d")),
        (0.55, rgb("7a4a96")),
        (0.72, rgb("d9708f")),
    ]
    stops.append((0.86, rgb("ffb98a")))
    canvas.fill(everywhere(WIDTH, HEIGHT), _wash(rng, (WIDTH, HEIGHT), ramp(HEIGHT, stops), 0.014))
    for _ in range(150):
        x, y = rng.uniform(0, WIDTH), rng.uniform(0, 1) ** 1.6 * 260
        size = rng.choice([0.7, 0.9, 1.5], p=[0.6, 0.32, 0.08])
        canvas.fill(
            ellipse((x, y), size, size), rgb("fff6e0"), opacity=rng.uniform(0.4, 1) * (1 - y / 330)
        )
    moon = ellipse((640, 128), 62, 62)
    for radius, opacity in ((210, 0.20), (120, 0.25)):
        canvas.fill(
            ellipse((640, 128), radius, radius), rgb("ffe9c4"), opacity=opacity, soft=radius
        )
    canvas.fill(moon, rgb("fff3cf"), soft=1.6)
    for dx, dy, r in ((-18, -14, 15), (20, 8, 20), (-12, 26, 10), (24, -28, 8), (-34, 10, 7)):
        canvas.fill(ellipse((640 + dx, 128 + dy), r, r * 0.92) & moon, rgb("f1dcae"), soft=3)
    for x, y, reach in ((150, 250, 130), (430, 285, 170), (760, 262, 140), (560, 312, 200)):
        for k in range(3):
            streak = ellipse((x + 26 * k, y + 9 * k), reach * (1 - 0.2 * k), 9 - 2 * k)
            canvas.fill(streak, rgb("f59ab0"), opacity=0.30, soft=7)
    return canvas


def far_city(width: int) -> Canvas:
    """Buildings in the haze."""
    return _city(width, near=False)


def near_city(width: int) -> Canvas:
    """Buildings across the street."""
    return _city(width, near=True)


def _city(width: int, *, near: bool) -> Canvas:
    """A row of buildings with lit windows."""
    canvas = Canvas(width, HEIGHT)
    rng = np.random.default_rng(10 + near)
    wall = rgb("2b2456") if near else rgb("6c4a8c")
    x = -20.0
    while x < width:
        wide = float(rng.integers(52, 110) if near else rng.integers(34, 80))
        top = float(rng.integers(250, 350) if near else rng.integers(225, 330))
        block = polygon([(x, top), (x + wide, top), (x + wide, HEIGHT), (x, HEIGHT)])
        tint = ramp(HEIGHT, [(0.5, wall), (0.95, mix(wall, rgb("e08a96"), 0.10 if near else 0.45))])
        canvas.fill(block, np.broadcast_to(tint, (HEIGHT, width, 3)))
        if rng.uniform() < 0.4:
            canvas.fill(bone((x + wide / 2, top), (x + wide / 2, top - 26), 1.4, 0.9), wall)
            canvas.fill(ellipse((x + wide / 2, top - 27), 2, 2), rgb("ff8b7a"))
        step = 15 if near else 11
        for wx in np.arange(x + 9, x + wide - 10, step):
            for wy in np.arange(top + 12, 440, step * 1.25):
                if rng.uniform() < (0.34 if near else 0.2):
                    glow = mix(rgb("ffd98a"), rgb("ffb36b"), rng.uniform(0, 1))
                    size = 3.4 if near else 2.1
                    pane = polygon(
                        [
                            (wx, wy),
                            (wx + 2 * size, wy),
                            (wx + 2 * size, wy + 2.4 * size),
                            (wx, wy + 2.4 * size),
                        ]
                    )
                    canvas.fill(pane, glow, opacity=0.95 if near else 0.6)
        x += wide + float(rng.integers(0, 10))
    return canvas


def roof(width: int) -> Canvas:
    """The roof terrace: railing, tiles, a flower box."""
    canvas = Canvas(width, HEIGHT)
    rng = np.random.default_rng(12)
    rail, lit = rgb("3a3266"), rgb("8f7fc0")
    for x in range(8, width, 34):
        canvas.fill(bone((x, 336), (x, 430), 2.6, 2.6), rail)
        canvas.fill(bone((x - 1.2, 338), (x - 1.2, 428), 0.7, 0.7), lit)
    for y, thick in ((334, 5.0), (424, 3.4)):
        canvas.fill(bone((-9, y), (width + 9, y), thick, thick), rail)
        canvas.fill(bone((-9, y - thick * 0.5), (width + 9, y - thick * 0.5), 1.0, 1.0), lit)
    tint = ramp(HEIGHT, [(0.88, rgb("6d5a97")), (1.0, rgb("463a73"))])
    floor = polygon([(-9, 428), (width + 9, 428), (width + 9, HEIGHT + 9), (-9, HEIGHT + 9)])
    canvas.fill(floor, _wash(rng, (width, HEIGHT), tint, 0.025))
    canvas.fill(bone((-9, 428), (width + 9, 428), 1.2, 1.2), rgb("a692d0"))
    for y in (442, 460):
        canvas.fill(bone((-9, y), (width + 9, y), 0.8, 0.8), rgb("4a3d78"))
    leaf = [rgb("1f4450"), rgb("2f6460"), rgb("4b8a6c")]
    for left in (60, 820):
        box = polygon([(left, 404), (left + 128, 404), (left + 120, 436), (left + 8, 436)])
        for k in range(5):
            _tuft(canvas, rng, (left + 18 + 23 * k, 393), (19, 17), leaf)
        for _ in range(15):
            at = (left + rng.uniform(4, 124), rng.uniform(376, 402))
            canvas.fill(ellipse(at, 4, 3.6), rgb("e87f9c"))
            canvas.fill(ellipse(at, 1.5, 1.4), rgb("ffd98a"))
        canvas.fill(box, rgb("2b2448"), grow=1.5)
        canvas.fill(box, rgb("a0605e"))
    return canvas
