from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import golden_fill
import numpy as np
import pytest
import torch
from bisection import bisected, step_by_halving
from goldens_at import GOLDENS, assert_near, tensors, thinned
from made_weights import random_state

from rtvfi.models.catalogue import MODELS
from rtvfi.models.drba import drba
from rtvfi.models.drba.drba import Drba, DrbaLink, ratio_map
from rtvfi.models.rife.network import Rife
from rtvfi.models.rife.shape import SHAPES, expected_parameters
from rtvfi.models.tuning import tune

if TYPE_CHECKING:
    from rtvfi.models.rife.network import RifePrepared

CPU = torch.device("cpu")
SIDES = {"drm_t1_t01": ("10", "12"), "drm_t1_t12": ("12", "10")}

pytestmark = pytest.mark.usefixtures("inference")


@lru_cache
def stored() -> Any:
    return np.load(GOLDENS / "rife_drba.npz")


@lru_cache
def model(*, flow_scale: float = 1.0) -> Drba:
    state = tensors(golden_fill.fill(expected_parameters(SHAPES["4.26.heavy"])))
    info = MODELS["rife-4.26.heavy"]
    net = Rife(state, info, tune(CPU, torch.float32), flow_scale=flow_scale)
    return Drba(net, MODELS["drba"])


@lru_cache
def frames() -> list[RifePrepared]:
    pictures = torch.from_numpy(golden_fill.make_frames(26, 128, 192, 4))
    return [model().prepare(picture[None]) for picture in pictures]


@lru_cache
def link(a: int, b: int) -> DrbaLink:
    return model().link(frames()[a], frames()[b])


def around_one() -> tuple[DrbaLink, DrbaLink]:
    """Links of the first triple as the reference makes them: both seen from the centre."""
    fresh = link(1, 0)
    return DrbaLink(fresh.backward, fresh.forward), link(1, 2)


def test_coarse_flow_gives_the_reference_numbers() -> None:
    out = model().net.coarse_flow(frames()[1], frames()[0])
    wanted = stored()["raw10"]
    assert_near(thinned(out[0], wanted), wanted, 2e-4)


@pytest.mark.parametrize(
    ("name", "a", "b", "side"),
    [("10", 1, 0, 0), ("01", 1, 0, 1), ("12", 1, 2, 0), ("21", 1, 2, 1)],
)
def test_links_give_the_reference_flows_and_holes(name: str, a: int, b: int, side: int) -> None:
    flow = link(a, b)[side][0]
    wanted = stored()[f"flow{name}"]
    assert_near(thinned(flow, wanted), wanted, 1e-3, outliers=10)
    holes = (flow[0] == 2 * 192) & (flow[1] == 2 * 192)
    assert np.array_equal(np.packbits(holes.numpy()), stored()[f"flow{name}.holes"])


@pytest.fixture(params=["lin", "nl"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Steps proportional to the ratio, or the original's others."""
    if request.param == "nl":
        step_by_halving(monkeypatch, drba)
    return str(request.param)


@pytest.mark.parametrize("side", SIDES)
def test_ratio_maps_give_the_reference_numbers(kind: str, side: str) -> None:
    flows = {"10": link(1, 0).forward, "12": link(1, 2).forward}
    near, far = (flows[name] for name in SIDES[side])
    out = ratio_map(0.25, near, far)
    wanted = stored()[f"drm.{kind}.{side}"]
    assert_near(thinned(out[0], wanted), wanted, 1e-3, outliers=10)


@pytest.mark.parametrize("t", [0.25, 0.4, 0.5])
@pytest.mark.parametrize("side", SIDES)
def test_ratio_maps_of_made_flows(t: float, kind: str, side: str) -> None:
    flows = {
        "10": torch.from_numpy(golden_fill.make_flow(31, 24, 36, 6.0))[None],
        "12": torch.from_numpy(golden_fill.make_flow(32, 24, 36, 3.0))[None],
    }
    near, far = (flows[name] for name in SIDES[side])
    out = ratio_map(t, near, far)[0]
    assert_near(out, stored()[f"syn.{t:g}.{kind}.{side}"], 1e-5)


def test_bisected_ratios_are_the_reference_ones() -> None:
    ratios = torch.from_numpy(stored()["drmt.in"])
    out = torch.stack([bisected(ratios, float(t)) for t in stored()["drmt.t"]])
    assert_near(out, stored()["drmt.out"], 1e-5)


def test_pictures_around_the_centre_are_the_reference_ones(kind: str) -> None:
    ts = [0.5, 0.75, 1.25, 1.4] if kind == "lin" else [0.75, 1.25]
    out = model().triple((frames()[0], frames()[1], frames()[2]), around_one(), ts)
    for t, picture in zip(ts, out, strict=True):
        wanted = golden_fill.dequantize(stored()[f"{kind}.{t:g}"])
        assert_near(thinned(picture, wanted), wanted, 1e-4)


def test_the_flow_of_the_previous_triple_is_reused() -> None:
    links = (link(1, 2), link(2, 3))
    ts = [0.75, 1.25]
    out = model().triple((frames()[1], frames()[2], frames()[3]), links, ts)
    for t, picture in zip(ts, out, strict=True):
        wanted = golden_fill.dequantize(stored()[f"reuse.{t:g}"])
        assert_near(thinned(picture, wanted), wanted, 1e-4)


def test_half_flow_scale_gives_the_reference_picture() -> None:
    drba = model(flow_scale=0.5)
    pictures = torch.from_numpy(golden_fill.make_frames(22, 128, 256, 3))
    left, centre, right = (drba.prepare(picture[None]) for picture in pictures)
    fresh = drba.link(centre, left)
    links = (DrbaLink(fresh.backward, fresh.forward), drba.link(centre, right))
    out = drba.triple((left, centre, right), links, [0.8])
    wanted = golden_fill.dequantize(stored()["s05.0.8"])
    assert_near(thinned(out[0], wanted), wanted, 1e-4)


def test_the_centre_is_the_centre_picture_exactly() -> None:
    drba = model()
    picture = torch.from_numpy(golden_fill.make_frames(26, 100, 150, 1))
    one = drba.prepare(picture)
    assert torch.equal(drba.triple((one, one, one), (link(1, 2), link(1, 2)), [1.0]), picture)


@pytest.mark.parametrize("group", ["4.25", "4.25.lite"])
def test_any_network_with_an_encoder_will_do(group: str) -> None:
    info = MODELS[f"rife-{group}"]
    drba = Drba(Rife(random_state(f"rife {group}"), info, tune(CPU, torch.float32)), MODELS["drba"])
    pictures = torch.rand(3, 1, 3, 40, 50, generator=torch.Generator().manual_seed(1))
    a, b, c = (drba.prepare(picture) for picture in pictures)
    out = drba.triple((a, b, c), (drba.link(a, b), drba.link(b, c)), [0.75, 1.25])
    assert out.shape == (2, 3, 40, 50)
    assert out.min() >= 0
    assert out.max() <= 1
