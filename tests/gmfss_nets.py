"""GMFSS with the weights and pictures behind its reference numbers, each made once."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gmfss_fill
import golden_fill
import numpy as np
import torch
from goldens_at import GOLDENS, assert_near, tensors, thinned

from rtvfi.models.catalogue import MODELS
from rtvfi.models.gmfss.model import Gmfss, reversed_link
from rtvfi.models.tuning import Tuning, tune

if TYPE_CHECKING:
    from torch import Tensor

    from rtvfi.models.gmfss.model import GmfssLink, GmfssPrepared

CPU = torch.device("cpu")
KEY_LISTS = {
    "gmfss": "gmfss_keys.json",
    "gmfss-union": "gmfss_union_keys.json",
    "gmfss-union-fortuna": "gmfss_union_fortuna_keys.json",
}
PARTS = {"fusion": "fusionnet", "rife426heavy": "rife", "rife_union": "rife"}
"""Parts that our files name otherwise than the key lists do."""


def shapes(name: str) -> dict[str, dict[str, list[int]]]:
    """Names and shapes of the parameters by part, as published."""
    found: dict[str, Any] = json.loads((GOLDENS / KEY_LISTS[name]).read_text(encoding="utf-8"))
    return found


@lru_cache
def state(name: str) -> dict[str, Tensor]:
    """All parameters."""
    found: dict[str, Tensor] = {}
    for listed, keys in shapes(name).items():
        part = PARTS.get(listed, listed)
        net = "rife" if part == "rife" else listed
        if "union" in name and listed in ("metric", "fusion"):
            net = f"{listed}_union"
        filled = tensors(gmfss_fill.fill_net(net, keys))
        found |= {f"{part}.{key}": value for key, value in filled.items()}
    return found


@lru_cache
def model(name: str, *, flow_scale: float = 1.0, tuning: Tuning | None = None) -> Gmfss:
    """A model; float32 on the CPU unless told otherwise."""
    return Gmfss(
        state(name),
        MODELS[name],
        tuning or tune(CPU, torch.float32),
        metric_tanh="union" in name,
        flow_scale=flow_scale,
    )


@lru_cache
def prepared(name: str, i: int) -> GmfssPrepared:
    """Picture ``i`` of four."""
    return model(name).prepare(pictures()[i : i + 1])


@lru_cache
def pictures() -> Tensor:
    """Four, 256x128."""
    return torch.from_numpy(golden_fill.make_frames(3, 128, 256, 4))


@lru_cache
def link(name: str, a: int, b: int) -> GmfssLink:
    """The motion between two of them."""
    return model(name).link(prepared(name, a), prepared(name, b))


def around_one(name: str) -> tuple[GmfssLink, GmfssLink]:
    """Links of the first triple as the reference makes them: both seen from the centre."""
    return reversed_link(link(name, 1, 0)), link(name, 1, 2)


@lru_cache
def stored(name: str) -> dict[str, np.ndarray]:
    """Arrays of a file."""
    with np.load(GOLDENS / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def assert_mostly_near(got: Tensor, want: np.ndarray, most: float, but: float = 0.001) -> None:
    """Within ``most`` but for a share ``but`` of positions, and a tenth of that on average.

    The weights make matching peaky: a last digit may move a match, or turn a pixel from visible to
    hidden, and only there does it show.
    """
    got = thinned(got, want)
    assert_near(got, want, most, outliers=int(want.size * but))
    mean = float(np.abs(got.numpy() - want).mean())
    assert mean < most / 10, f"mean {mean:.3g}"


def assert_picture(got: Tensor, file: str, key: str, most: float = 1e-3) -> None:
    """The middle of a picture (1, 3, H, W) and the means of its rows and columns.

    The reference itself moves by 6e-5 between two ways to convolve, and by 4e-4 on average with
    1e-6 of noise on a picture; the smallest mistake moves it by 0.01.
    """
    wanted = golden_fill.dequantize(stored(file)[f"{key}_crop"])
    height, width = got.shape[-2:]
    top, left = (height - 64) // 2, (width - 64) // 2
    assert_mostly_near(got[0, :, top : top + 64, left : left + 64], wanted, most)
    means = torch.cat((got[0].mean(2).flatten(), got[0].mean(1).flatten()))
    assert_near(means, stored(file)[f"{key}_digest"], most)


def made_steps() -> tuple[Tensor, Tensor]:
    """Shares of the flow that both sides have come, of which many ask for a swap."""
    s = golden_fill._smooth("swap", 9, (64, 128), 15)
    first = np.clip(0.01 + 1.3 * (s - 0.35), 0.01, 0.9)
    second = np.clip(0.95 - 1.5 * (s - 0.2), 0.012, 0.98)
    return torch.from_numpy(first[None, None]).float(), torch.from_numpy(second[None, None]).float()
