"""Every stage gives the numbers of the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import golden_fill
import numpy as np
import pytest
import torch
from bisection import step_by_halving
from gmfss_nets import (
    around_one,
    assert_mostly_near,
    assert_picture,
    link,
    made_steps,
    model,
    pictures,
    prepared,
    stored,
)
from goldens_at import assert_near, thinned

from rtvfi.models.gmfss import ratios
from rtvfi.models.gmfss.metric import look
from rtvfi.models.gmfss.model import sides
from rtvfi.models.gmfss.ratios import reached, rife_steps, splat_steps, swapped
from rtvfi.models.warp import splat

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = pytest.mark.usefixtures("inference")


# --- flow --------------------------------------------------------------------------------------


def both(level: str) -> Tensor:
    return torch.cat([getattr(prepared("gmfss", i).matchable, level) for i in (1, 2)])


def test_backbone() -> None:
    wanted = stored("gmfss_flow")
    assert_near(both("fine")[:, ::32, ::4, ::4], wanted["bb_hi"], 1e-4)
    assert_near(both("coarse")[:, ::32, ::2, ::2], wanted["bb_lo"], 1e-4)


def test_coarse_features_and_flow() -> None:
    net, wanted = model("gmfss").gmflow, stored("gmfss_flow")
    features = both("coarse")
    seen = net._attended(features, features.flip(0), 2)
    assert_near(seen[0].permute(2, 0, 1)[::16], wanted["tr0"], 5e-4)
    assert_near(net._coarse(features)[0], wanted["flow0_prop"], 1e-3)


@pytest.mark.parametrize(
    ("file", "name", "a", "b", "side"),
    [
        ("gmfss_flow", "flow12", 1, 2, "ab"),
        ("gmfss_pair", "flow21", 1, 2, "ba"),
        ("gmfss_pair", "flow10", 1, 0, "ab"),
        ("gmfss_pair", "flow01", 1, 0, "ba"),
    ],
)
def test_flow(file: str, name: str, a: int, b: int, side: str) -> None:
    assert_mostly_near(getattr(link("gmfss", a, b), side)[0], stored(file)[name], 1e-2)


# --- features, metrics, splats -----------------------------------------------------------------


def test_features() -> None:
    wanted = stored("gmfss_pair")
    for i, features in enumerate(prepared("gmfss", 1).features):
        step = 8 >> i
        assert_near(features[0, ::16, ::step, ::step], wanted[f"feat1_{i + 1}"], 1e-4)


@pytest.mark.parametrize(
    ("name", "a", "b", "side"),
    [
        ("metric12", 1, 2, "metric_a"),
        ("metric21", 1, 2, "metric_b"),
        ("metric10", 1, 0, "metric_a"),
        ("metric01", 1, 0, "metric_b"),
    ],
)
@pytest.mark.parametrize("variant", ["gmfss", "gmfss-union"])
def test_metrics(variant: str, name: str, a: int, b: int, side: str) -> None:
    file = {"gmfss": "gmfss_pair", "gmfss-union": "gmfss_union_drba"}[variant]
    # A pixel that turns from visible to hidden moves the metric of the 15 x 15 around it.
    assert_mostly_near(getattr(link(variant, a, b), side)[0], stored(file)[name], 1e-2, but=0.01)


def made_flows() -> tuple[Tensor, Tensor]:
    def field(name: str) -> np.ndarray:
        parts = [golden_fill._smooth(f"{name}{c}", 7, (64, 128), 20) for c in range(2)]
        return 2 * np.stack(parts) - 1

    first = 3 * field("p")
    second = -first + 0.8 * field("q")
    return torch.from_numpy(first[None]).float(), torch.from_numpy(second[None]).float()


def test_hidden_pixels_and_metrics_of_made_flows() -> None:
    a, b = (prepared("gmfss", i).half for i in (1, 2))
    flows, wanted = made_flows(), stored("gmfss_pair")
    hidden = look(a, b, *flows).occluded[0].bool().numpy()
    assert np.array_equal(np.packbits(hidden), wanted["unit_occ"])
    for k, metric in enumerate(model("gmfss").metric_net(a, b, *flows)):
        name = f"unit_metric{k}"
        assert_near(thinned(metric[0], wanted[name]), wanted[name], 1e-3)


@pytest.mark.parametrize(
    "name", ["sum", "avg", "linear-zeroeps", "soft", "soft-zeroeps", "soft-clipeps"]
)
def test_splats(name: str) -> None:
    wanted = stored("gmfss_softsplat")
    image, flow, metric = (torch.from_numpy(wanted[key]) for key in ("x", "flow", "metric"))
    mode, _, empty = name.partition("-")
    given = {"sum": None, "avg": None, "linear": metric.abs(), "soft": metric}[mode]
    rest = (empty.removesuffix("eps"),) if empty else ()
    out = splat(image, flow, mode, given, *rest)  # type: ignore[arg-type]
    assert_near(out, wanted[name], 1e-5)


# --- pictures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "file", "t"),
    [
        ("gmfss", "gmfss_pair", 0.4),
        ("gmfss", "gmfss_pair", 0.75),
        ("gmfss-union", "gmfss_union_drba", 0.4),
        ("gmfss-union-fortuna", "gmfss_union_fortuna", 0.4),
        ("gmfss-union-fortuna", "gmfss_union_fortuna", 0.75),
    ],
)
def test_pictures_between_two(variant: str, file: str, t: float) -> None:
    a, b = prepared(variant, 1), prepared(variant, 2)
    out = model(variant).between(a, b, link(variant, 1, 2), [t])
    assert_picture(out, file, f"out12_t{t:g}")


@pytest.mark.parametrize(
    ("variant", "file", "t"),
    [
        ("gmfss-union", "gmfss_union_drba", 0.4),
        ("gmfss-union-fortuna", "gmfss_union_fortuna", 0.4),
        ("gmfss-union-fortuna", "gmfss_union_fortuna", 0.75),
    ],
)
def test_the_picture_of_rife_inside_union(variant: str, file: str, t: float) -> None:
    net = model(variant).rife
    assert net is not None
    out = net.pair(prepared(variant, 1).rife, prepared(variant, 2).rife, [t])[0]  # type: ignore[arg-type]
    wanted = golden_fill.dequantize(stored(file)[f"rife_t{t:g}"])
    assert_near(thinned(out, wanted), wanted, 1e-4)


@pytest.mark.slow
def test_half_flow_scale() -> None:
    net = model("gmfss", flow_scale=0.5)
    frames = torch.from_numpy(golden_fill.make_frames(5, 256, 512, 2))
    a, b = (net.prepare(frame[None]) for frame in frames)
    motion, wanted = net.link(a, b), stored("gmfss_scale05")
    assert_mostly_near(motion.ab[0], wanted["flow01"], 1e-2)
    assert_picture(net.between(a, b, motion, [0.5]), "gmfss_scale05", "out_t0.5", 5e-3)


# --- three pictures ----------------------------------------------------------------------------


@pytest.fixture(params=["lin", "bis"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Steps proportional to the ratio, or the original's others."""
    if request.param == "bis":
        step_by_halving(monkeypatch, ratios)
    return str(request.param)


def test_steps_of_splats(kind: str) -> None:
    to_left, to_right = link("gmfss", 1, 0), link("gmfss", 1, 2)
    for names, near, far in (
        (("drm1t_t01", "drm0t_t01"), to_left, to_right),
        (("drm1t_t12", "drm2t_t12"), to_right, to_left),
    ):
        steps = splat_steps(0.4, near.ab, far.ab, near.metric_a)
        for name, out in zip(names, steps, strict=True):
            wanted = golden_fill.dequantize(stored("gmfss_drba")[f"{name}_{kind}"])
            assert_mostly_near(out[0, 0], wanted, 1e-2)


def test_steps_of_rife(kind: str) -> None:
    to_left, to_right = link("gmfss-union", 1, 0), link("gmfss-union", 1, 2)
    for name, near, far in (("t01", to_left, to_right), ("t12", to_right, to_left)):
        out = rife_steps(0.4, near.ab, far.ab, near.metric_a)
        wanted = golden_fill.dequantize(stored("gmfss_union_drba")[f"aux_drm_t1_{name}_{kind}"])
        assert_mostly_near(out[0, 0], wanted, 1e-2)


@pytest.mark.parametrize("variant", ["gmfss", "gmfss-union"])
def test_pictures_around_the_centre(variant: str) -> None:
    file = {"gmfss": "gmfss_drba", "gmfss-union": "gmfss_union_drba"}[variant]
    frames = (prepared(variant, 0), prepared(variant, 1), prepared(variant, 2))
    out = model(variant).triple(frames, around_one(variant), [0.6, 1.25])
    assert_picture(out[:1], file, "drba_lin_0.6")
    assert_picture(out[1:], file, "drba_lin_1.25")


@pytest.mark.parametrize(("variant", "t"), [("gmfss", 0.75), ("gmfss", 1.4), ("gmfss-union", 0.75)])
def test_the_motion_of_the_previous_triple_is_reused(variant: str, t: float) -> None:
    file = {"gmfss": "gmfss_drba", "gmfss-union": "gmfss_union_drba"}[variant]
    frames = (prepared(variant, 1), prepared(variant, 2), prepared(variant, 3))
    links = (link(variant, 1, 2), link(variant, 2, 3))
    out = model(variant).triple(frames, links, [t])
    assert_picture(out, file, f"drba_step2_{t:g}", 2e-3)


@pytest.mark.parametrize("variant", ["gmfss", "gmfss-union"])
def test_the_steps_by_halving_of_the_original(
    variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = {"gmfss": "gmfss_drba", "gmfss-union": "gmfss_union_drba"}[variant]
    frames = (prepared(variant, 0), prepared(variant, 1), prepared(variant, 2))
    step_by_halving(monkeypatch, ratios)
    assert_picture(model(variant).triple(frames, around_one(variant), [0.6]), file, "drba_bis_0.6")


@pytest.mark.parametrize("swaps", ["on", "off"])
def test_one_side_alone_where_the_other_came_from_much_further(swaps: str) -> None:
    net, steps = model("gmfss-union"), made_steps()
    a, b = prepared("gmfss-union", 1), prepared("gmfss-union", 2)
    both = sides((a, b), link("gmfss-union", 1, 2), steps)
    assert net.rife is not None
    rife = net.rife.pair(a.rife, b.rife, [0.4])  # type: ignore[arg-type]
    out = net.fused(both, rife, steps if swaps == "on" else None)
    assert_picture(out, "gmfss_union_drba", f"swap_{swaps}")


def test_where_sides_are_swapped() -> None:
    pair, steps = (prepared("gmfss-union", 1), prepared("gmfss-union", 2)), made_steps()
    landed = [
        splat(torch.cat((step, torch.ones_like(step)), 1), side.flow, "soft", side.metric)
        for step, side in zip(steps, sides(pair, link("gmfss-union", 1, 2), steps), strict=True)
    ]
    first, second = torch.zeros(1, 1, 64, 128), torch.ones(1, 1, 64, 128)
    first, second = swapped(first, second, reached(landed[0], landed[1]))
    got = np.stack([first[0, 0].numpy() == 1, second[0, 0].numpy() == 0])
    wanted = np.unpackbits(stored("gmfss_union_drba")["swap_mask"]).reshape(got.shape)
    assert (got != wanted).mean() < 1e-3
    assert wanted.mean() > 0.1


def test_the_centre_is_the_centre_picture_exactly() -> None:
    frames = (prepared("gmfss", 0), prepared("gmfss", 1), prepared("gmfss", 2))
    out = model("gmfss").triple(frames, (link("gmfss", 0, 1), link("gmfss", 1, 2)), [1.0])
    assert torch.equal(out, pictures()[1:2])
