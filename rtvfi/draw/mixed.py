"""Film scenes in which every object has its own cadence, with the true picture at any time.

A ``MixedScene`` has N source frames, as an animator would shoot them: a background and planes of
scenery that pan and zoom on ones, and cels that are redrawn every first, second, third or fourth
frame, or never, each with its own phase and easing. Some cels are fixed to the screen, some move
with the pan. Every object has a smooth path, on which it would be if it were drawn on ones; in the
picture ``truth`` each is on its path.

By convention a drawing represents the middle of its hold. A drawing first shown in frame h shows
``path(h)`` and is held until frame h + n - 1, so at time T an object on cadence n should be at
``path(T - (n - 1) / 2)``. Repeated midpoints (de-duplication passes) approximate this path.

    scene = mixed_scene(MixedOptions(), seed=3)
    left, right = scene.source(7), scene.source(8)    # what a player gets
    wanted = scene.truth(7.5)                          # what it should show
    wanted.cadence == 2                                # pixels of objects on twos

A scene depends only on its options and its seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812

from rtvfi.draw.layers import Layer, render
from rtvfi.draw.sprites import lettering, sprite
from rtvfi.draw.textures import background, integer, uniform

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Generator, Tensor

HELD = 0
"""The cadence of objects that are drawn only once."""


@dataclass(frozen=True, kw_only=True)
class MixedOptions:
    """Parameters of mixed scenes."""

    width: int = 480
    height: int = 270
    num_frames: int = 24
    num_cels: tuple[int, int] = (2, 5)
    """Minimum and maximum number of cels."""
    slowest: float = 0.7
    """Smallest mean motion of a cel along its path, pixels per frame."""
    fastest: float = 6.0
    """Largest mean motion; a cel on fours jumps four times as far."""
    pan: float = 5.0
    """Largest motion of the camera, pixels per frame."""
    shares: tuple[float, float, float, float, float] = (0.1, 0.2, 0.35, 0.23, 0.12)
    """Fractions of cels that are held, on ones, twos, threes, fours."""


class Path(NamedTuple):
    """A smooth motion over time, in pixels relative to a fixed camera."""

    x: float
    y: float
    """Position in the middle of the scene."""
    dx: float
    dy: float
    """Mean motion, pixels per frame."""
    arc: float
    """Amplitude of the sideways swing, pixels."""
    easing: float
    """0: uniform; up to 1: periodically slows down, at 1 to a stop; above 1: also moves back."""
    period: float
    """Period of arc, easing and bend, frames."""
    phase: float
    scale: float
    """Half the texture's side, pixels."""
    growth: float
    """Change of the logarithm of scale per frame."""
    angle: float
    turn: float
    """Rotation, radians per frame."""
    bend: float
    """Amplitude of the wave, texture half sides."""
    wave: float


class Actor(NamedTuple):
    """A texture with its path and its timing."""

    texture: Tensor
    """(4, T, T) RGB and straight alpha."""
    path: Path
    cadence: int
    phase: int
    """Drawings change in frames k with ``(k - phase) % cadence == 0``."""
    depth: float
    """Factor of the camera's motion: 0 = fixed to the screen, 1 = moves with the background."""


class View(NamedTuple):
    """A scene rendered at one moment."""

    picture: Tensor
    """(3, H, W) uint8 RGB."""
    owner: Tensor
    """(H, W), int64: index of the object visible in each pixel, back to front, 0 = background."""
    place: Tensor
    """(H, W, 2): the pixel's position on that object's texture, in half sides."""
    cadence: Tensor
    """(H, W), int64: cadence of that object, 0 = held."""
    pose: Layer
    """Placement of all objects: fields (L,); ``pose.x`` and ``pose.y`` are centres in pixels."""


class MixedScene:
    """One scene, as the module describes it; ``actors`` are its objects, back to front."""

    def __init__(self, options: MixedOptions, actors: tuple[Actor, ...], camera: Path) -> None:
        self.options = options
        self.actors = actors
        self.camera = camera

    def source(self, frame: int) -> View:
        """Source frame ``frame``, 0 to ``num_frames`` - 1: every object as it was last drawn."""
        return self._view(frame, [drawn_at(actor, frame) for actor in self.actors])

    def truth(self, time: float) -> View:
        """The scene at ``time``, in source frames, with every object on its smooth path."""
        return self._view(time, [due_at(actor, time) for actor in self.actors])

    def _view(self, time: float, moments: list[float]) -> View:
        """The camera at ``time`` and every object at its own moment."""
        size = (self.options.height, self.options.width)
        poses = [
            self._pose(actor, time, moment)
            for actor, moment in zip(self.actors, moments, strict=True)
        ]
        layers = [Layer(*(torch.tensor([value]) for value in pose)) for pose in poses]
        textures = [actor.texture[None] for actor in self.actors]
        drawn, owner, place = render(layers, textures, torch.ones(1), size)
        cadences = torch.tensor([actor.cadence for actor in self.actors])
        return View(
            drawn[0].mul(255).add_(0.5).clamp_(0, 255).byte(),
            owner[0],
            place[0],
            cadences[owner[0]],
            Layer(*(torch.cat(values) for values in zip(*layers, strict=True))),
        )

    def _pose(self, actor: Actor, time: float, moment: float) -> tuple[float, ...]:
        path = actor.path
        middle = (self.options.num_frames - 1) / 2
        x, y = _position(path, moment - middle)
        pan_x, pan_y = _position(self.camera, time - middle)
        zoom = math.exp(self.camera.growth * (time - middle) * actor.depth)
        half_width, half_height = self.options.width / 2, self.options.height / 2
        sway = math.sin(2 * math.pi * (moment - middle) / path.period + 2 * path.phase)
        return (
            half_width + zoom * (x + actor.depth * pan_x - half_width),
            half_height + zoom * (y + actor.depth * pan_y - half_height),
            zoom * path.scale * math.exp(path.growth * (moment - middle)),
            path.angle + path.turn * (moment - middle),
            0.0, 0.0, 0.0, 0.0,
            2 * path.bend * sway,  # a layer at its time 1 shows half of its change
            path.wave,
            path.phase,
        )  # fmt: skip


def drawn_at(actor: Actor, frame: int) -> float:
    """The time on its path at which an object is drawn in a source frame."""
    if actor.cadence == HELD:
        return 0.0
    return float((frame - actor.phase) // actor.cadence * actor.cadence + actor.phase)


def due_at(actor: Actor, time: float) -> float:
    """The time on its path at which an object should be shown at ``time``, in source frames."""
    if actor.cadence == HELD:
        return 0.0
    return time - (actor.cadence - 1) / 2


def _position(path: Path, moment: float) -> tuple[float, float]:
    turns = 2 * math.pi / path.period
    beat = turns * moment + path.phase
    along = moment + path.easing * (math.sin(beat) - math.sin(path.phase)) / turns
    length = math.hypot(path.dx, path.dy)
    aside = path.arc * (math.sin(beat / 2) - math.sin(path.phase / 2))
    nx, ny = (-path.dy / length, path.dx / length) if length else (0.0, 0.0)
    return path.x + path.dx * along + nx * aside, path.y + path.dy * along + ny * aside


# --- generating a scene ------------------------------------------------------------------------


def mixed_scene(options: MixedOptions, seed: int) -> MixedScene:
    """The scene of a seed."""
    g = torch.Generator().manual_seed(seed)
    width, height = options.width, options.height
    camera = _camera(g, options)
    side = min(1280, 2 * (max(width, height) // 2))
    backdrop = background(g, side)
    rest = Path(width / 2, height / 2, 0, 0, 0, 0, 24, 0, 0.6 * max(width, height), 0, 0, 0, 0, 1)
    opaque = torch.ones(1, side, side)
    actors = [Actor(torch.cat((backdrop, opaque)), rest, 1, 0, 1.0)]
    actors += [_plane(g, options, uniform(g, 0.4, 1.6)) for _ in range(integer(g, 0, 3))]
    fewest, most = options.num_cels
    num_cels = integer(g, fewest, most + 1)
    actors += [_cel(g, options) for _ in range(num_cels)]
    if uniform(g) < 0.25:
        actors.append(_plane(g, options, uniform(g, 1.5, 2.2)))
    if uniform(g) < 0.2:
        half = uniform(g, 0.15, 0.3) * height
        still = rest._replace(x=uniform(g, 0, width), y=uniform(g, 0, height), scale=half)
        actors.append(Actor(_drawn(lettering, g, half), still, HELD, 0, 0.0))
    return MixedScene(options, tuple(actors), camera)


def _camera(g: Generator, options: MixedOptions) -> Path:
    """A camera: mostly a level pan, uniform or eased, at times with a zoom; a quarter is static."""
    speed = options.pan * uniform(g) * (uniform(g) < 0.75)
    angle = uniform(g, 0, 2 * math.pi)
    if uniform(g) < 0.6:
        angle = round(angle / math.pi) * math.pi
    growth = uniform(g, -0.012, 0.012) * (uniform(g) < 0.3)
    easing = uniform(g, 0, 0.8) * (uniform(g) < 0.4)
    dx, dy = speed * math.cos(angle), speed * math.sin(angle)
    return Path(
        0, 0, dx, dy, 0, easing, uniform(g, 20, 60), uniform(g, 0, 6.28), 1, growth, 0, 0, 0, 1
    )


def _plane(g: Generator, options: MixedOptions, depth: float) -> Actor:
    """Scenery at its own depth, on ones."""
    half = uniform(g, 0.2, 0.45) * options.height
    path = Path(
        uniform(g, 0, options.width), uniform(g, 0, options.height), 0, 0, 0, 0, 24, 0,
        half, 0, uniform(g, 0, 2 * math.pi), 0, 0, 1,
    )  # fmt: skip
    return Actor(_drawn(sprite, g, half), path, 1, 0, depth)


def _cel(g: Generator, options: MixedOptions) -> Actor:
    """A drawn object with its own path, cadence and phase."""
    chosen = torch.multinomial(torch.tensor(options.shares), 1, generator=g)
    cadence = int(chosen)
    half = options.height * 0.06 * (0.3 / 0.06) ** uniform(g)
    speed = options.slowest * (options.fastest / options.slowest) ** uniform(g)
    speed *= cadence != HELD
    angle = uniform(g, 0, 2 * math.pi)
    is_turning, is_bending = uniform(g) < 0.4, uniform(g) < 0.4
    path = Path(
        uniform(g, 0.1, 0.9) * options.width, uniform(g, 0.1, 0.9) * options.height,
        speed * math.cos(angle), speed * math.sin(angle),
        uniform(g, -5, 5) * speed, uniform(g, 0, 1.3) * (uniform(g) < 0.6),
        uniform(g, 16, 48), uniform(g, 0, 2 * math.pi),
        half, uniform(g, -0.008, 0.008) * (uniform(g) < 0.4),
        uniform(g, 0, 2 * math.pi), uniform(g, -0.04, 0.04) * is_turning,
        uniform(g, 0.03, 0.15) * is_bending, uniform(g, 1.5, 4),
    )  # fmt: skip
    phase = integer(g, 0, max(1, cadence))
    follows = float(uniform(g) < 0.3)
    return Actor(_drawn(sprite, g, half), path, cadence, phase, follows)


def _drawn(kind: Callable[[Generator, int], Tensor], g: Generator, half: float) -> Tensor:
    """A texture with about one texel per pixel, drawn at twice the size for smooth lines."""
    side = min(320, max(24, 2 * round(half)))
    return F.avg_pool2d(kind(g, 2 * side)[None], 2)[0]
