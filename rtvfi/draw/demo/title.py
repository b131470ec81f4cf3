"""The title card of the demo clip, in letters made of strokes on a grid of 4 x 6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.draw.paint import Canvas, limb, rgb

if TYPE_CHECKING:
    from rtvfi.draw.paint import Point, Shape

LETTERS: Final[dict[str, tuple[str, ...]]] = {
    "A": ("06 20 46", "14 34"),
    "B": ("00 30 41 42 33 03", "33 44 45 36 06 00"),
    "C": ("41 30 10 01 05 16 36 45",),
    "D": ("00 30 41 45 36 06 00",),
    "E": ("40 00 06 46", "03 33"),
    "F": ("40 00 06", "03 33"),
    "I": ("00 06",),
    "N": ("06 00 46 40",),
    "O": ("10 30 41 45 36 16 05 01 10",),
    "R": ("06 00 30 41 42 33 03", "23 46"),
    "T": ("00 40", "20 26"),
    "V": ("00 26 40",),
    "W": ("00 16 22 36 40",),
    "Y": ("00 23 40", "23 26"),
}
"""The strokes of each letter: points as two digits, column and row."""


def lettering(text: str, left: float, top: float, height: float, weight: float) -> Shape:
    """Text as one shape; ``height`` and ``weight`` (of a stroke) in pixels."""
    unit = height / 6
    shape: Shape | None = None
    for letter in text:
        strokes = LETTERS.get(letter, ())
        columns = max((int(p[0]) for line in strokes for p in line.split()), default=1)
        for line in strokes:
            points: list[Point] = [
                (left + int(p[0]) * unit, top + int(p[1]) * unit) for p in line.split()
            ]
            part = limb(points, [weight / 2] * len(points))
            shape = part if shape is None else shape | part
        left += unit * (columns + 1.7)
    if shape is None:
        raise ValueError(f"{text!r} contains no letter that can be drawn")
    return shape


def title(width: int, height: int) -> Canvas:
    """The name and a line below it."""
    canvas = Canvas(width, height)
    name = lettering("RTVFI", 44, 40, 62, 13)
    canvas.fill(name.moved(3, 4), rgb("1f3f78"), grow=4, opacity=0.5, soft=3)
    canvas.fill(name, rgb("20386f"), grow=4)
    canvas.fill(name, rgb("ffffff"))
    line = lettering("DRAWN BY CODE", 47, 122, 15, 3.2)
    canvas.fill(line, rgb("20386f"), grow=2.2)
    canvas.fill(line, rgb("fff2c4"))
    return canvas
