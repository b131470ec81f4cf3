"""The clip that plays when no file is given, drawn by code.

``python -m rtvfi.draw.demo.clip OUT.mkv`` writes it.

Two scenes at 24000/1001 frames per second, the way anime is shot: the girl is drawn on twos, the
fox on threes, the camera pans on ones. The characters' poses are smooth functions of time, so the
true motion between two drawings is known: a drawing shows the pose of the first frame it is held
for.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import lru_cache
from math import exp, pi, sin
from typing import TYPE_CHECKING, Final

import numpy as np

from rtvfi.draw.demo import sets
from rtvfi.draw.demo.bodies import Pose, draw_runner, draw_waver
from rtvfi.draw.demo.film import write_film
from rtvfi.draw.demo.fox import draw_fox_running, draw_fox_sitting
from rtvfi.draw.demo.sets import HEIGHT, WIDTH
from rtvfi.draw.demo.title import title
from rtvfi.draw.paint import Canvas, ellipse, rgb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray


CUT: Final = 168
"""First frame of the second scene."""
NUM_FRAMES: Final = 324
HOLDS: Final = (2, 3)
"""Frames for which a drawing of the girl and of the fox is held."""


def scene_start(frame: int) -> int:
    """First frame of the scene a frame belongs to."""
    return 0 if frame < CUT else CUT


def held(frame: int, hold: int) -> int:
    """The frame whose pose a frame shows, for a character held for ``hold`` frames."""
    start = scene_start(frame)
    return start + (frame - start) // hold * hold


def girl_pose(frame: float) -> Pose:
    """The girl's pose at a time in frames; smooth within each of the two scenes.

    In the second scene positions are relative to the roof, which ``pan`` moves.
    """
    if frame < CUT:
        turn = 2 * pi * frame / 24
        x = 365 + 70 * sin(2 * pi * frame / 230 - 0.9)
        return Pose((x, 334), 41, turn, wind=sin(turn + 0.6))
    k = frame - CUT
    return Pose(
        (560, 336),
        46,
        2 * pi * k / 36,
        wind=0.8 * sin(2 * pi * k / 44),
        wave=sin(2 * pi * k / 22),
        open=_blink(k, 58),
    )


def fox_pose(frame: float) -> Pose:
    """The fox's pose at a time in frames; see ``girl_pose``."""
    if frame < CUT:
        x = 662 + 55 * sin(2 * pi * frame / 190 + 0.4)
        leap = 46 * exp(-(((frame - 92) / 9) ** 2))
        return Pose((x, 404 - leap), 25, 2 * pi * frame / 21)
    k = frame - CUT
    swing = sin(2 * pi * k / 26)
    return Pose((725, 403), 29, 0.0, wind=sin(2 * pi * k / 70), wave=swing, open=_blink(k, 104))


def _blink(frame: float, at: float) -> float:
    """Opening of the eyes around one blink."""
    return 1 - exp(-(((frame - at) / 3.2) ** 4))


@dataclass(frozen=True)
class Layer:
    """A painted background, and how far the camera pans over it per frame, pixels."""

    name: str
    paint: Callable[[int], Canvas]
    speed: int
    frames: int
    """Length of its scene."""

    @property
    def width(self) -> int:
        """Width of the painting, enough for the whole pan."""
        return WIDTH + self.speed * (self.frames - 1)


DAY: Final = tuple(
    Layer(paint.__name__, paint, speed, CUT)
    for paint, speed in (
        (sets.clouds, 1),
        (sets.mountains, 2),
        (sets.hills, 4),
        (sets.meadow, 8),
        (sets.path, 12),
        (sets.near_grass, 18),
    )
)
"""From far to near; the characters are in front of the path."""
NIGHT: Final = (
    Layer("far city", sets.far_city, 0, NUM_FRAMES - CUT),
    Layer("near city", sets.near_city, 1, NUM_FRAMES - CUT),
    Layer("roof", sets.roof, 2, NUM_FRAMES - CUT),
)
"""The characters stand on the roof and move with it."""


def pan(layer: Layer, frame: int) -> int:
    """How many pixels the camera has moved to the right over a layer."""
    return layer.speed * (frame - scene_start(frame))


@lru_cache(maxsize=16)
def _painted(paint: Callable[..., Canvas], *size: int) -> Canvas:
    canvas = paint(*size)
    canvas.pixels.setflags(write=False)
    return canvas


@lru_cache(maxsize=4)
def _cel(draw: Callable[[Canvas, Pose], None], pose: Pose, is_night: bool) -> Canvas:
    """A character with its shadow on the ground, on a transparent canvas."""
    canvas = Canvas(NIGHT[-1].width if is_night else WIDTH, HEIGHT)
    ground = 446 if is_night else 433
    shadow = ellipse((pose.root[0], ground), pose.unit * 1.35, pose.unit * 0.22)
    tone = rgb("2a2050") if is_night else rgb("7a5340")
    canvas.fill(shadow, tone, opacity=0.45, soft=5)
    draw(canvas, pose)
    if is_night:
        canvas.pixels[..., :3] *= np.array([0.94, 0.90, 1.0], np.float32)
    return canvas


def _over(base: NDArray[np.float32], layer: Canvas, left: int = 0) -> None:
    """Lay the part of a layer from column ``left`` on over the picture."""
    part = layer.pixels[:, left : left + WIDTH]
    base *= 1 - part[..., 3:]
    base += part


def draw_frame(frame: int) -> NDArray[np.float32]:
    """One frame: (480, 854, 3) RGB float32, [0, 1]."""
    is_night = frame >= CUT
    girl, fox = (
        pose(held(frame, hold)) for pose, hold in zip((girl_pose, fox_pose), HOLDS, strict=True)
    )
    layers = NIGHT if is_night else DAY
    picture = _painted(sets.night_sky if is_night else sets.day_sky).pixels.copy()
    front = () if is_night else layers[-1:]
    for layer in layers[: len(layers) - len(front)]:
        _over(picture, _painted(layer.paint, layer.width), pan(layer, frame))
    ride = pan(NIGHT[-1], frame) if is_night else 0
    _over(picture, _cel(draw_waver if is_night else draw_runner, girl, is_night), ride)
    _over(picture, _cel(draw_fox_sitting if is_night else draw_fox_running, fox, is_night), ride)
    for layer in front:
        _over(picture, _painted(layer.paint, layer.width), pan(layer, frame))
    if not is_night:
        _over(picture, _painted(title, WIDTH, HEIGHT))
    return picture[..., :3].clip(0, 1)


def frames() -> Iterator[NDArray[np.float32]]:
    """All frames in order."""
    return map(draw_frame, range(NUM_FRAMES))


def main() -> None:
    """Write the clip to the file named on the command line."""
    parser = argparse.ArgumentParser(description="draw the demo clip")
    parser.add_argument("output", help="Matroska file to write")
    write_film(parser.parse_args().output, frames(), CUT)


if __name__ == "__main__":
    main()
