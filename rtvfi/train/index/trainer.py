"""Training a network that is told how far everything has gone, on scenes that know it.

Runs are measured in the processor time they took, so that variants can be compared, and go on where
they were stopped.
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
    septuplets: str = ""
    """A folder of them in place of drawn scenes."""
    lpips: float = 0.0
    """Weight of ``lpips_loss`` beside the authors' losses; 0: without."""

    def __post_init__(self) -> None:
        if self.network not in RULES or self.variant not in VARIANTS:
            raise UsageError(f'there is no network "{self.network}" of variant "{self.variant}"')
        if not 0 <= self.lpips < math.inf:
            raise UsageError(f'--lpips is "{self.lpips:g}", expected a weight of 0 or more')
        if self.is_small and self.network != "rife":
            raise UsageError(f'"{self.network}" comes in one size', "--small is for rife")

    @property
    def has_reference(self) -> bool:
        """Of TR and DR."""
        return has_reference(self.variant)


def new_network(recipe: IndexRecipe) -> Network:
    """The network of a recipe, freshly made from its seed."""
    torch.manual_seed(recipe.seed)
    if recipe.network == "rife":
        return RifeNet(recipe.has_reference, SMALL if recipe.is_small else None)
    if recipe.network == "amt":
        return AmtNet(recipe.has_reference, 0.0 if recipe.variant == "t" else TINY)
    return {"ifrnet": IFRNet, "ema": EmaNet}[recipe.network](recipe.has_reference)


class IndexTrainer(TrainingRun["Network"]):
    """A run (see ``TrainingRun``) measured in processor time: time spent suspended
    or waiting for other programs does not count.

    Args:
        recipe: what decides the weights.
        out: the folder.
        device: where to compute; scenes are drawn on the CPU.
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
        """Raise WeightsMismatch where a checkpoint is of another network or loss."""
        named = {key: stored["recipe"].get(key) for key in ("network", "variant", "is_small")}
        if named != {key: getattr(self.recipe, key) for key in named}:
            raise WeightsMismatch(
                f'the run in "{self.folder.path}" is of {named["network"]} {named["variant"]}',
                "name another folder with --out",
            )
        weight = stored["recipe"].get("lpips", 0.0)
        if weight != self.recipe.lpips:
            raise WeightsMismatch(
                f'the run in "{self.folder.path}" is trained with --lpips {weight:g}, '
                f"not {self.recipe.lpips:g}",
                f"--lpips {weight:g}, or another folder with --out",
            )

    def described(self) -> dict[str, object]:
        """What a checkpoint says of the run besides its state."""
        return {"recipe": asdict(self.recipe)}

    @property
    def progress(self) -> float:
        """0 at the start, 1 at the end."""
        done = self.step / max(1, self.recipe.steps)
        if self.recipe.minutes is not None:
            done = max(done, self.seconds / (60 * self.recipe.minutes))
        return min(1.0, done)

    @property
    def is_done(self) -> bool:
        """See ``TrainingRun``; processor time may end it too."""
        return self.progress >= 1

    def _sample(self) -> IndexSample:
        number = self.step // self.recipe.uses
        if self._newest is None or self._newest[0] != number:
            self._newest = (number, self._whole(number, self.recipe.batch or self.rule.batch))
        g = torch.Generator().manual_seed(self.recipe.seed * 2_000_003 + self.step)
        return varied(self._newest[1], self.recipe.crop or self.rule.crop, g)

    def _whole(self, number: int, num: int, *, is_held: bool = False) -> IndexSample:
        """A sample, uncropped; ``is_held``: of what is never trained on."""
        told = {
            "has_reference": self.recipe.has_reference,
            "is_small": self._is_small_index,
        }
        if self.recipe.septuplets:
            return self._films.sample(number, num, is_held=is_held, **told)
        return drawn(self.scenes, number + (10**9 if is_held else 0), num, **told)

    def _told(
        self, sample: IndexSample, cut: EllipsisType | tuple[EllipsisType, slice, slice] = ...
    ) -> tuple[tuple[Tensor, ...], Reference | None]:
        """The ends, the truth and the index that the network is told, and a reference if it is
        given one; the part ``cut`` of each, where they are computed with.
        """
        index, reference = sample.shown(self.recipe.variant)
        if reference is not None:
            reference = Reference(*(part[cut].to(self.device) for part in reference))
        parts = sample.img0, sample.img1, sample.truth, index
        return tuple(part[cut].to(self.device) for part in parts), reference

    def losses(self) -> tuple[Tensor, dict[str, float]]:
        """Of the next step: what to descend, and its parts."""
        (img0, img1, truth, index), reference = self._told(self._sample())
        self.net.train()
        shared = self.net.encode(img0, img1)
        return loss_of(self.net, shared, index, reference, truth, self._perceptual)

    def rate(self) -> float:
        """The learning rate of the next step."""
        most = self.recipe.learning_rate or self.rule.learning_rate
        least = most * self.rule.least_rate / self.rule.learning_rate
        # a short run cannot afford a long rise
        warmup = min(self.rule.warmup, 100 if self.recipe.minutes is not None else 10**9)
        if self.step < warmup:
            return most * (self.step + 1) / warmup
        return least + (most - least) * (1 + math.cos(math.pi * self.progress)) / 2

    @torch.no_grad()
    def scores(self) -> dict[str, float]:
        """PSNR in dB, told as in training, on scenes never trained on; see ``TrainingRun``."""
        scores = []
        for number in range(3):
            sample = self._whole(number, 4, is_held=True)
            crop = self.recipe.crop or self.rule.crop
            top, left = ((n - crop) // 2 for n in sample.img0.shape[-2:])
            cut = (..., slice(top, top + crop), slice(left, left + crop))
            (img0, img1, truth, index), reference = self._told(sample, cut)
            made = self.average.decode(self.average.encode(img0, img1), index, reference).picture
            scores.append(_psnr(made, truth))
        return {"held": sum(scores) / len(scores)}


def scene_options(size: int, fastest: float) -> SceneOptions:
    """Scenes whose objects are early or late, with the truth of everything."""
    return SceneOptions(
        size=size, fastest=fastest, slowest=0.5, easing=1.0, camera_easing=1.0, truth=True
    )


def _psnr(made: Tensor, truth: Tensor) -> float:
    error = (made - truth).square().mean((1, 2, 3)).clamp(min=1e-6)
    return float((-10 * error.log10()).mean())
