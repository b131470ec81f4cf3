"""Generates moving cel scenes with exact motion from random numbers.

A scene is a stack of layers under one camera: a painted background, planes of foliage or scenery
at other depths, cels of every size with their own motion, and sometimes lettering that stands still
on top. A layer maps the picture to its texture by a similarity and a shear-like bend whose inverse
is known in closed form, so the motion of every pixel between any two times is exact.

Motion sizes are log-uniform from a quarter pixel to ``SceneOptions.fastest``, and some layers do
not move: a network trained only on large motion makes things that hardly move wobble.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812

from rtvfi.draw.compression import compress
from rtvfi.draw.dice import Dice
from rtvfi.draw.extras import Extras, Props, make_props
from rtvfi.draw.layers import Layer, exact_flow, exact_index, render, seen_from
from rtvfi.draw.sprites import lettering, sprite
from rtvfi.draw.textures import background

if TYPE_CHECKING:
    from torch import Tensor

    from rtvfi.draw.options import SceneOptions


NOTHING = torch.zeros(0)
"""The value of fields that were not requested."""


class SceneBatch(NamedTuple):
    """N scenes at three times."""

    left: Tensor
    """(N, 3, S, S) uint8 RGB at time 0."""
    middle: Tensor
    """The same at time t."""
    right: Tensor
    """The same at time 1."""
    t: Tensor
    """(N,) float32."""
    flow: Tensor
    """(N, 4, S/2, S/2) float16: flow of every second pixel from ``middle`` to ``left`` (x, y) and
    to ``right`` (x, y), full-size pixels.
    """
    gone: Tensor = NOTHING
    """(N, 2, S/2, S/2) float16, with ``SceneOptions.truth``: the distance index at t of every
    second pixel of ``left``, and of ``right`` for reversed time (``layers.exact_index``).
    """
    visible: Tensor = NOTHING
    """(N, 2, S/2, S/2) bool, with ``SceneOptions.truth``: whether every second pixel of ``middle``
    is visible in ``left`` and in ``right``.
    """


TEXTURES = ((32, 4.0, 18.0), (72, 14.0, 42.0), (160, 36.0, 100.0))
"""(texture side, smallest and largest half side on screen, pixels) of sprites, about one texel per
pixel: a texture scaled down further would alias, and aliasing does not move with the object.
"""


class Bank(NamedTuple):
    """Textures drawn once and used in every scene."""

    backgrounds: Tensor
    """(n, 3, T, T)."""
    sprites: tuple[Tensor, ...]
    """Per entry of TEXTURES: (n, 4, T, T)."""
    letters: Tensor
    """(n, 4, 160, 160)."""
    props: Props
    """Textures of the extras; empty for recipes without extras."""


def make_bank(options: SceneOptions, seed: int) -> Bank:
    """Draw the textures of a seed."""
    g = torch.Generator().manual_seed(seed)
    side = 384
    return Bank(
        torch.stack([background(g, side) for _ in range(options.num_backgrounds)]),
        tuple(
            # drawn at twice the size, so that lines of the small ones are smooth
            F.avg_pool2d(torch.stack([sprite(g, 2 * t) for _ in range(options.num_sprites)]), 2)
            for t, _, _ in TEXTURES
        ),
        torch.stack([lettering(g, 160) for _ in range(max(8, options.num_sprites // 4))]),
        make_props(g) if options.figures or options.particles else Props(*torch.zeros(3, 0)),
    )


class Scenes:
    """An endless sequence of scene batches; a batch depends only on the seed and its number.

    Args:
        options: of the scenes.
        seed: of the textures and scenes.
        bank: textures, if they have been drawn already.
    """

    def __init__(self, options: SceneOptions, seed: int, bank: Bank | None = None) -> None:
        self.options = options
        self.seed = seed
        self.bank = bank or make_bank(options, seed)
        self.dice = Dice()
        self.extras = Extras(options, Dice(), self.bank.props)

    def batch(self, number: int, num_scenes: int, t: float | None = None) -> SceneBatch:
        """Draw batch ``number``.

        Args:
            number: of the batch, from 0.
            num_scenes: scenes in the batch.
            t: time of the middle pictures; None = random times from 0.05 to 0.95.
        """
        self.dice.seed(self.seed * 1_000_003 + number)
        self.extras.dice.seed((self.seed * 1_000_003 + number) ^ 0x5EED)
        times = (
            0.05 + 0.9 * self.dice.rand(num_scenes) if t is None else torch.full((num_scenes,), t)
        )
        layers, textures = self._compose(num_scenes)
        self.extras.add(layers, textures)
        views = [
            render(layers, textures, moment, self.options.size)
            for moment in (torch.zeros(num_scenes), times, torch.ones(num_scenes))
        ]
        _, owner, place = views[1]
        flow = exact_flow(layers, owner[:, ::2, ::2], place[:, ::2, ::2], times)
        left, middle, right = self._grade([picture for picture, _, _ in views], times)
        batch = SceneBatch(left, middle, right, times, flow.half())
        if not self.options.truth:
            return batch
        owners = [owner[:, ::2, ::2] for _, owner, _ in views]
        places = [place[:, ::2, ::2] for _, _, place in views]
        seen = [seen_from(owners[1], flow[:, k : k + 2] / 2, owners[k]) for k in (0, 2)]
        gone = [
            exact_index(layers, owners[0], places[0], times),
            exact_index(layers, owners[2], places[2], times, is_back=True),
        ]
        return batch._replace(gone=torch.cat(gone, dim=1).half(), visible=torch.stack(seen, dim=1))

    def _speed(self, n: int, rest: float, fastest: Tensor | float) -> tuple[Tensor, Tensor]:
        low = math.log(self.options.slowest)
        high = torch.log(torch.as_tensor(fastest).clamp(min=1.0))
        size = torch.exp(low + self.dice.rand(n) * (high - low))
        size = size * (1 - self.dice.sometimes(n, rest))
        angle = self.dice.within(n, 0, 2 * math.pi)
        # pans are often horizontal or vertical
        square = self.dice.sometimes(n, 0.3)
        angle = torch.lerp(angle, torch.round(angle / (math.pi / 2)) * (math.pi / 2), square)
        return size * torch.cos(angle), size * torch.sin(angle)

    def _compose(self, n: int) -> tuple[list[Layer], list[Tensor]]:
        half = self.options.size / 2
        within, wobble = self.dice.within, self.dice.wobble
        still = 1 - self.dice.sometimes(n, 0.04)
        camera_x, camera_y = self._speed(n, 0.3, self.options.fastest)
        camera_zoom, camera_roll = wobble(n, 0.08, 0.3), wobble(n, 0.04, 0.2)
        zero = torch.zeros(n)
        layers = [
            Layer(
                zero + half, zero + half, within(n, 150, 300), 0.2 * within(n, -1, 1),
                camera_x, camera_y, camera_zoom, camera_roll,
                wobble(n, 0.03, 0.4), within(n, 1, 4), within(n, 0, 2 * math.pi),
            )
        ]  # fmt: skip
        chosen = self.bank.backgrounds[self.dice.pick(n, len(self.bank.backgrounds))]
        opaque = torch.ones(n, 1, *chosen.shape[-2:])
        textures = [torch.cat((chosen, opaque), dim=1)]
        for _ in range(int(self.dice.pick(1, 3))):
            layers.append(self._plane(n, layers[0]))
            bank = self.bank.sprites[-1]
            textures.append(bank[self.dice.pick(n, len(bank))])
        for _ in range(1 + int(self.dice.pick(1, self.options.most_cels))):
            kind = int(self.dice.pick(1, 7)) % 3
            layers.append(self._cel(n, TEXTURES[kind], layers[0]))
            bank = self.bank.sprites[kind]
            textures.append(bank[self.dice.pick(n, len(bank))])
        if int(self.dice.pick(1, 4)) == 0:
            layers.append(self._letters(n))
            textures.append(self.bank.letters[self.dice.pick(n, len(self.bank.letters))])
        moving = ("dx", "dy", "zoom", "roll", "bend")
        return [
            a._replace(**{name: getattr(a, name) * still for name in moving}) for a in layers
        ], textures

    def _plane(self, n: int, camera: Layer) -> Layer:
        """Scenery at another depth: the camera's motion times a factor."""
        size = float(self.options.size)
        within, wobble = self.dice.within, self.dice.wobble
        depth = within(n, 0.0, 2.5)
        return Layer(
            within(n, 0, size), within(n, 0, size), within(n, 70, 130),
            within(n, 0, 2 * math.pi), camera.dx * depth, camera.dy * depth,
            camera.zoom * depth, camera.roll,
            wobble(n, 0.05, 0.3), within(n, 1.5, 4), within(n, 0, 2 * math.pi),
        )  # fmt: skip

    def _cel(self, n: int, texture: tuple[int, float, float], camera: Layer) -> Layer:
        """A drawn object with its own motion, often on top of the camera's."""
        size = float(self.options.size)
        within, wobble = self.dice.within, self.dice.wobble
        _, small, large = texture
        scale = small * (large / small) ** self.dice.rand(n)
        # limit the speed by the size: much faster objects cannot be matched by any method
        dx, dy = self._speed(n, 0.25, (4 * scale).clamp(max=self.options.fastest))
        follows = self.dice.sometimes(n, 0.35)
        turns = self.dice.sometimes(n, 0.4)
        return Layer(
            within(n, 0, size), within(n, 0, size), scale,
            within(n, 0, 2 * math.pi), dx + camera.dx * follows, dy + camera.dy * follows,
            wobble(n, 0.1, 0.35), wobble(n, 0.2, 1.0) * turns,
            wobble(n, 0.12, 0.5), within(n, 1.5, 4), within(n, 0, 2 * math.pi),
        )  # fmt: skip

    def _letters(self, n: int) -> Layer:
        size = float(self.options.size)
        within = self.dice.within
        zero = torch.zeros(n)
        return Layer(
            within(n, 0, size), within(n, 0, size), within(n, 60, 110),
            zero, zero, zero, zero, zero, zero, zero, zero,
        )  # fmt: skip

    def _grade(self, pictures: list[Tensor], t: Tensor) -> list[Tensor]:
        """Apply colour grading, fades, grain and compression artefacts, then round to 8 bits.

        Args:
            pictures: left, middle, right; each (N, 3, S, S), [0, 1].
            t: (N,), time of the middle one.
        """
        n = len(t)
        dull = self.dice.within(n, 0, 0.8).view(n, 1, 1, 1)
        gain = self.dice.within(n, 0.6, 1.1).view(n, 1, 1, 1)
        fade = self.dice.wobble(n, 0.1, 0.15).view(n, 1, 1, 1)
        grain = (self.dice.within(n, 0, 0.012) * self.dice.sometimes(n, 0.4)).view(n, 1, 1, 1)
        moments = [t * 0, t, t * 0 + 1]
        if self.options.fades:
            pictures = self.extras.fade(pictures, moments)
        coarse = self.extras.coarseness(n) if self.options.compression else None
        graded = []
        for k, (picture, moment) in enumerate(zip(pictures, moments, strict=True)):
            grey = picture.mean(dim=1, keepdim=True)
            ramp = 1 + fade * (moment.view(n, 1, 1, 1) - 0.5)
            out = torch.lerp(picture, grey, dull) * gain * ramp
            out = out + grain * torch.randn(out.shape, generator=self.dice.generator)
            if coarse is not None and k != 1:
                out = compress(out, coarse)
            graded.append(out.mul_(255).add_(0.5).clamp_(0, 255).byte())
        return graded
