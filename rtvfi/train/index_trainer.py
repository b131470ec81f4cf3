"""Training a network that is told how far everything has gone, on scenes that know it.

Runs are measured in the processor time they took, so that variants can be compared, and go on where
they were stopped.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from rtvfi.core.errors import UsageError, WeightsMismatch
from rtvfi.draw.options import SceneOptions
from rtvfi.draw.scenes import Scenes
from rtvfi.models.interpany.amt import TINY, AmtNet
from rtvfi.models.interpany.ema import EmaNet
from rtvfi.models.interpany.ifrnet import IFRNet
from rtvfi.models.interpany.rife import RifeNet, RifeWidths
from rtvfi.train.descent import descend, follow
from rtvfi.train.folder import RunFolder
from rtvfi.train.index_data import VARIANTS, IndexSample, Variant, drawn, varied
from rtvfi.train.index_losses import loss_of
from rtvfi.train.trainer import LogWatch

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from rtvfi.models.interpany.parts import Network
    from rtvfi.train.trainer import Watch


@dataclass(frozen=True, slots=True)
class Rule:
    """How the authors train a network."""

    learning_rate: float
    least_rate: float
    weight_decay: float
    warmup: int
    crop: int
    batch: int


RULES: Final = {
    "rife": Rule(3e-4, 3e-6, 1e-3, 2000, 224, 16),
    "ifrnet": Rule(1e-4, 1e-5, 1e-6, 0, 224, 24),
    "amt": Rule(2e-4, 2e-5, 0.0, 0, 224, 24),
    "ema": Rule(2e-4, 2e-5, 1e-4, 2000, 256, 8),
}
"""By network. Crops are squares; batches are those of one device."""
SMALL: Final = RifeWidths((48, 32, 24), 8)
"""A RIFE that a processor trains in minutes: 0.6 million parameters instead of 10.7."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexRecipe:
    """Everything that decides the weights."""

    network: str = "rife"
    variant: Variant = "d"
    is_small: bool = False
    """A smaller network (``SMALL``); RIFE only."""
    steps: int = 300_000
    minutes: float | None = None
    """Stop after so much processor time; the rate of learning then falls with it."""
    seed: int = 1
    batch: int | None = None
    """Scenes a step; as the authors."""
    crop: int | None = None
    """Side of what is cut out of a scene, pixels; as the authors."""
    learning_rate: float | None = None
    """As the authors."""
    fastest: float = 48.0
    """Largest motion in a scene, pixels."""
    uses: int = 4
    """Steps a drawn batch is used for, each time cut out anew."""
    validate_every: int = 250

    def __post_init__(self) -> None:
        if self.network not in RULES or self.variant not in VARIANTS:
            raise UsageError(f'there is no network "{self.network}" of variant "{self.variant}"')
        if self.is_small and self.network != "rife":
            raise UsageError(f'"{self.network}" comes in one size', "--small is for rife")

    @property
    def has_reference(self) -> bool:
        """Of TR and DR."""
        return self.variant in ("tr", "dr")


def new_network(recipe: IndexRecipe) -> Network:
    """The network of a recipe, freshly made from its seed."""
    torch.manual_seed(recipe.seed)
    if recipe.network == "rife":
        return RifeNet(recipe.has_reference, SMALL if recipe.is_small else None)
    if recipe.network == "amt":
        return AmtNet(recipe.has_reference, 0.0 if recipe.variant == "t" else TINY)
    return {"ifrnet": IFRNet, "ema": EmaNet}[recipe.network](recipe.has_reference)


class IndexTrainer:
    """One run in one folder (see ``RunFolder``); ``trainer.Watch`` is told how it goes.

    Args:
        recipe: what decides the weights.
        out: the folder.
        device: where to compute; scenes are drawn on the CPU.
    """

    def __init__(self, recipe: IndexRecipe, out: Path, device: torch.device | str = "cpu") -> None:
        self.recipe = recipe
        self.rule = RULES[recipe.network]
        self.device = torch.device(device)
        self.folder = RunFolder(out)
        self.watch: Watch = LogWatch()
        self.net = new_network(recipe).to(self.device)
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), weight_decay=self.rule.weight_decay
        )
        crop = recipe.crop or self.rule.crop
        self.scenes = Scenes(scene_options(crop + 32, recipe.fastest), recipe.seed)
        self.step = 0
        self.seconds = 0.0
        self.best = float("-inf")
        self.sums: dict[str, float] = {}
        self.is_stopping = False
        self._newest: tuple[int, IndexSample] | None = None

    @property
    def num_steps(self) -> int:
        """At the end, if processor time does not end it before."""
        return self.recipe.steps

    def resume(self) -> bool:
        """Go on at the last checkpoint; False where there is none.

        Raises:
            WeightsMismatch: the run is of another network or variant.
        """
        stored = self.folder.checkpoint()
        self.folder.trim(stored["step"] if stored else 0)
        if stored is None:
            return False
        named = {key: stored["recipe"].get(key) for key in ("network", "variant", "is_small")}
        if named != {key: getattr(self.recipe, key) for key in named}:
            raise WeightsMismatch(
                f'the run in "{self.folder.path}" is of {named["network"]} {named["variant"]}',
                "name another folder with --out",
            )
        self.net.load_state_dict(stored["net"])
        self.average.load_state_dict(stored["average"])
        self.optimizer.load_state_dict(stored["optimizer"])
        self.step, self.seconds, self.best = stored["step"], stored["seconds"], stored["best"]
        return True

    def stop(self) -> None:
        """Let ``run`` keep what there is after the step in hand, and return."""
        self.is_stopping = True

    @property
    def progress(self) -> float:
        """0 at the start, 1 at the end."""
        done = self.step / max(1, self.recipe.steps)
        if self.recipe.minutes is not None:
            done = max(done, self.seconds / (60 * self.recipe.minutes))
        return min(1.0, done)

    def run(self) -> None:
        """Train to the end of the recipe; safe to kill or to suspend at any time."""
        with self.folder.locked():
            while self.progress < 1 and not self.is_stopping:
                started = time.process_time()
                losses = self._train_step()
                # time spent suspended or waiting for other programs does not count
                self.seconds += time.process_time() - started
                for name, value in {**losses, "count": 1}.items():
                    self.sums[name] = self.sums.get(name, 0.0) + value
                self.watch.step(self.step, losses)
                if self.step % self.recipe.validate_every == 0 or self.progress >= 1:
                    self._report()
                    self._keep()
            if self.is_stopping:
                self._keep()

    def _sample(self) -> IndexSample:
        number = self.step // self.recipe.uses
        if self._newest is None or self._newest[0] != number:
            whole = drawn(
                self.scenes,
                number,
                self.recipe.batch or self.rule.batch,
                has_reference=self.recipe.has_reference,
                is_small=(self.recipe.network, self.recipe.variant) == ("rife", "d"),
            )
            self._newest = (number, whole)
        g = torch.Generator().manual_seed(self.recipe.seed * 2_000_003 + self.step)
        return varied(self._newest[1], self.recipe.crop or self.rule.crop, g)

    def _train_step(self) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        sample = self._sample()
        index, reference = sample.shown(self.recipe.variant)
        img0, img1, truth, index = (
            part.to(self.device) for part in (sample.img0, sample.img1, sample.truth, index)
        )
        if reference is not None:
            reference = type(reference)(*(part.to(self.device) for part in reference))
        self.net.train()
        loss, parts = loss_of(self.net, self.net.encode(img0, img1), index, reference, truth)
        descend(self.net, self.optimizer, loss)
        self.step += 1
        follow(self.average, self.net, self.step, 0.999)
        return parts

    def _rate(self) -> float:
        most = self.recipe.learning_rate or self.rule.learning_rate
        least = most * self.rule.least_rate / self.rule.learning_rate
        # a short run cannot afford a long rise
        warmup = min(self.rule.warmup, 100 if self.recipe.minutes is not None else 10**9)
        if self.step < warmup:
            return most * (self.step + 1) / warmup
        return least + (most - least) * (1 + math.cos(math.pi * self.progress)) / 2

    def _report(self) -> None:
        count = self.sums.pop("count", 1.0)
        losses = {name: value / count for name, value in self.sums.items()}
        self.sums = {}
        score = self.validate()
        entry = {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "rate": self._rate(),
            **{name: round(value, 4) for name, value in {**losses, "held": score}.items()},
        }
        self.folder.append(entry)
        self.watch.report(entry)
        if score > self.best:
            self.best = score
            self.folder.save_best(self.average.state_dict())

    def _keep(self) -> None:
        self.folder.save_checkpoint(
            {
                "recipe": asdict(self.recipe),
                "net": self.net.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "best": self.best,
            }
        )

    @torch.no_grad()
    def validate(self) -> float:
        """PSNR in dB of the averaged weights, told as in training, on scenes never trained on."""
        scores = []
        for number in range(3):
            sample = drawn(
                self.scenes,
                10**9 + number,
                4,
                has_reference=self.recipe.has_reference,
                is_small=(self.recipe.network, self.recipe.variant) == ("rife", "d"),
            )
            index, reference = sample.shown(self.recipe.variant)
            crop = self.recipe.crop or self.rule.crop
            cut = (slice(None), slice(None), slice(16, 16 + crop), slice(16, 16 + crop))
            if reference is not None:
                reference = type(reference)(*(part[cut].to(self.device) for part in reference))
            img0, img1, truth, index = (
                part[cut].to(self.device)
                for part in (sample.img0, sample.img1, sample.truth, index)
            )
            made = self.average.decode(self.average.encode(img0, img1), index, reference).picture
            scores.append(_psnr(made, truth))
        return sum(scores) / len(scores)


def scene_options(size: int, fastest: float) -> SceneOptions:
    """Scenes whose objects are early or late, with the truth of everything."""
    return SceneOptions(
        size=size, fastest=fastest, slowest=0.5, easing=1.0, camera_easing=1.0, truth=True
    )


def _psnr(made: Tensor, truth: Tensor) -> float:
    error: Any = (made - truth).square().mean((1, 2, 3)).clamp(min=1e-6)
    return float((-10 * error.log10()).mean())
