from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import golden_fill
import numpy as np
import pytest
import torch
from goldens_at import GOLDENS, assert_near, tensors
from torch.nn import functional

from rtvfi.core.errors import WeightsMismatch
from rtvfi.models.safa import model as safa_model
from rtvfi.models.safa.model import Safa, SafaPrepared
from rtvfi.models.safa.shape import detect, expected_parameters
from rtvfi.models.strips import fetch
from rtvfi.models.tuning import Tuning, tune

if TYPE_CHECKING:
    from torch import Tensor

CPU = torch.device("cpu")
FLOAT = tune(CPU, torch.float32)
GOLDEN_PAD = 16
"""The reference numbers are of pictures that were not padded."""
CASES = ("r11", "r01", "r00", "auto", "cut")

pytestmark = pytest.mark.usefixtures("inference")


@lru_cache
def stored() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    with np.load(GOLDENS / "safa_enhance.npz") as file:
        arrays = dict(file)
    return arrays, {case["id"]: case for case in json.loads(str(arrays["meta"]))["cases"]}


@lru_cache
def state(route: tuple[int, int] | None) -> dict[str, Tensor]:
    """Parameters of the reference numbers; a route forces both decisions of every block."""
    made = golden_fill.fill(expected_parameters())
    one = np.float32
    made["lastconv1.1.weight"] = made["lastconv1.1.weight"] * one(0.06)
    made["lastconv1.1.bias"] = made["lastconv1.1.bias"] * one(0.06) + one(0.5)
    made["block.convflow.0.weight"] = made["block.convflow.0.weight"] * one(0.5)
    made["block.convimg.0.weight"] = made["block.convimg.0.weight"] * one(1.5)
    bias = made["block.getscale.4.bias"] + np.array([3.2, 0.2], np.float32)
    if route is not None:
        bias = np.array([100.0 if r else -100.0 for r in route], np.float32)
    made["block.getscale.4.bias"] = bias
    return tensors(made)


@lru_cache
def model(case_id: str) -> Safa:
    route = stored()[1][case_id]["route"]
    return Safa(state(route and tuple(route)), FLOAT, pad=GOLDEN_PAD)


def pair(case_id: str) -> tuple[SafaPrepared, SafaPrepared]:
    case, net = stored()[1][case_id], model(case_id)
    made = torch.from_numpy(golden_fill.make_frames(case["seed"], case["h"], case["w"]))
    first = net.prepare(made[:1])
    return first, first if case["same"] else net.prepare(made[1:])


def wanted(name: str) -> Any:
    return golden_fill.dequantize(stored()[0][f"{name}.out"])


def restored(case_id: str) -> Tensor:
    """Both pictures of a case, at the pixels that are stored; after a cut the first alone."""
    first, second = pair(case_id)
    outs = [model(case_id).restore(first, second)]
    if first is not second:
        outs.append(model(case_id).restore(second, first))
    step = outs[0].shape[-1] // wanted(case_id).shape[-1]
    return torch.cat(outs)[..., ::step, ::step]


@pytest.mark.parametrize("case_id", CASES)
def test_pictures_are_the_reference_ones(case_id: str) -> None:
    assert_near(restored(case_id), wanted(case_id), 5e-5)


@pytest.mark.parametrize("case_id", ["r11", "auto"])
def test_features_and_motion_are_the_reference_ones(case_id: str) -> None:
    net, (first, second) = model(case_id), pair(case_id)
    weight, bias = (state(None)[f"block.convflow.0.{leaf}"] for leaf in ("weight", "bias"))
    flows, features = [], []
    for p, q in ((first, second), (second, first)):
        found, motion, _ = net.gather(p, q)
        full = sum(
            functional.pixel_shuffle(functional.conv2d(f, weight, bias, padding=1), 2)
            for f in found
        )
        assert isinstance(full, torch.Tensor)
        # What the network reads of it is half the size.
        torch.testing.assert_close(motion, functional.avg_pool2d(full, 2), atol=1e-4, rtol=0)
        flows.append(full[0, :, 3::8, 3::8])
        features += [f[0, ::16, 1::8, 1::8] for f in found]
    assert_near(torch.stack(flows), stored()[0][f"{case_id}.flow"], 5e-4)
    assert_near(torch.stack(features), stored()[0][f"{case_id}.feat"], 5e-4)


def test_decisions_have_the_reference_chances_and_are_not_drawn_by_lot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chances: list[tuple[float, float]] = []
    decided = Safa._chances

    def noted(self: Safa, given: Any) -> tuple[float, float]:
        chances.append(decided(self, given))
        return chances[-1]

    monkeypatch.setattr(Safa, "_chances", noted)
    net, (first, second) = model("auto"), pair("auto")
    made = [net.gather(p, q)[2] for p, q in ((first, second), (second, first))]
    scales = [scale for scales in made for scale in scales]
    assert_near(torch.tensor(chances[:8]), np.array(stored()[1]["auto"]["p"]), 1e-4)
    assert scales == [2, 1, 4, 4, 2, 1, 4, 4]
    again = [scale for p, q in ((first, second), (second, first)) for scale in net.gather(p, q)[2]]
    assert again == scales


# --- mistakes that are easily made are noticed by those numbers -----------------------------


def error_of(case_id: str) -> float:
    return float((restored(case_id).double().numpy() - wanted(case_id)).__abs__().max())


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_motion_halved_once_more_or_not_at_all_would_be_noticed(
    factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        safa_model, "fetch", lambda image, flow, *a, **k: fetch(image, factor * flow, *a, **k)
    )
    assert error_of("r11") > 5e-3


def test_the_wanted_picture_fetched_along_the_motion_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, (first, second) = model("r11"), pair("r11")
    gather = Safa.gather

    def moved(self: Safa, p: SafaPrepared, q: SafaPrepared) -> Any:
        found, motion, scales = gather(self, p, q)
        return found, torch.cat((motion[:, 2:4], motion[:, :2], motion[:, 4:]), 1), scales

    monkeypatch.setattr(Safa, "gather", moved)
    out, right = net.restore(first, second), wanted("r11")[:1]
    step = out.shape[-1] // right.shape[-1]
    assert float((out[..., ::step, ::step].double().numpy() - right).__abs__().max()) > 5e-3


def test_features_of_other_blocks_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    gather = Safa.gather

    def exchanged(self: Safa, p: SafaPrepared, q: SafaPrepared) -> Any:
        found, motion, scales = gather(self, p, q)
        return [*found[2:], *found[:2]], motion, scales

    monkeypatch.setattr(Safa, "gather", exchanged)
    assert error_of("r11") > 5e-3


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_another_size_than_the_one_decided_would_be_noticed(
    factor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Safa, "_scale", lambda *_: factor)
    errors = {case_id: error_of(case_id) for case_id in ("r11", "r01", "r00")}
    right = {1: "r11", 2: "r01", 4: "r00"}[factor]
    assert errors.pop(right) < 5e-5
    assert min(errors.values()) > 5e-3


def test_a_time_other_than_zero_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "zeros_like", torch.ones_like)
    assert error_of("r11") > 5e-3


# --- parameters ------------------------------------------------------------------------------


def test_names_and_shapes_are_those_of_the_reference() -> None:
    listed = json.loads((GOLDENS / "safa_keys.json").read_text(encoding="utf-8"))
    shapes = listed["safa_enhance_v0.5"]
    assert {key: tuple(shape) for key, shape in shapes.items()} == expected_parameters()


def test_another_network_of_that_name_is_refused_with_a_parameter() -> None:
    whole = {key: torch.empty(shape, device="meta") for key, shape in expected_parameters().items()}
    assert detect(whole) == "safa 0.5"
    with pytest.raises(WeightsMismatch, match=r"head\.conv1\.weight"):
        detect(whole | {"head.conv1.weight": torch.empty(64, 3, 7, 7)})
    del whole["shuffle.0.bias"]
    with pytest.raises(WeightsMismatch, match=r"shuffle\.0\.bias"):
        detect(whole)


# --- any picture -----------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(1, 1), (37, 70), (64, 128)])
def test_any_size_comes_back_with_numbers_in_range(height: int, width: int) -> None:
    net = Safa(state((0, 0)), FLOAT)
    picture = torch.rand(1, 3, height, width)
    one = net.prepare(picture)
    assert one.features.shape[-2] % 32 == one.features.shape[-1] % 32 == 0
    out = net.restore(one, net.prepare(1 - picture))
    assert out.shape == picture.shape
    assert out.min() >= 0
    assert out.max() <= 1


def test_black_and_equal_pictures_give_numbers() -> None:
    net = Safa(state(None), FLOAT)
    black = net.prepare(torch.zeros(1, 3, 64, 64))
    assert bool(net.restore(black, black).isfinite().all())


def test_pictures_are_mirrored_to_whole_multiples() -> None:
    picture = torch.arange(6.0).view(1, 1, 2, 3)
    out = safa_model._mirrored(picture, 4)
    assert torch.equal(out[0, 0, :, 0], torch.tensor([0.0, 3.0, 0.0, 3.0]))
    assert torch.equal(out[0, 0, 0], torch.tensor([0.0, 1.0, 2.0, 1.0]))


@pytest.mark.parametrize("route", [(1, 1), (0, 1), (0, 0)])
def test_strips_change_no_pixel(route: tuple[int, int]) -> None:
    made = torch.from_numpy(golden_fill.make_frames(81, 320, 32))
    whole, strips = (Safa(state(route), FLOAT, strip_bytes=b) for b in (1 << 30, 1))
    first, second = (whole.prepare(made[k : k + 1]) for k in (0, 1))
    torch.testing.assert_close(
        strips.restore(first, second), whole.restore(first, second), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(
    ("dtype", "least"),
    [pytest.param(torch.float16, 50, marks=pytest.mark.slow), (torch.bfloat16, 33)],
)
def test_half_precision_stays_near(dtype: torch.dtype, least: float) -> None:
    made = torch.from_numpy(golden_fill.make_frames(81, 64, 64))
    results = []
    for tuning in (FLOAT, Tuning(device=CPU, dtype=dtype)):
        net = Safa(state((0, 1)), tuning)
        first, second = (net.prepare(made[k : k + 1]) for k in (0, 1))
        results.append(net.restore(first, second).float())
    difference = (results[0] - results[1]).square().mean()
    assert -10 * difference.log10().item() > least
