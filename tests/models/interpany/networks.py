"""Networks with made-up parameters, and the reference numbers that belong to them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import golden_fill
import golden_fill_interpany
import numpy as np
import torch
from goldens_at import GOLDENS, tensors

from rtvfi.models.interpany.amt import AmtNet
from rtvfi.models.interpany.ema import EmaNet
from rtvfi.models.interpany.ifrnet import IFRNet
from rtvfi.models.interpany.parts import Estimate, Network, Reference
from rtvfi.models.interpany.rife import RifeNet
from rtvfi.models.interpany.schedule import step_by_step

if TYPE_CHECKING:
    from torch import Tensor

CLASSES: Final = {"rife": RifeNet, "ifrnet": IFRNet, "amt": AmtNet, "ema": EmaNet}


class Golden(NamedTuple):
    """A file of reference numbers."""

    meta: dict[str, Any]
    arrays: dict[str, Any]

    def case(self, case_id: str) -> dict[str, Any]:
        case: dict[str, Any] = next(c for c in self.meta["cases"] if c["id"] == case_id)
        return case


@lru_cache
def golden(name: str) -> Golden:
    with np.load(GOLDENS / f"interpany_{name}.npz") as file:
        arrays = {key: file[key] for key in file.files if key != "meta"}
        return Golden(json.loads(str(file["meta"])), arrays)


def shapes(name: str, has_reference: bool) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        net = CLASSES[name](has_reference)
    return {key: tuple(value.shape) for key, value in net.state_dict().items()}


@lru_cache(maxsize=4)
def state(name: str, has_reference: bool) -> dict[str, Tensor]:
    with torch.inference_mode(mode=False):  # some are trained
        return tensors(golden_fill_interpany.fill(name, shapes(name, has_reference)))


def network(name: str, has_reference: bool) -> Network:
    with torch.device("meta"):
        net: Network = CLASSES[name](has_reference)
    net.load_state_dict(state(name, has_reference), assign=True)
    net.eval()
    return net


def picture_cases(name: str) -> list[str]:
    return [c["id"] for c in golden(name).meta["cases"] if "variant" in c and "num" not in c]


class Inputs(NamedTuple):
    """What a case is run on."""

    img0: Tensor
    img1: Tensor
    gone: Tensor
    start: Reference


def inputs(name: str, case_id: str) -> Inputs:
    meta, case = golden(name).meta, golden(name).case(case_id)
    height, width = case.get("h", meta["h"]), case.get("w", meta["w"])
    frames = torch.from_numpy(golden_fill.make_frames(case["seed"], height, width, 3))
    img0, between, img1 = (frames[k : k + 1] for k in range(3))

    def made(seed: int) -> Tensor:
        return torch.from_numpy(golden_fill.make_tmap(seed, height, width))[None]

    index = torch.full((1, 1, height, width), case["t"]) if "t" in case else made(case["map_seed"])
    if case_id == "DR.x5" or case.get("ref_map") == "0.5*map":
        return Inputs(img0, img1, index, Reference(between, 0.5 * index))
    if "ref" in case:
        return Inputs(img0, img1, index, Reference(between, made(case["ref_map_seed"])))
    return Inputs(img0, img1, index, Reference(img0, torch.zeros_like(index)))


def run(name: str, case_id: str, net: Network | None = None) -> Estimate:
    case, given = golden(name).case(case_id), inputs(name, case_id)
    has_reference = case["variant"] == "DR"
    net = net or network(name, has_reference)
    if isinstance(net, AmtNet) and case["variant"] == "T":
        net.margin = 0.0
    shared = net.encode(given.img0, given.img1, case.get("scale", 1.0))
    if has_reference:
        return step_by_step(net, shared, given.gone, given.start, case.get("iters", 1))
    return net.decode(shared, given.gone)


def stored_picture(name: str, case_id: str) -> Any:
    return golden_fill.dequantize(golden(name).arrays[f"{case_id}.out"])


def pixels_kept(name: str, case_id: str, picture: Tensor) -> Tensor:
    """(3, h, w): those pixels of (1, 3, H, W) that the file holds."""
    case = golden(name).case(case_id)
    stride = case.get("stride", 1)
    first = case.get("first", stride // 2)
    return picture[0, :, first::stride, first::stride]
