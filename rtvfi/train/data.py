"""From generated scenes and stored triplets to training and validation pictures."""

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
    """A batch ready for a training step."""

    left: Planes
    middle: Planes
    right: Planes
    t: Tensor
    """(N,)."""
    flow: Tensor
    """(N, 4, H/2, W/2) float32, pixels of the half-size picture."""

    def to(self, device: torch.device) -> Sample:
        """The same there."""
        left, middle, right = (planes_to(p, device) for p in (self.left, self.middle, self.right))
        return Sample(left, middle, right, self.t.to(device), self.flow.to(device))


def planes_to(planes: Planes, device: torch.device) -> Planes:
    """The same picture there."""
    return Planes(planes.y.to(device), planes.uv.to(device))


def augment(batch: SceneBatch, crop: int, g: Generator) -> SceneBatch:
    """Crop, mirror, transpose, reverse time and permute colours; the flow stays exact.

    Distance indices and visibility are left out.
    """

    def toss() -> bool:
        return bool(torch.rand((), generator=g) < 0.5)

    slack = (batch.left.shape[-1] - crop) // 2 + 1
    top, left = (2 * int(v) for v in torch.randint(0, slack, (2,), generator=g))
    pictures = [p[..., top : top + crop, left : left + crop] for p in batch[:3]]
    half = crop // 2
    flow = batch.flow[..., top // 2 : top // 2 + half, left // 2 : left // 2 + half]
    t = batch.t
    # A mirrored flow fetches from the mirrored pixel: exact for pixel pairs up to half a pixel of
    # its grid.
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
    """A triplet that is never trained on."""

    set_name: str
    left: Planes
    middle: Planes
    right: Planes


class Source(Protocol):
    """What draws scenes: ``Scenes`` or ``SceneWorkers``."""

    seed: int

    def batch(self, number: int, num_scenes: int) -> SceneBatch:
        """See ``Scenes.batch``."""
        ...


class Feed:
    """The sample of every training step; each scene batch is used several times, cropped
    differently.

    What a step gets depends on the seed and the step alone, so a resumed run goes on exactly.
    """

    def __init__(self, scenes: Source, *, num_scenes: int, crop: int, uses: int, pool: int) -> None:
        self.scenes = scenes
        self.num_scenes = num_scenes
        self.crop = crop
        self.uses = uses
        self.pool: deque[tuple[int, SceneBatch]] = deque(maxlen=pool)
        self.generator = torch.Generator()

    def sample(self, step: int) -> Sample:
        """The batch of training step ``step``."""
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
    """Real triplets to judge by; ``path`` and ``root`` as for ``quality.triplets.read_list``."""
    return [
        Held(
            triplet.set_name,
            to_planes(triplet.left),
            to_planes(triplet.middle),
            to_planes(triplet.right),
        )
        for triplet in read_list(path, root)
    ]
