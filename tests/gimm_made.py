"""GIMM-VFI with the parameters and pictures behind its reference numbers, each stage made once."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gimm_fill
import golden_fill
import numpy as np
import torch
from goldens_at import GOLDENS, tensors

from rtvfi.models.catalogue import MODELS
from rtvfi.models.gimm import motion, synthesis
from rtvfi.models.gimm.model import Gimm, GimmPrepared
from rtvfi.models.gimm.shape import expected_parameters
from rtvfi.models.tuning import Tuning, tune

if TYPE_CHECKING:
    from torch import Tensor

CPU = torch.device("cpu")
FLOAT = tune(CPU, torch.float32)
INFO = MODELS["gimm"]
FLOWS = 5e-3
"""Pixels; the splat adds in another order than the reference."""


@lru_cache
def stored(name: str) -> dict[str, Any]:
    with np.load(GOLDENS / f"gimm_{name}.npz") as file:
        return dict(file)


@lru_cache
def state() -> dict[str, Tensor]:
    return tensors(gimm_fill.fill(expected_parameters()))


@lru_cache
def model(tuning: Tuning = FLOAT) -> Gimm:
    return Gimm(state(), INFO, tuning)


@lru_cache
def frames(seed: int = 3, size: int = 128) -> tuple[Tensor, Tensor]:
    made = torch.from_numpy(golden_fill.make_frames(seed, size, size))
    return made[:1], made[1:]


@lru_cache
def prepared() -> tuple[GimmPrepared, GimmPrepared]:
    with torch.inference_mode():
        first, second = frames()
        return model().prepare(first), model().prepare(second)


@lru_cache
def flows() -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        return model().flows(*prepared())


@lru_cache
def pair_motion() -> motion.PairMotion:
    with torch.inference_mode():
        return model().motion.pair(*flows())


def matches() -> synthesis.Matches:
    a, b = prepared()
    return synthesis.Matches(a.source.matching, b.source.matching)


def velocity(t: float) -> Tensor:
    net = model().motion
    return (2 * net.read(net.latent_at(pair_motion(), t), t) - 1) * pair_motion().scaler


def spaced(whole: Tensor, like: Any) -> Tensor:
    """The pixels a file keeps of every picture: every so many rows and columns."""
    step = whole.shape[-1] // like.shape[-1]
    return whole[..., ::step, ::step]


def middle(picture: Tensor, like: Any) -> Tensor:
    top = (picture.shape[-1] - 64) // 2
    return spaced(picture[..., top : top + 64, top : top + 64], like)


def means(picture: Tensor) -> Tensor:
    picture = picture.double()
    return torch.cat((picture.mean(-1).flatten(), picture.mean(-2).flatten()))


def synthesised(t: float) -> tuple[Any, Any, synthesis.Fields]:
    make, source = model().synthesis, tuple(p.source for p in prepared())
    start = make.start(source, model().motion.at(pair_motion(), t))  # type: ignore[arg-type]
    end = make.corrected(start, matches(), t)
    return start, end, make.fields(source, end)  # type: ignore[arg-type]
