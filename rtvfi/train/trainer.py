"""The training of ``cel``, validated on pictures that are not used for training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.func import functional_call

from rtvfi.core.errors import WeightsMismatch
from rtvfi.draw.scenes import Scenes
from rtvfi.models.cel.network import CelNet, blend, finer, lumas, pack
from rtvfi.models.tuning import in_layout
from rtvfi.quality.measures.metrics import psnr
from rtvfi.quality.planes import luma_bytes, rgb_to_planes
from rtvfi.train.data import Feed, Held, Sample, planes_to
from rtvfi.train.losses import flow_error, pyramid_l1
from rtvfi.train.run import TrainingRun
from rtvfi.train.workers import SceneWorkers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from rtvfi.models.base import Planes
    from rtvfi.train.folder import Checkpoint
    from rtvfi.train.recipe import Recipe, TrainOptions


def learning_rate(options: TrainOptions, step: int) -> float:
    """The learning rate of a step: linear warm-up, constant, linear cool-down."""
    rise = min(1.0, (step + 1) / max(1, options.warmup))
    fall = min(1.0, (options.steps - step) / max(1, options.cooldown))
    return options.learning_rate * rise * max(0.0, fall)


class Estimator(torch.nn.Module):
    """A module around ``estimate``, which can also run with convolutions in bfloat16."""

    def __init__(self, net: CelNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, left: Planes, right: Planes, t: Tensor) -> list[Tensor]:
        """Call ``estimate``."""
        return estimate(self.net, left, right, t)

    def lightly(self, left: Planes, right: Planes, t: Tensor) -> list[Tensor]:
        """The same with convolutions in bfloat16; the weights and their gradients stay float32.

        This does not use autocast, which would also convert means, matching and flow.
        """
        light = {name: weight.bfloat16() for name, weight in self.named_parameters()}
        states: list[Tensor] = functional_call(self, light, (left, right, t))
        return states


def estimate(net: CelNet, left: Planes, right: Planes, t: Tensor) -> list[Tensor]:
    """The network's states for N pairs, coarse to fine; see ``CelNet.forward``.

    Args:
        net: the network.
        left: N pictures.
        right: N pictures.
        t: (N,), timesteps.
    """
    n = left.y.shape[0]
    a, b = pack(left), pack(right)
    both = torch.cat((a, b)).to(net.dtype, memory_format=torch.channels_last)
    levels = net.encode(both)
    first, second = (tuple(level[part] for level in levels) for part in (slice(n), slice(n, None)))
    lights = list(zip(lumas(a, len(levels)), lumas(b, len(levels)), strict=True))
    states: list[Tensor] = net(first, second, (a - b).abs().mean(dim=1, keepdim=True), lights, t)
    return states


def loss_of(net: CelNet, sample: Sample, options: TrainOptions) -> tuple[Tensor, dict[str, float]]:
    """The loss (picture error at the two finest states, flow error at all), and its parts."""
    estimator = Estimator(net)
    run = estimator.lightly if options.precision == "bfloat16" else estimator
    states = run(sample.left, sample.right, sample.t)
    picture = torch.zeros(())
    for state, weight in ((states[-2], 0.5), (states[-1], 1.0)):
        if state is states[-2]:
            state = finer(state, *states[-1].shape[-2:])
        made = blend(sample.left, sample.right, state)
        picture = picture + weight * (
            pyramid_l1(made.y, sample.middle.y, 4)
            + options.chroma_weight * pyramid_l1(made.uv, sample.middle.uv, 3)
        )
    flow = sum((flow_error(state, sample.flow) for state in states), torch.zeros(()))
    parts = {"picture": float(picture.detach()), "flow": float(flow.detach())}
    return picture + options.flow_weight * flow, parts


def luma_psnr(made: Planes, truth: Planes) -> float:
    """Mean PSNR of 8-bit luma over pictures, dB, each at most 60."""
    pairs = zip(luma_bytes(made), luma_bytes(truth), strict=True)
    values = [min(60.0, psnr(a, b)) for a, b in pairs]
    return sum(values) / len(values)


class Trainer(TrainingRun[CelNet]):
    """A training run of ``cel``.

    Args:
        recipe: the settings.
        out: folder of the run; call ``resume`` to continue an existing run.
        triplets: real pictures for choosing the best weights.
        device: where to train; scenes are drawn on the CPU.
        num_workers: processes that draw scenes in advance. If not 0, close the trainer at the end.
    """

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        triplets: Sequence[Held] = (),
        *,
        device: torch.device | str = "cpu",
        num_workers: int = 0,
    ) -> None:
        self.recipe = recipe
        self.triplets = triplets
        self.device = torch.device(device)
        options = recipe.train
        self.num_steps = options.steps
        self.validate_every, self.checkpoint_every = (
            options.validate_every,
            options.checkpoint_every,
        )
        self.averaging = options.average
        torch.manual_seed(options.seed)
        net = CelNet(recipe.shape)
        in_layout(net.to(self.device), torch.channels_last)
        optimizer = torch.optim.AdamW(
            net.parameters(),
            lr=options.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=options.weight_decay,
        )
        super().__init__(net, optimizer, out)
        scenes = Scenes(recipe.scenes, options.seed)
        self.workers = SceneWorkers(scenes, num_workers) if num_workers else None
        self.feed = Feed(self.workers or scenes, **vars(recipe.feed))
        self.held = held_pictures(recipe, scenes)

    def close(self) -> None:
        """End the workers."""
        if self.workers:
            self.workers.close()

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Start from existing weights, with a fresh optimiser.

        Raises:
            WeightsMismatch: they belong to another network.
        """
        self._take(
            weights,
            "the initial weights do not fit the network of the recipe",
            "set [shape] in the recipe to the shape of the weights",
        )

    def check(self, stored: Checkpoint) -> None:
        """Raise WeightsMismatch if a checkpoint belongs to another network."""
        self._take(
            stored["net"],
            f'the run in "{self.folder.path}" has another network than the recipe',
            "set [shape] in the recipe to that of the run, or choose another folder with --out",
        )

    def _take(self, weights: Mapping[str, Tensor], *mismatch: str) -> None:
        """Load weights into the network and its average; ``mismatch``: the error's texts."""
        try:
            self.net.load_state_dict(weights)
            self.average.load_state_dict(weights)
        except RuntimeError as error:
            raise WeightsMismatch(*mismatch) from error

    def begin(self) -> None:
        """Store the recipe in the folder."""
        self.folder.record(self.recipe)

    def rate(self) -> float:
        """The learning rate of the next step."""
        return learning_rate(self.recipe.train, self.step)

    def losses(self) -> tuple[Tensor, dict[str, float]]:
        """The loss of the next step, and its parts by name."""
        sample = self.feed.sample(self.step).to(self.device)
        return loss_of(self.net, sample, self.recipe.train)

    @torch.no_grad()
    def scores(self) -> dict[str, float]:
        """Luma PSNR in dB of the averaged weights at t = 0.5.

        Returns:
            "held": the mean on generated scenes. If there are triplets: the mean of every set under
            its name, and "select", the mean over sets.
        """
        values = [luma_psnr(self._middle(left, right), middle) for left, middle, right in self.held]
        scores = {"held": sum(values) / len(values)}
        sets: dict[str, list[float]] = {}
        for name, left, middle, right in self.triplets:
            sets.setdefault(name, []).append(luma_psnr(self._middle(left, right), middle))
        means = {name: sum(v) / len(v) for name, v in sets.items()}
        if means:
            scores["select"] = sum(means.values()) / len(means)
        return {**scores, **means}

    def _middle(self, left: Planes, right: Planes) -> Planes:
        left, right = planes_to(left, self.device), planes_to(right, self.device)
        t = torch.full((left.y.shape[0],), 0.5, device=self.device)
        return blend(left, right, estimate(self.average, left, right, t)[-1])


def held_pictures(recipe: Recipe, scenes: Scenes) -> list[list[Planes]]:
    """Validation scenes in batches of left, middle (t = 0.5) and right pictures."""
    seed = recipe.train.held_seed
    if seed and seed != recipe.train.seed:
        few = replace(recipe.scenes, num_backgrounds=24, num_sprites=32)
        scenes = Scenes(few, seed)
    # training never reaches these batch numbers
    held = [scenes.batch(10**9 + k, 4, t=0.5) for k in range(8)]
    return [[rgb_to_planes(p) for p in batch[:3]] for batch in held]
