"""The training loop: resumable, and judged by pictures it does not train on."""

from __future__ import annotations

import copy
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.func import functional_call

from rtvfi.core.errors import WeightsMismatch
from rtvfi.draw.scenes import Scenes
from rtvfi.models.cel.network import CelNet, blend, finer, lumas, pack
from rtvfi.quality.measures.metrics import psnr
from rtvfi.quality.planes import luma_bytes, rgb_to_planes
from rtvfi.train.data import Feed, Held, Sample, planes_to
from rtvfi.train.descent import descend, follow
from rtvfi.train.folder import RunFolder
from rtvfi.train.losses import flow_error, pyramid_l1
from rtvfi.train.workers import SceneWorkers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from rtvfi.models.base import Planes
    from rtvfi.train.recipe import Recipe, TrainOptions

log = logging.getLogger(__name__)


def learning_rate(options: TrainOptions, step: int) -> float:
    """Rise, stay, fall."""
    rise = min(1.0, (step + 1) / max(1, options.warmup))
    fall = min(1.0, (options.steps - step) / max(1, options.cooldown))
    return options.learning_rate * rise * max(0.0, fall)


class Estimator(torch.nn.Module):
    """States of N pairs, coarse to fine; see ``CelNet.forward``."""

    def __init__(self, net: CelNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, left: Planes, right: Planes, t: Tensor) -> list[Tensor]:
        """N pairs and their timesteps (N,)."""
        return estimate(self.net, left, right, t)

    def lightly(self, left: Planes, right: Planes, t: Tensor) -> list[Tensor]:
        """The same with convolutions in bfloat16; gradients arrive at the weights as they are.

        Not by autocast, which would also take the means, the matching and the flow for
        convolutions.
        """
        light = {name: weight.bfloat16() for name, weight in self.named_parameters()}
        states: list[Tensor] = functional_call(self, light, (left, right, t))
        return states


def estimate(net: CelNet, left: Planes, right: Planes, t: Tensor) -> list[Tensor]:
    """States of N pairs, coarse to fine; see ``CelNet.forward``."""
    n = left.y.shape[0]
    a, b = pack(left), pack(right)
    both = torch.cat((a, b)).to(net.dtype, memory_format=torch.channels_last)
    levels = net.encode(both)
    first, second = (tuple(level[part] for level in levels) for part in (slice(n), slice(n, None)))
    lights = list(zip(lumas(a, len(levels)), lumas(b, len(levels)), strict=True))
    states: list[Tensor] = net(first, second, (a - b).abs().mean(dim=1, keepdim=True), lights, t)
    return states


def loss_of(net: CelNet, sample: Sample, options: TrainOptions) -> tuple[Tensor, dict[str, float]]:
    """Picture error at the two finest states and flow error at all."""
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
    """``metrics.psnr`` of 8-bit luma, at most 60 dB, averaged over pictures."""
    pairs = zip(luma_bytes(made), luma_bytes(truth), strict=True)
    values = [min(60.0, psnr(a, b)) for a, b in pairs]
    return sum(values) / len(values)


class Watch(Protocol):
    """Is told how a run goes."""

    def step(self, step: int, losses: Mapping[str, float]) -> None:
        """``step`` steps are done; the losses are those of the last."""
        ...

    def report(self, entry: Mapping[str, Any]) -> None:
        """A validation; ``entry`` as in ``log.jsonl``."""
        ...


class LogWatch:
    """Validations into the program's log."""

    def step(self, step: int, losses: Mapping[str, float]) -> None:
        """See ``Watch``."""

    def report(self, entry: Mapping[str, Any]) -> None:
        """See ``Watch``."""
        log.info("%s", dict(entry))


class Trainer:
    """One run in one folder (see ``RunFolder``).

    Args:
        recipe: what decides the weights.
        out: the folder; a run that is already there goes on after ``resume``.
        triplets: real pictures that choose the weights.
        device: where to compute; scenes are drawn on the CPU.
        num_workers: processes that draw scenes ahead, 0: none. Close the trainer then.
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
        self.folder = RunFolder(out)
        self.triplets = triplets
        self.device = torch.device(device)
        self.watch: Watch = LogWatch()
        torch.manual_seed(recipe.train.seed)
        self.net = CelNet(recipe.shape)
        self.net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(),
            lr=recipe.train.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=recipe.train.weight_decay,
        )
        scenes = Scenes(recipe.scenes, recipe.train.seed)
        self.workers = SceneWorkers(scenes, num_workers) if num_workers else None
        self.feed = Feed(self.workers or scenes, **vars(recipe.feed))
        self.held = held_pictures(recipe, scenes)
        self.step = 0
        self.seconds = 0.0
        self.best = float("-inf")
        self.sums: dict[str, float] = {}
        self.is_stopping = False

    @property
    def num_steps(self) -> int:
        """At the end."""
        return self.recipe.train.steps

    def close(self) -> None:
        """End the workers."""
        if self.workers:
            self.workers.close()

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Take weights of an earlier run, with a fresh optimiser.

        Raises:
            WeightsMismatch: they are of another network.
        """
        try:
            self.net.load_state_dict(weights)
            self.average.load_state_dict(weights)
        except RuntimeError as error:
            raise WeightsMismatch(
                "the weights to start from do not fit the network of the recipe",
                "give the recipe the [shape] that they have",
            ) from error

    def resume(self) -> bool:
        """Go on at the last checkpoint; False where there is none.

        Raises:
            WeightsMismatch: it is of another network.
        """
        stored = self.folder.checkpoint()
        if stored is not None:
            try:
                self.net.load_state_dict(stored["net"])
                self.average.load_state_dict(stored["average"])
            except RuntimeError as error:
                raise WeightsMismatch(
                    f'the run in "{self.folder.path}" is of another network than the recipe\'s',
                    "give the recipe the [shape] it has, or name another folder with --out",
                ) from error
        self.folder.trim(stored["step"] if stored else 0)
        if stored is None:
            return False
        self.optimizer.load_state_dict(stored["optimizer"])
        self.step, self.seconds, self.best = stored["step"], stored["seconds"], stored["best"]
        self.sums = stored.get("sums", {})
        return True

    def stop(self) -> None:
        """Let ``run`` keep what there is after the step in hand, and return."""
        self.is_stopping = True

    def run(self) -> None:
        """Train up to the recipe's steps; safe to kill at any time."""
        options = self.recipe.train
        with self.folder.locked():
            self.folder.record(self.recipe)
            while self.step < options.steps and not self.is_stopping:
                started = time.monotonic()
                losses = self._train_step()
                self.seconds += time.monotonic() - started
                for name, value in {**losses, "count": 1}.items():
                    self.sums[name] = self.sums.get(name, 0.0) + value
                self.watch.step(self.step, losses)
                if self.step % options.validate_every == 0 or self.step == options.steps:
                    self._report()
                    self._keep()
                elif options.checkpoint_every and self.step % options.checkpoint_every == 0:
                    self._keep()
            if self.is_stopping:
                self._keep()

    def _train_step(self) -> dict[str, float]:
        options = self.recipe.train
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(options, self.step)
        sample = self.feed.sample(self.step).to(self.device)
        loss, parts = loss_of(self.net, sample, options)
        descend(self.net, self.optimizer, loss)
        self.step += 1
        follow(self.average, self.net, self.step, options.average)
        return parts

    def _report(self) -> None:
        count = self.sums.pop("count", 1.0)
        losses = {name: value / count for name, value in self.sums.items()}
        self.sums = {}
        scores = self.validate()
        entry = {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "rate": learning_rate(self.recipe.train, self.step),
            **{name: round(value, 4) for name, value in {**losses, **scores}.items()},
        }
        self.folder.append(entry)
        self.watch.report(entry)
        score = scores["select"] if self.triplets else scores["held"]
        if score > self.best:
            self.best = score
            self.folder.save_best(self.average.state_dict())

    def _keep(self) -> None:
        self.folder.save_checkpoint(
            {
                "net": self.net.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "best": self.best,
                "sums": self.sums,
            }
        )

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Luma PSNR at t = 0.5 of the averaged weights.

        Returns:
            "held" on generated scenes; per set of triplets its mean under the set's name, and
            "select", the mean of the sets.
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
    """Left, middle (t = 0.5) and right of scenes that are never trained on, in batches."""
    seed = recipe.train.held_seed
    if seed and seed != recipe.train.seed:
        few = replace(recipe.scenes, num_backgrounds=24, num_sprites=32)
        scenes = Scenes(few, seed)
    # the feed never reaches these numbers
    held = [scenes.batch(10**9 + k, 4, t=0.5) for k in range(8)]
    return [[rgb_to_planes(p) for p in batch[:3]] for batch in held]
