"""Films made from random numbers with known cuts: pans, zooms, sweeps, flashes, fades, dissolves.

Pictures are 8-bit Y, U, V planes of 4:2:0, full range. A film depends on its seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from rtvfi.core.frame import SourceFrame
from rtvfi.quality.methods import picture_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]
    Shot = Callable[[int], Floats]

WIDTH: Final = 320
HEIGHT: Final = 180
_CANVAS: Final = 480
"""Side of a painted background; it repeats."""

INFO: Final = picture_info(HEIGHT, WIDTH)

_LUMA: Final = np.array([1, 0, 0], np.float32)[:, None, None]
_Y, _X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)


@dataclass(frozen=True)
class Palette:
    """What the scenes of one place share."""

    base: Floats
    """(3,) Y, U, V of the middle tone, 0..255."""
    contrast: float
    """Standard deviation of the paint, luma codes."""
    colour: Floats
    """(3, 3) how three random fields mix into Y, U, V."""


def palette(rng: Generator) -> Palette:
    """A place: bright or dark, grey or colourful, one in four of low contrast."""
    contrast = rng.uniform(7, 12) if rng.random() < 0.25 else rng.uniform(18, 50)
    luma = rng.uniform(25 + contrast, 230 - contrast)
    base = np.array([luma, *rng.uniform(112, 144, 2)], np.float32)
    colour = np.array([[1, 0.3, 0.2], *rng.uniform(-0.3, 0.3, (2, 3))], np.float32)
    return Palette(base, contrast, colour)


def _field(rng: Generator, side: int) -> Floats:
    """A painted surface: clouds of two scales and hard-edged shapes; mean 0, deviation 1."""
    surface = np.zeros((side, side), np.float32)
    for cells in (5, 11):
        coarse = rng.standard_normal((cells, cells)).astype(np.float32)
        at = np.arange(side) * cells / side
        low, part = at.astype(int), (at % 1).astype(np.float32)
        high = (low + 1) % cells
        rows = coarse[low] + (coarse[high] - coarse[low]) * part[:, None]
        surface += rows[:, low] + (rows[:, high] - rows[:, low]) * part
    for _ in range(26):
        cy, cx = rng.integers(0, side, 2)
        ry, rx = rng.integers(4, 90, 2)
        part = surface[max(cy - ry, 0) : cy + ry, max(cx - rx, 0) : cx + rx]
        inside = np.ones(part.shape, bool)
        if rng.random() < 0.5:
            y, x = np.ogrid[-1 : 1 : part.shape[0] * 1j, -1 : 1 : part.shape[1] * 1j]
            inside = y * y + x * x < 1
        part[inside] = part[inside] * 0.3 + rng.normal(0, 1.6)
    surface -= surface.mean()
    surface /= surface.std()
    return surface


def _painted(rng: Generator, place: Palette, side: int) -> Floats:
    fields = np.stack([_field(rng, side) for _ in range(3)])
    mixed = np.tensordot(place.colour, fields, 1) * place.contrast
    return (mixed + place.base[:, None, None]).astype(np.float32)


class Scene:
    """Cels over a painted background under a moving camera; ``draw`` gives frame n of it."""

    def __init__(self, rng: Generator, place: Palette) -> None:
        self._background = _painted(rng, place, _CANVAS)
        self._start = rng.uniform(0, _CANVAS, 2)
        speed = rng.choice([0.0, 2.0, 9.0, 30.0], p=[0.4, 0.25, 0.25, 0.1])
        angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, 6)])
        self._velocity = speed * np.array([np.sin(angle), np.cos(angle)])
        self._zoom = rng.choice([0.0, rng.uniform(-0.025, 0.025)], p=[0.7, 0.3])
        self._weave = rng.choice([0.0, 0.7])
        self._noise = np.random.default_rng(rng.integers(1 << 32))
        self._grain = rng.choice([0.0, 2.0, 6.0])
        self._cels = [self._cel(rng, place) for _ in range(rng.integers(0, 4))]
        self.hold = int(rng.choice([1, 2, 3]))
        self.is_still = self._grain == self._weave == speed == self._zoom == 0

    @staticmethod
    def _cel(rng: Generator, place: Palette) -> Callable[[Floats, int], None]:
        size = rng.uniform(12, 60)
        if rng.random() < 0.12:
            size = rng.uniform(110, 200)
        paint = _painted(rng, place, 2 * int(size))
        at, way = rng.uniform(0, [HEIGHT, WIDTH]), rng.uniform(-12, 12, 2)
        return partial(_draw_cel, paint, at, way)

    def draw(self, n: int) -> Floats:
        """(3, H, W), 0..255, not yet rounded."""
        scale = 1 + self._zoom * n
        cy, cx = self._start + self._velocity * n + self._weave * self._noise.standard_normal(2)
        rows = (((np.arange(HEIGHT) - HEIGHT / 2) / scale + cy) % _CANVAS).astype(int)
        columns = (((np.arange(WIDTH) - WIDTH / 2) / scale + cx) % _CANVAS).astype(int)
        picture = self._background[:, rows[:, None], columns]
        for cel in self._cels:
            cel(picture, n // self.hold * self.hold)
        if self._grain:
            picture[0] += self._grain * self._noise.standard_normal(picture[0].shape)
        return picture


def _draw_cel(paint: Floats, at: Doubles, way: Doubles, picture: Floats, n: int) -> None:
    half = paint.shape[1] // 2
    cy, cx = (at + way * n) % np.array([HEIGHT + 2 * half, WIDTH + 2 * half]) - half
    inside = np.hypot(_Y - cy, _X - cx) < half - 1
    v, u = (_Y - cy + half)[inside].astype(int), (_X - cx + half)[inside].astype(int)
    picture[:, inside] = paint[:, v, u]


@dataclass(frozen=True)
class Film:
    """Frames and what is known of them."""

    pictures: list[Floats]
    """(3, H, W), 0..255."""
    cuts: frozenset[int]
    """First frames of scenes after a hard cut; a fade or dissolve is none."""

    def frames(self) -> Iterator[SourceFrame]:
        """The film as a decoder gives it."""
        for number, picture in enumerate(self.pictures):
            yield SourceFrame(payload_of(picture), Fraction(number, 24), Fraction(1, 24))


def payload_of(picture: Floats) -> NDArray[np.uint8]:
    """A (3, H, W) picture, 0..255, as a payload of ``INFO``."""
    y, u, v = picture.clip(0, 255).round().astype(np.uint8)
    return np.concatenate([y.ravel(), u[::2, ::2].ravel(), v[::2, ::2].ravel()])


def film(seed: int, num_scenes: int = 6) -> Film:
    """A film of ``num_scenes`` scenes; two in three joins are cuts, some within one place."""
    rng = np.random.default_rng(seed)
    pictures: list[Floats] = []
    cuts: set[int] = set()
    place = palette(rng)
    for number in range(num_scenes):
        if rng.random() < 0.6:
            place = palette(rng)
        scene, length = Scene(rng, place), int(rng.integers(10, 26))
        shown = [scene.draw(n) for n in range(length)]
        if rng.random() < 0.3:
            _flash(rng, shown)
        join = rng.choice(["cut", "dissolve", "fade"], p=[0.7, 0.15, 0.15])
        if number == 0:
            pictures = shown
        elif join == "cut":
            cuts.add(len(pictures))
            pictures += shown
        else:
            steps = int(rng.integers(5, 10))
            (_dissolve if join == "dissolve" else _fade)(rng, pictures, shown, steps)
    return Film(pictures, frozenset(cuts))


def _flash(rng: Generator, shown: list[Floats]) -> None:
    """One frame white, black, negative or glaring; or lightning that dies away."""
    at = int(rng.integers(3, len(shown) - 4))
    kind = rng.choice(["white", "black", "negative", "glare", "lightning"])
    picture = shown[at]
    if kind == "lightning":
        for n, part in enumerate((0.7, 0.45, 0.2)):
            shown[at + n] = shown[at + n] + part * (255 - shown[at + n]) * _LUMA
    elif kind == "glare":
        shown[at] = _brighter(picture, 2.5)
    elif kind == "negative":
        shown[at] = 255 - picture
    else:
        level = 250 if kind == "white" else 3
        shown[at] = np.full_like(picture, 128)
        shown[at][0] = level


def _brighter(picture: Floats, gain: float) -> Floats:
    out = picture.copy()
    out[0] = np.minimum(out[0] * gain, 255)
    return out


def _dissolve(rng: Generator, pictures: list[Floats], shown: list[Floats], steps: int) -> None:
    for n in range(1, steps):
        part = n / steps
        pictures[n - steps] = pictures[n - steps] * (1 - part) + shown[n - 1] * part
    pictures += shown[steps - 1 :]


def _fade(rng: Generator, pictures: list[Floats], shown: list[Floats], steps: int) -> None:
    """Out to black or white and in again, with up to three flat frames between."""
    flat = np.full_like(shown[0], 128)
    flat[0] = rng.choice([2.0, 252.0])
    for n in range(steps):
        part = (n + 1) / (steps + 1)
        pictures[n - steps] = pictures[n - steps] * (1 - part) + flat * part
        shown[n] = flat + (shown[n] - flat) * part
    pictures += [flat] * int(rng.integers(0, 4)) + shown
