from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import golden_fill
import numpy as np
import pytest
import torch
from goldens_at import GOLDENS, assert_near, tensors

from rtvfi.core.errors import UsageError, WeightsMismatch
from rtvfi.models.catalogue import MODELS
from rtvfi.models.distil_drba.network import SHAPES, DistilDrba, detect, expected_parameters
from rtvfi.models.tuning import Tuning, tune

if TYPE_CHECKING:
    from torch import Tensor

CPU = torch.device("cpu")
FLOAT = tune(CPU, torch.float32)
LINKS = (None, None)

pytestmark = pytest.mark.usefixtures("inference")


@lru_cache
def stored(name: str) -> tuple[Any, dict[str, dict[str, Any]], float]:
    file = np.load(GOLDENS / f"distildrba_{name.replace('-', '_')}.npz")
    meta = json.loads(str(file["meta"]))
    return file, {case["id"]: case for case in meta["cases"]}, meta["flow_gain"]


@lru_cache
def model(name: str, tuning: Tuning = FLOAT) -> DistilDrba:
    state = golden_fill.fill(expected_parameters(SHAPES[name]), flow_gain=stored(name)[2])
    return DistilDrba(tensors(state), MODELS[f"distil-drba-{name}"], tuning)


def pictures(case: dict[str, Any]) -> list[Tensor]:
    made = torch.from_numpy(golden_fill.make_frames(case["seed"], case["h"], case["w"], 3))
    return [made[k : k + 1] for k in case.get("frames", [0, 1, 2])]


def all_cases() -> list[tuple[str, str]]:
    return [(n, case) for n in SHAPES for case in stored(n)[1]]


@pytest.mark.parametrize(("name", "case_id"), all_cases())
def test_reference_numbers(name: str, case_id: str) -> None:
    file, cases, _ = stored(name)
    case = cases[case_id]
    net = model(name).at_scale(case.get("scale", 1.0))
    frames = tuple(net.prepare(picture) for picture in pictures(case))
    out = net.triple(frames, LINKS, [case["t"]])[0]  # type: ignore[arg-type]
    step = case["step"]
    assert_near(out[:, ::step, ::step], golden_fill.dequantize(file[f"{case_id}.out"]), 1e-4)


@pytest.mark.parametrize("name", SHAPES)
def test_blocks_give_the_reference_numbers(name: str) -> None:
    file, cases, _ = stored(name)
    net = model(name).at_scale(1.0)
    outputs: list[Tensor] = []

    def recorded(block: Any) -> Any:
        def run(x: Tensor, shared: Tensor | None) -> Tensor:
            outputs.append(block(x, shared))
            return outputs[-1]

        run.shared = block.shared  # type: ignore[attr-defined]
        return run

    net.blocks = [recorded(block) for block in net.blocks]
    frames = tuple(net.prepare(picture) for picture in pictures(cases["t50"]))
    net.triple(frames, LINKS, [0.5])  # type: ignore[arg-type]
    for i, y in enumerate(outputs):
        y = torch.cat((y[:, :13], y[:, 13:].sigmoid()), 1)[0]
        wanted = file[f"t50.block{i}"][: len(y)]
        step = 2**i
        assert_near(y[:, step // 2 :: step, step // 2 :: step], wanted, 2e-4)


@pytest.mark.parametrize("name", SHAPES)
def test_features_are_the_reference_ones(name: str) -> None:
    file, cases, _ = stored(name)
    step = cases["t50"]["feat_step"]
    for k, picture in enumerate(pictures(cases["t50"])):
        features = model(name).prepare(picture).stacks[-1][0, 3:]
        wanted = file[f"t50.feat{k}"]
        assert_near(features[:, step // 2 :: step, step // 2 :: step], wanted, 2e-4)


@pytest.mark.parametrize("name", SHAPES)
def test_timesteps_of_both_sides_in_one_call_are_those_of_single_calls(name: str) -> None:
    net = model(name)
    frames = tuple(net.prepare(p) for p in pictures({"seed": 75, "h": 64, "w": 64}))
    ts = [0.5, 1.25, 0.75, 1.0]
    together = net.triple(frames, LINKS, ts)  # type: ignore[arg-type]
    alone = torch.cat([net.triple(frames, LINKS, [t]) for t in ts])  # type: ignore[arg-type]
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)


def test_a_pair_is_a_triple_that_repeats_the_nearer_picture() -> None:
    net = model("v2-lite")
    a, b, _ = (net.prepare(p) for p in pictures({"seed": 75, "h": 64, "w": 64}))
    out = net.pair(a, b, [0.75, 0.25])
    assert torch.equal(out[:1], net.triple((a, b, b), LINKS, [0.75]))
    assert torch.equal(out[1:], net.triple((a, a, b), LINKS, [1.25]))


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0])
def test_a_size_that_fits_no_block_comes_back_as_it_was(scale: float) -> None:
    net = model("v2-lite").at_scale(scale)
    picture = torch.rand(1, 3, 70, 90)
    one = net.prepare(picture)
    assert one.image.shape[-2] % (64 / scale) == 0
    assert net.triple((one, one, one), LINKS, [1.5]).shape == picture.shape


def test_the_far_picture_gives_no_pixels() -> None:
    net = model("v1")
    dark, bright = (net.prepare(torch.full((1, 3, 64, 64), level)) for level in (0.2, 0.9))
    out = net.triple((bright, dark, dark), LINKS, [1.25])
    torch.testing.assert_close(out, torch.full_like(out, 0.2), atol=1e-5, rtol=0)


def test_half_precision_stays_near() -> None:
    case = {"seed": 75, "h": 64, "w": 64}
    results = []
    for tuning in (FLOAT, Tuning(device=CPU, dtype=torch.float16)):
        net = model("v2-lite", tuning)
        frames = tuple(net.prepare(p) for p in pictures(case))
        results.append(net.triple(frames, LINKS, [0.75]).float())  # type: ignore[arg-type]
    psnr = -10 * torch.log10((results[0] - results[1]).square().mean()).item()
    assert psnr > 50


@pytest.mark.parametrize("name", SHAPES)
def test_key_lists_are_told_apart(name: str) -> None:
    text = (GOLDENS / "distildrba_keys.json").read_text(encoding="utf-8")
    shapes = json.loads(text)[name.replace("-", "_")]
    assert detect({k: torch.empty(s, device="meta") for k, s in shapes.items()}) == name


def empty(name: str) -> dict[str, Tensor]:
    shapes = expected_parameters(SHAPES[name])
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


def test_missing_and_foreign_parameters_are_named() -> None:
    state = empty("v1")
    del state["block3.convblock.2.beta"]
    with pytest.raises(WeightsMismatch, match=r"block3\.convblock\.2\.beta"):
        detect(state)
    with pytest.raises(WeightsMismatch, match="stranger"):
        detect(empty("v2-lite") | {"stranger": torch.empty(1)})


def test_flow_scale_4_is_for_the_lite_network_only() -> None:
    model("v2-lite").at_scale(4.0)
    with pytest.raises(UsageError, match=r"0\.25, 0\.5, 1, 2"):
        model("v1").at_scale(4.0)
