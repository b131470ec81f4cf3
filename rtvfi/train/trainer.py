"""The training loop: resumable, and judged by pictures it does not train on."""

from __future__ import annotations

import copy
import json
import logging
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from rtvfi.models.cel import CelNet, blend, pack
from rtvfi.models.cel_shape import CelShape
from rtvfi.quality.metrics import psnr
from rtvfi.quality.planes import luma_bytes
from rtvfi.train.data import Feed, Held, Sample, rgb_to_planes
from rtvfi.train.losses import flow_error, pyramid_l1
from rtvfi.train.scenes import SceneOptions, Scenes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from rtvfi.models.base import Planes

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How long and how hard."""

    seed: int = 1
    steps: int = 20000
    warmup: int = 200
    """Steps of rising learning rate."""
    cooldown: int = 4000
    """Last steps, in which the learning rate falls to zero."""
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    flow_weight: float = 0.02
    chroma_weight: float = 0.5
    average: float = 0.999
    """Decay of the running average of the weights, which is what validation sees and what is
    kept."""
    validate_every: int = 500


@dataclass(frozen=True, kw_only=True)
class FeedOptions:
    """What one step sees."""

    num_scenes: int = 4
    crop: int = 192
    uses: int = 4
    pool: int = 24


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides the weights."""

    scenes: SceneOptions = field(default_factory=SceneOptions)
    feed: FeedOptions = field(default_factory=FeedOptions)
    train: TrainOptions = field(default_factory=TrainOptions)
    shape: CelShape = field(default_factory=CelShape)


def learning_rate(options: TrainOptions, step: int) -> float:
    """Rise, stay, fall."""
    rise = min(1.0, (step + 1) / max(1, options.warmup))
    fall = min(1.0, (options.steps - step) / max(1, options.cooldown))
    return options.learning_rate * rise * max(0.0, fall)


def estimate(net: CelNet, left: Planes, right: Planes, t: Tensor) -> list[Tensor]:
    """States of N pairs, coarse to fine; see ``CelNet.forward``."""
    n = left.y.shape[0]
    a, b = pack(left), pack(right)
    both = torch.cat((a, b)).contiguous(memory_format=torch.channels_last)
    levels = net.encode(both)
    first, second = (tuple(level[part] for level in levels) for part in (slice(n), slice(n, None)))
    states: list[Tensor] = net(first, second, (a - b).abs().mean(dim=1, keepdim=True), t)
    return states


def loss_of(net: CelNet, sample: Sample, options: TrainOptions) -> tuple[Tensor, dict[str, float]]:
    """Picture error at the two finest states and flow error at all."""
    states = estimate(net, sample.left, sample.right, sample.t)
    picture = torch.zeros(())
    for state, weight in ((states[-2], 0.5), (states[-1], 1.0)):
        if state is states[-2]:
            state = _finer(state)
        made = blend(sample.left, sample.right, state)
        picture = picture + weight * (
            pyramid_l1(made.y, sample.middle.y, 4)
            + options.chroma_weight * pyramid_l1(made.uv, sample.middle.uv, 3)
        )
    flow = sum((flow_error(state, sample.flow) for state in states), torch.zeros(()))
    parts = {"picture": float(picture.detach()), "flow": float(flow.detach())}
    return picture + options.flow_weight * flow, parts


def _finer(state: Tensor) -> Tensor:
    up = torch.nn.functional.interpolate(
        state[:, 0:5], scale_factor=2, mode="bilinear", align_corners=False
    )
    return torch.cat((up[:, 0:4] * 2, up[:, 4:5]), dim=1)


def luma_psnr(made: Planes, truth: Planes) -> float:
    """``metrics.psnr`` of 8-bit luma, at most 60 dB, averaged over pictures."""
    pairs = zip(luma_bytes(made), luma_bytes(truth), strict=True)
    values = [min(60.0, psnr(a, b)) for a, b in pairs]
    return sum(values) / len(values)


class Trainer:
    """One run in one folder: ``last.pt`` (resume), ``best.pt`` (weights), ``log.jsonl``."""

    def __init__(self, recipe: Recipe, out: Path, triplets: Sequence[Held] = ()) -> None:
        self.recipe = recipe
        self.out = out
        self.triplets = triplets
        torch.manual_seed(recipe.train.seed)
        self.net = CelNet(recipe.shape)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(),
            lr=recipe.train.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=recipe.train.weight_decay,
        )
        scenes = Scenes(recipe.scenes, recipe.train.seed)
        self.feed = Feed(scenes, **vars(recipe.feed))
        # validation scenes: same textures, numbers the feed never reaches
        held = [scenes.batch(10**9 + k, 4, t=0.5) for k in range(8)]
        self.held = [[rgb_to_planes(p) for p in batch[:3]] for batch in held]
        self.step = 0
        self.seconds = 0.0
        self.best = float("-inf")
        out.mkdir(parents=True, exist_ok=True)

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Take weights of an earlier run, with a fresh optimiser."""
        self.net.load_state_dict(weights)
        self.average.load_state_dict(weights)

    def resume(self) -> bool:
        """Go on where ``last.pt`` stopped; False where there is none."""
        path = self.out / "last.pt"
        if not path.exists():
            return False
        stored: dict[str, Any] = torch.load(path, weights_only=True)
        self.net.load_state_dict(stored["net"])
        self.average.load_state_dict(stored["average"])
        self.optimizer.load_state_dict(stored["optimizer"])
        self.step, self.seconds, self.best = stored["step"], stored["seconds"], stored["best"]
        return True

    def run(self) -> None:
        """Train up to the recipe's steps; safe to kill at any time."""
        options = self.recipe.train
        sums: dict[str, float] = {}
        count = 0
        while self.step < options.steps:
            started = time.monotonic()
            parts = self._train_step()
            self.seconds += time.monotonic() - started
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value
            count += 1
            if self.step % options.validate_every == 0 or self.step == options.steps:
                self._report({name: value / count for name, value in sums.items()})
                sums, count = {}, 0

    def _train_step(self) -> dict[str, float]:
        options = self.recipe.train
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(options, self.step)
        loss, parts = loss_of(self.net, self.feed.sample(self.step), options)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        if bool(torch.isfinite(norm)):
            self.optimizer.step()
        self.step += 1
        # young averages forget faster, or they would drag the first random weights along
        keep = min(options.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, current in zip(self.average.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(current, 1 - keep)
        return parts

    def _report(self, losses: dict[str, float]) -> None:
        scores = self.validate()
        entry = {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "rate": learning_rate(self.recipe.train, self.step),
            **{name: round(value, 4) for name, value in {**losses, **scores}.items()},
        }
        with (self.out / "log.jsonl").open("a") as stream:
            stream.write(json.dumps(entry) + "\n")
        log.info("%s", entry)
        score = scores["select"] if self.triplets else scores["held"]
        if score > self.best:
            self.best = score
            _save(self.average.state_dict(), self.out / "best.pt")
        _save(
            {
                "net": self.net.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "best": self.best,
            },
            self.out / "last.pt",
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
        t = torch.full((left.y.shape[0],), 0.5)
        return blend(left, right, estimate(self.average, left, right, t)[-1])


def _save(value: object, path: Path) -> None:
    """Write aside, then rename: a reader or a kill never meets half a file."""
    aside = path.with_suffix(".tmp")
    torch.save(value, aside)
    os.replace(aside, path)  # noqa: PTH105 - the atomic one
