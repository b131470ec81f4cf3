"""Trains networks with a distance index, on drawn scenes or septuplets.

The length of a run is measured in CPU time, so that variants can be compared. Runs can be resumed.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from rtvfi.core.errors import UsageError, WeightsMismatch
from rtvfi.draw.options import SceneOptions
from rtvfi.draw.scenes import Scenes
from rtvfi.models.interpany.amt import TINY, AmtNet
from rtvfi.models.interpany.ema import EmaNet
from rtvfi.models.interpany.ifrnet import IFRNet
from rtvfi.models.interpany.parts import Reference
from rtvfi.models.interpany.rife import RifeNet, RifeWidths
from rtvfi.models.interpany.rows import VARIANTS, Variant, has_reference
from rtvfi.train.index.data import IndexSample, drawn, is_softened_small, varied
from rtvfi.train.index.losses import loss_of, lpips_loss
from rtvfi.train.index.septuplets import Septuplets
from rtvfi.train.run import TrainingRun

if TYPE_CHECKING:
    from types import EllipsisType

    from torch import Tensor

    from rtvfi.models.interpany.parts import Network
    from rtvfi.train.folder import Checkpoint


class Rule(NamedTuple):
    """The hyperparameters with which the authors train a network."""

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
"""The rule of each network. Crops are squares; batch sizes are per device."""
SMALL: Final = RifeWidths((48, 32, 24), 8)
"""A RIFE that can be trained on a CPU in minutes: 0.6 million parameters instead of 10.7."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexRecipe:
    """All settings that affect the weights."""

    network: str = "rife"
    variant: Variant = "d"
    is_small: bool = False
    """A smaller network (``SMALL``); RIFE only."""
    steps: int = 300_000
    minutes: float | None = None
    """Stop after this much CPU time; the learning rate is scheduled accordingly."""
    seed: int = 1
    batch: int | None = None
    """Scenes per step; None = as the authors."""
    crop: int | None = None
    """Side of the crops, pixels; None = as the authors."""
    learning_rate: float | None = None
    """None: the value of the authors."""
    fastest: float = 48.0
    """Largest motion in a scene, pixels."""
    uses: int = 4
    """For how many steps a drawn batch is used, each time with other crops."""
    validate_every: int = 250
    """Steps between validations."""
    septuplets: str = ""
    """A folder of septuplets to use instead of drawn scenes."""
    lpips: float = 0.0
    """Weight of ``lpips_loss``, added to the authors' losses; 0 = off."""

    def __post_init__(self) -> None:
        if self.network not in RULES or self.variant not in VARIANTS:
            raise UsageError(f'there is no network "{self.network}" of variant "{self.variant}"')
        if not 0 <= self.lpips < math.inf:
            raise UsageError(f'--lpips is "{self.lpips:g}", expected a weight of 0 or more')
        if self.is_small and self.network != "rife":
            raise UsageError(f'"{self.network}" has only one size', "--small is for rife")

    @property
    def has_reference(self) -> bool:
        """Whether the network takes a reference picture (TR and DR)."""
        return has_reference(self.variant)


def new_network(recipe: IndexRecipe) -> Network:
    """The network of a recipe, initialised with the recipe's seed."""
    torch.manual_seed(recipe.seed)
    if recipe.network == "rife":
        return RifeNet(recipe.has_reference, SMALL if recipe.is_small else None)
    if recipe.network == "amt":
        return AmtNet(recipe.has_reference, 0.0 if recipe.variant == "t" else TINY)
    return {"ifrnet": IFRNet, "ema": EmaNet}[recipe.network](recipe.has_reference)


class IndexTrainer(TrainingRun["Network"]):
    """A ``TrainingRun`` whose length is measured in CPU time, so that time spent suspended or
    waiting for other programs does not count.

    Args:
        recipe: the settings.
        out: folder of the run.
        device: where to train; scenes are drawn on the CPU.
    """

    clock = staticmethod(time.process_time)

    def __init__(self, recipe: IndexRecipe, out: Path, device: torch.device | str = "cpu") -> None:
        self.recipe = recipe
        self.rule = RULES[recipe.network]
        self.num_steps, self.validate_every = recipe.steps, recipe.validate_every
        self.device = torch.device(device)
        net = new_network(recipe).to(self.device)
        self._perceptual = lpips_loss(recipe.lpips, self.device) if recipe.lpips else None
        optimizer = torch.optim.AdamW(net.parameters(), weight_decay=self.rule.weight_decay)
        super().__init__(net, optimizer, out)
        crop = recipe.crop or self.rule.crop
        self._is_small_index = is_softened_small(recipe.network, recipe.variant)
        if recipe.septuplets:
            self._films = Septuplets(Path(recipe.septuplets), recipe.seed)
        else:
            self.scenes = Scenes(scene_options(crop + 32, recipe.fastest), recipe.seed)
        self._newest: tuple[int, IndexSample] | None = None

    def check(self, stored: Checkpoint) -> None:
        """Raise WeightsMismatch if a checkpoint has another network or loss."""
        named = {key: stored["recipe"].get(key) for key in ("network", "variant", "is_small")}
        if named != {key: getattr(self.recipe, key) for key in named}:
            raise WeightsMismatch(
                f'the run in "{self.folder.path}" trains {named["network"]} {named["variant"]}',
                "choose another folder with --out",
            )
        weight = stored["recipe"].get("lpips", 0.0)
        if weight != self.recipe.lpips:
            raise WeightsMismatch(
                f'the run in "{self.folder.path}" is trained with --lpips {weight:g}, '
                f"not {self.recipe.lpips:g}",
                f"use --lpips {weight:g}, or choose another folder with --out",
            )

    def described(self) -> dict[str, object]:
        """What a checkpoint stores besides the state of the training: the recipe."""
        return {"recipe": asdict(self.recipe)}

    @property
    def progress(self) -> float:
        """The progress by steps or CPU time, 0 at the start, 1 at the end."""
        done = self.step / max(1, self.recipe.steps)
        if self.recipe.minutes is not None:
            done = max(done, self.seconds / (60 * self.recipe.minutes))
        return min(1.0, done)

    @property
    def is_done(self) -> bool:
        """Whether the steps or the CPU time of the recipe are used up."""
        return self.progress >= 1

    def _sample(self) -> IndexSample:
        number = self.step // self.recipe.uses
        if self._newest is None or self._newest[0] != number:
            self._newest = (number, self._whole(number, self.recipe.batch or self.rule.batch))
        g = torch.Generator().manual_seed(self.recipe.seed * 2_000_003 + self.step)
        return varied(self._newest[1], self.recipe.crop or self.rule.crop, g)

    def _whole(self, number: int, num: int, *, is_held: bool = False) -> IndexSample:
        """Sample ``number``, uncropped; ``is_held``: from the validation data."""
        told = {
            "has_reference": self.recipe.has_reference,
            "is_small": self._is_small_index,
        }
        if self.recipe.septuplets:
            return self._films.sample(number, num, is_held=is_held, **told)
        return drawn(self.scenes, number + (10**9 if is_held else 0), num, **told)

    def _inputs(
        self, sample: IndexSample, cut: EllipsisType | tuple[EllipsisType, slice, slice] = ...
    ) -> tuple[tuple[Tensor, ...], Reference | None]:
        """The tensors (img0, img1, truth, index) and the reference, if the network takes one, of a
        sample, cropped with ``cut`` and on the device.
        """
        index, reference = sample.shown(self.recipe.variant)
        if reference is not None:
            reference = Reference(*(part[cut].to(self.device) for part in reference))
        parts = sample.img0, sample.img1, sample.truth, index
        return tuple(part[cut].to(self.device) for part in parts), reference

    def losses(self) -> tuple[Tensor, dict[str, float]]:
        """The loss of the next step, and its parts by name."""
        (img0, img1, truth, index), reference = self._inputs(self._sample())
        self.net.train()
        shared = self.net.encode(img0, img1)
        return loss_of(self.net, shared, index, reference, truth, self._perceptual)

    def rate(self) -> float:
        """The learning rate of the next step."""
        most = self.recipe.learning_rate or self.rule.learning_rate
        least = most * self.rule.least_rate / self.rule.learning_rate
        # a short run cannot afford a long warm-up
        warmup = min(self.rule.warmup, 100 if self.recipe.minutes is not None else 10**9)
        if self.step < warmup:
            return most * (self.step + 1) / warmup
        return least + (most - least) * (1 + math.cos(math.pi * self.progress)) / 2

    @torch.no_grad()
    def scores(self) -> dict[str, float]:
        """PSNR in dB of the averaged weights on validation data, with the index as in training."""
        scores = []
        for number in range(3):
            sample = self._whole(number, 4, is_held=True)
            crop = self.recipe.crop or self.rule.crop
            top, left = ((n - crop) // 2 for n in sample.img0.shape[-2:])
            cut = (..., slice(top, top + crop), slice(left, left + crop))
            (img0, img1, truth, index), reference = self._inputs(sample, cut)
            made = self.average.decode(self.average.encode(img0, img1), index, reference).picture
            scores.append(_psnr(made, truth))
        return {"held": sum(scores) / len(scores)}


def scene_options(size: int, fastest: float) -> SceneOptions:
    """Options of scenes with accelerating objects, drawn with their distance indices."""
    return SceneOptions(
        size=size, fastest=fastest, slowest=0.5, easing=1.0, camera_easing=1.0, truth=True
    )


def _psnr(made: Tensor, truth: Tensor) -> float:
    error = (made - truth).square().mean((1, 2, 3)).clamp(min=1e-6)
    return float((-10 * error.log10()).mean())
