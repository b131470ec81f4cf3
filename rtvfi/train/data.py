"""Turns generated scenes and stored triplets into training and validation samples."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from rtvfi.draw.scenes import SceneBatch
from rtvfi.models.base import Planes
from rtvfi.quality.planes import rgb_to_planes, to_planes
from rtvfi.quality.triplets import read_list

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Generator, Tensor


class Sample(NamedTuple):
    """The data of one training step: N picture triples with their exact flow."""

    left: Planes
    middle: Planes
    right: Planes
    t: Tensor
    """(N,): timestep of ``middle``."""
    flow: Tensor
    """(N, 4, H/2, W/2) float32: flow from the middle to the left and to the right picture, pixels
    of the half-size picture.
    """

    def to(self, device: torch.device) -> Sample:
        """The sample on another device."""
        left, middle, right = (planes_to(p, device) for p in (self.left, self.middle, self.right))
        return Sample(left, middle, right, self.t.to(device), self.flow.to(device))


def planes_to(planes: Planes, device: torch.device) -> Planes:
    """The picture on another device."""
    return Planes(planes.y.to(device), planes.uv.to(device))


def augment(batch: SceneBatch, crop: int, g: Generator) -> SceneBatch:
    """Randomly crop, mirror, transpose, reverse in time and permute colour channels.

    The flow is transformed along and stays exact; distance indices and visibility are dropped.
    """

    def toss() -> bool:
        return bool(torch.rand((), generator=g) < 0.5)

    slack = (batch.left.shape[-1] - crop) // 2 + 1
    top, left = (2 * int(v) for v in torch.randint(0, slack, (2,), generator=g))
    pictures = [p[..., top : top + crop, left : left + crop] for p in batch[:3]]
    half = crop // 2
    flow = batch.flow[..., top // 2 : top // 2 + half, left // 2 : left // 2 + half]
    t = batch.t
    # The flow's grid has every second pixel, so mirroring shifts it by one full-size pixel; the
    # error is at most half a pixel of that grid.
    if toss():
        pictures = [p.flip(3) for p in pictures]
        flow = flow.flip(3) * flow.new_tensor([-1, 1, -1, 1]).view(1, 4, 1, 1)
    if toss():
        pictures = [p.flip(2) for p in pictures]
        flow = flow.flip(2) * flow.new_tensor([1, -1, 1, -1]).view(1, 4, 1, 1)
    if toss():
        pictures = [p.transpose(2, 3) for p in pictures]
        flow = flow.transpose(2, 3)[:, [1, 0, 3, 2]]
    if toss():
        pictures = pictures[::-1]
        flow, t = flow[:, [2, 3, 0, 1]], 1 - t
    order = torch.randperm(3, generator=g)
    pictures = [p[:, order] for p in pictures]
    return SceneBatch(pictures[0], pictures[1], pictures[2], t, flow)


class Held(NamedTuple):
    """A triplet used only for validation."""

    set_name: str
    left: Planes
    middle: Planes
    right: Planes


class Source(Protocol):
    """A source of scenes: ``Scenes`` or ``SceneWorkers``."""

    seed: int

    def batch(self, number: int, num_scenes: int) -> SceneBatch:
        """Draw batch ``number`` of ``num_scenes`` scenes, see ``Scenes.batch``."""
        ...


class Feed:
    """Provides the sample of every training step; each batch of scenes is used several times with
    different crops.

    A sample depends only on the seed and the step, so a resumed run gets exactly the same samples.

    Args:
        scenes: the source of scenes.
        num_scenes: scenes per batch.
        crop: side of the crops, pixels.
        uses: number of steps after which a new batch is drawn.
        pool: number of latest batches to keep.
    """

    def __init__(self, scenes: Source, *, num_scenes: int, crop: int, uses: int, pool: int) -> None:
        self.scenes = scenes
        self.num_scenes = num_scenes
        self.crop = crop
        self.uses = uses
        self.pool: deque[tuple[int, SceneBatch]] = deque(maxlen=pool)
        self.generator = torch.Generator()

    def sample(self, step: int) -> Sample:
        """The sample of training step ``step``."""
        newest = step // self.uses
        wanted = range(max(0, newest - (self.pool.maxlen or 1) + 1), newest + 1)
        held = dict(self.pool)
        for number in wanted:
            if number not in held:
                held[number] = self.scenes.batch(number, self.num_scenes)
                self.pool.append((number, held[number]))
        self.generator.manual_seed(self.scenes.seed * 2_000_003 + step)
        chosen = newest
        if step % self.uses:
            chosen = wanted[int(torch.randint(0, len(wanted), (), generator=self.generator))]
        batch = augment(held[chosen], self.crop, self.generator)
        left, middle, right = (rgb_to_planes(p) for p in batch[:3])
        return Sample(left, middle, right, batch.t, batch.flow.float() / 2)


def load_triplets(path: Path, root: Path | None = None) -> list[Held]:
    """Read triplets of real pictures; arguments as for ``quality.triplets.read_list``."""
    return [
        Held(
            triplet.set_name,
            to_planes(triplet.left),
            to_planes(triplet.middle),
            to_planes(triplet.right),
        )
        for triplet in read_list(path, root)
    ]
