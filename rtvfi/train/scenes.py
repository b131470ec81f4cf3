"""Moving cel scenes with the exact motion, made from random numbers alone.

A scene is a stack of layers under one camera: a painted background, planes of leaf work or scenery
at other depths, cels of every size with their own motion, and at times lettering that stands still
on top. A layer maps the picture to its texture by a similarity and a shear-like bend whose inverse
is known in closed form, so the motion of every pixel between any two times is exact.

Motion sizes are log-uniform from a quarter pixel to ``SceneOptions.fastest``, with a fair share of
rest: a network trained on large motion alone tears up what hardly moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812

from rtvfi.train.layers import Layer, exact_flow, render
from rtvfi.train.sprites import lettering, sprite
from rtvfi.train.textures import background

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class SceneOptions:
    """What scenes look like."""

    size: int = 224
    """Side of the square picture, pixels; even."""
    fastest: float = 64.0
    """Largest motion between both ends, pixels."""
    slowest: float = 0.25
    """Smallest motion of what moves at all, pixels."""
    most_cels: int = 8
    """Largest number of cels in one scene."""
    num_backgrounds: int = 96
    num_sprites: int = 160
    """Sprites of each texture size."""


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
    """(N, 4, S/2, S/2) float16: where each second pixel of ``middle`` is in ``left`` (x, y) and in
    ``right`` (x, y), relative, full-size pixels."""


TEXTURES = ((32, 4.0, 18.0), (72, 14.0, 42.0), (160, 36.0, 100.0))
"""Sprite texture sides and the half sides on screen (pixels) they serve, near one texel per pixel:
a texture shrunk further would alias, and aliasing does not move with the object."""


class Bank(NamedTuple):
    """Textures drawn once and used in every scene."""

    backgrounds: Tensor
    """(n, 3, T, T)."""
    sprites: tuple[Tensor, ...]
    """Per entry of TEXTURES: (n, 4, T, T)."""
    letters: Tensor
    """(n, 4, 160, 160)."""


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
    )


class Scenes:
    """An endless row of scene batches; a batch depends on the seed and its number alone."""

    def __init__(self, options: SceneOptions, seed: int, bank: Bank | None = None) -> None:
        self.options = options
        self.seed = seed
        self.bank = bank or make_bank(options, seed)
        self.generator = torch.Generator()

    def batch(self, number: int, num_scenes: int, t: float | None = None) -> SceneBatch:
        """Batch ``number`` of ``num_scenes`` scenes, at random times in 0.05 to 0.95 or at
        ``t``."""
        self.generator.manual_seed(self.seed * 1_000_003 + number)
        times = 0.05 + 0.9 * self._rand(num_scenes) if t is None else torch.full((num_scenes,), t)
        layers, textures = self._compose(num_scenes)
        size = self.options.size
        left, _, _ = render(layers, textures, torch.zeros(num_scenes), size)
        right, _, _ = render(layers, textures, torch.ones(num_scenes), size)
        middle, owner, place = render(layers, textures, times, size)
        flow = exact_flow(layers, owner[:, ::2, ::2], place[:, ::2, ::2], times)
        pictures = self._grade(left, middle, right, times)
        return SceneBatch(*pictures, times, flow.half())

    def _rand(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator)

    def _within(self, n: int, low: float, high: float) -> Tensor:
        return low + (high - low) * self._rand(n)

    def _sometimes(self, n: int, chance: float) -> Tensor:
        return (self._rand(n) < chance).float()

    def _pick(self, n: int, num_choices: int) -> Tensor:
        return torch.randint(0, num_choices, (n,), generator=self.generator)

    def _speed(self, n: int, rest: float, fastest: Tensor | float) -> tuple[Tensor, Tensor]:
        low = math.log(self.options.slowest)
        high = torch.log(torch.as_tensor(fastest).clamp(min=1.0))
        size = torch.exp(low + self._rand(n) * (high - low)) * (1 - self._sometimes(n, rest))
        angle = self._within(n, 0, 2 * math.pi)
        # pans are mostly level or upright
        square = self._sometimes(n, 0.3)
        angle = torch.lerp(angle, torch.round(angle / (math.pi / 2)) * (math.pi / 2), square)
        return size * torch.cos(angle), size * torch.sin(angle)

    def _compose(self, n: int) -> tuple[list[Layer], list[Tensor]]:
        half = self.options.size / 2
        still = 1 - self._sometimes(n, 0.04)
        camera_x, camera_y = self._speed(n, 0.3, self.options.fastest)
        camera_zoom = 0.08 * torch.randn(n, generator=self.generator) * self._sometimes(n, 0.3)
        camera_roll = 0.04 * torch.randn(n, generator=self.generator) * self._sometimes(n, 0.2)
        zero = torch.zeros(n)
        layers = [
            Layer(
                zero + half, zero + half, self._within(n, 150, 300), 0.2 * self._within(n, -1, 1),
                camera_x, camera_y, camera_zoom, camera_roll,
                self._wobble(n, 0.03, 0.4), self._within(n, 1, 4), self._within(n, 0, 2 * math.pi),
            )
        ]  # fmt: skip
        chosen = self.bank.backgrounds[self._pick(n, len(self.bank.backgrounds))]
        opaque = torch.ones(n, 1, *chosen.shape[-2:])
        textures = [torch.cat((chosen, opaque), dim=1)]
        for _ in range(int(self._pick(1, 3))):
            layers.append(self._plane(n, layers[0]))
            bank = self.bank.sprites[-1]
            textures.append(bank[self._pick(n, len(bank))])
        for _ in range(1 + int(self._pick(1, self.options.most_cels))):
            kind = int(self._pick(1, 7)) % 3
            layers.append(self._cel(n, TEXTURES[kind], layers[0]))
            bank = self.bank.sprites[kind]
            textures.append(bank[self._pick(n, len(bank))])
        if int(self._pick(1, 4)) == 0:
            layers.append(self._letters(n))
            textures.append(self.bank.letters[self._pick(n, len(self.bank.letters))])
        moving = ("dx", "dy", "zoom", "roll", "bend")
        return [
            a._replace(**{name: getattr(a, name) * still for name in moving}) for a in layers
        ], textures

    def _plane(self, n: int, camera: Layer) -> Layer:
        """Scenery at another depth: the camera's motion times a factor."""
        size = float(self.options.size)
        depth = self._within(n, 0.0, 2.5)
        return Layer(
            self._within(n, 0, size), self._within(n, 0, size), self._within(n, 70, 130),
            self._within(n, 0, 2 * math.pi), camera.dx * depth, camera.dy * depth,
            camera.zoom * depth, camera.roll,
            self._wobble(n, 0.05, 0.3), self._within(n, 1.5, 4), self._within(n, 0, 2 * math.pi),
        )  # fmt: skip

    def _cel(self, n: int, texture: tuple[int, float, float], camera: Layer) -> Layer:
        """A drawn object with its own motion, often on top of the camera's."""
        size = float(self.options.size)
        _, small, large = texture
        scale = small * (large / small) ** self._rand(n)
        # what is far quicker than its own size cannot be followed by anybody
        dx, dy = self._speed(n, 0.25, (4 * scale).clamp(max=self.options.fastest))
        follows = self._sometimes(n, 0.35)
        turns = self._sometimes(n, 0.4)
        return Layer(
            self._within(n, 0, size), self._within(n, 0, size), scale,
            self._within(n, 0, 2 * math.pi), dx + camera.dx * follows, dy + camera.dy * follows,
            self._wobble(n, 0.1, 0.35), self._wobble(n, 0.2, 1.0) * turns,
            self._wobble(n, 0.12, 0.5), self._within(n, 1.5, 4), self._within(n, 0, 2 * math.pi),
        )  # fmt: skip

    def _letters(self, n: int) -> Layer:
        size = float(self.options.size)
        zero = torch.zeros(n)
        return Layer(
            self._within(n, 0, size), self._within(n, 0, size), self._within(n, 60, 110),
            zero, zero, zero, zero, zero, zero, zero, zero,
        )  # fmt: skip

    def _wobble(self, n: int, size: float, chance: float) -> Tensor:
        return size * torch.randn(n, generator=self.generator) * self._sometimes(n, chance)

    def _grade(
        self, left: Tensor, middle: Tensor, right: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Colour depth, fades and the grain of compression, then rounding to bytes."""
        n = left.shape[0]
        dull = self._within(n, 0, 0.8).view(n, 1, 1, 1)
        gain = self._within(n, 0.6, 1.1).view(n, 1, 1, 1)
        fade = (self._wobble(n, 0.1, 0.15)).view(n, 1, 1, 1)
        grain = (self._within(n, 0, 0.012) * self._sometimes(n, 0.4)).view(n, 1, 1, 1)
        t = t.view(n, 1, 1, 1)
        graded = []
        for picture, moment in ((left, t * 0), (middle, t), (right, t * 0 + 1)):
            grey = picture.mean(dim=1, keepdim=True)
            out = torch.lerp(picture, grey, dull) * gain * (1 + fade * (moment - 0.5))
            out = out + grain * torch.randn(out.shape, generator=self.generator)
            graded.append(out.mul_(255).add_(0.5).clamp_(0, 255).byte())
        return graded[0], graded[1], graded[2]
