from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import golden_fill
import pytest
import torch
from goldens_at import GOLDENS, assert_near, tensors
from made_weights import random_state
from models.rife.ensemble import Ensemble
from torch.nn import functional

from rtvfi.core.errors import UsageError, WeightsMismatch
from rtvfi.models import warp
from rtvfi.models.catalogue import MODELS
from rtvfi.models.rife import ifnet
from rtvfi.models.rife import network as rife
from rtvfi.models.rife.network import Rife
from rtvfi.models.rife.rows import RIFE_GROUPS
from rtvfi.models.rife.shape import SHAPES, IFNetShape, detect, expected_parameters
from rtvfi.models.tuning import Tuning, tune
from rtvfi.models.warp import enlarge

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

CPU = torch.device("cpu")
PLAIN = Tuning(device=CPU, dtype=torch.float32)


@lru_cache(maxsize=1)
def golden(group: str) -> tuple[int, dict[str, dict[str, Any]], dict[str, Any]]:
    pad, cases, arrays = golden_fill.load_rife(GOLDENS / f"rife_v{group}.npz")
    return pad, {c["id"]: c for c in cases}, arrays


@lru_cache(maxsize=2)
def state_dict(group: str, flow_gain: float = 1.0) -> dict[str, Tensor]:
    return tensors(golden_fill.fill(expected_parameters(SHAPES[group]), flow_gain=flow_gain))


def network(group: str, pad: int | None = None, **options: Any) -> Rife:
    info = MODELS[f"rife-{group}"]
    if pad is not None:
        info = replace(info, pad_multiple=pad)
    flow_gain = options.pop("flow_gain", 1.0)
    return Rife(
        state_dict(group, flow_gain),
        info,
        options.pop("tuning", tune(CPU, torch.float32)),
        **options,
    )


class Recorder:
    """Stands in for a block and keeps what it returned, as the reference numbers are stored."""

    def __init__(self, net: Rife) -> None:
        self.calls: list[int] = []
        self.outputs: list[Tensor] = []
        for i, block in enumerate(net.blocks):
            net.blocks[i] = self.record(i, block)

    def record(self, i: int, block: Any) -> Any:
        def run(x: Tensor) -> Tensor:
            y: Tensor = block(x)
            self.calls.append(i)
            self.outputs.append(y[:, :5])
            return y

        return run

    def stored(self, height: int) -> Tensor:
        """(calls, 5, H/8, W/8): flow increments in pixels and mask logits at [3::8, 3::8]."""
        full = []
        for y in self.outputs:
            factor = height / y.shape[-2]
            scaled = torch.cat((y[:, :4] * factor, y[:, 4:]), 1)
            full.append(enlarge(scaled, factor)[..., 3::8, 3::8])
        return torch.cat(full)


def check_case(group: str, name: str, tuning: Tuning | None = None) -> None:
    pad, cases, arrays = golden(group)
    case = cases[name]
    img0, img1, t = golden_fill.case_inputs(case)
    net = network(
        group,
        pad=64 if name == "restart" else pad,
        flow_gain=case.get("flow_gain", 1.0),
        flow_scale=case.get("scale", 1.0),
        tuning=tuning or tune(CPU, torch.float32),
    )
    recorder = Recorder(net)
    with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
        if case.get("ensemble", False):
            patch.setattr(rife, "_Walk", Ensemble)
        a, b = (net.prepare(torch.from_numpy(i)[None]) for i in (img0, img1))
        out = net.pair(a, b, [t if isinstance(t, float) else torch.from_numpy(t)[None]])[0]
    step = case["step"]
    most = 3e-4 if name == "restart" else 1e-4
    assert_near(out[:, ::step, ::step], golden_fill.dequantize(arrays[f"{name}.out"]), most)
    if f"{name}.blocks" in arrays:
        assert recorder.calls == case["calls"]
        most = 5e-3 if name == "restart" else 2e-4
        assert_near(recorder.stored(a.stack.shape[-2]), arrays[f"{name}.blocks"], most)


def all_cases() -> list[tuple[str, str]]:
    return [(group, name) for group in SHAPES for name in golden(group)[1]]


@pytest.mark.parametrize(("group", "name"), all_cases())
def test_reference_numbers(group: str, name: str) -> None:
    check_case(group, name)


@pytest.mark.parametrize("group", ["4.7", "4.10", "4.25", "4.26.heavy"])
def test_encoder_gives_the_reference_features(group: str) -> None:
    _, cases, arrays = golden(group)
    img0 = torch.from_numpy(golden_fill.case_inputs(cases["t25"])[0])[None]
    encoder = network(group).encoder
    assert encoder is not None
    assert_near(encoder(img0)[0, :, 3::8, 3::8], arrays["t25.feat0"], 2e-4)


@lru_cache
def key_lists() -> Any:
    return json.loads((GOLDENS / "rife_state_dicts.json").read_text(encoding="utf-8"))


def versions() -> dict[str, str]:
    found: dict[str, str] = key_lists()["versions"]
    return found


def key_list(version: str) -> dict[str, Tensor]:
    shapes = key_lists()["archs"][versions()[version]]
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


@pytest.mark.parametrize(("version", "group"), versions().items())
def test_every_version_is_told_by_its_parameters(version: str, group: str) -> None:
    assert detect(key_list(version)) == group


def test_the_catalogue_has_every_version() -> None:
    assert {f"rife-{v}" for v in versions()} == {k for k in MODELS if k.startswith("rife-")}


def empty(group: str) -> dict[str, Tensor]:
    shapes = expected_parameters(SHAPES[group])
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


def test_prefix_and_training_extras_are_accepted() -> None:
    state = {f"module.{key}": value for key, value in empty("4.6").items()}
    extras = ("block_tea.conv0.0.0.weight", "teacher.x", "caltime.0.weight", "contextnet.y")
    state |= {f"module.{key}": torch.empty(3, device="meta") for key in extras}
    assert detect(state) == "4.6"


@pytest.mark.parametrize("group", SHAPES)
def test_a_missing_parameter_is_named(group: str) -> None:
    for key in ("block0.conv0.0.0.weight", "block1.convblock.7"):
        state = empty(group)
        missing = next(k for k in state if k.startswith(key))
        del state[missing]
        with pytest.raises(WeightsMismatch, match=missing):
            detect(state)


def test_a_misshaped_parameter_is_named() -> None:
    state = empty("4.25") | {"block2.conv0.1.0.bias": torch.empty(95, device="meta")}
    with pytest.raises(WeightsMismatch, match=r"block2.conv0.1.0.bias.*\(95,\).*\(96,\)"):
        detect(state)


def run(net: Rife, height: int, width: int, ts: list[Any]) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    frames = torch.rand(2, 1, 3, height // 4, width // 4, generator=generator)
    with torch.inference_mode():
        a, b = (net.prepare(enlarge(f, 4)) for f in frames)
        return net.pair(a, b, ts)


def build(group: str, tuning: Tuning = PLAIN, **options: Any) -> Rife:
    return Rife(random_state(f"rife {group}"), MODELS[f"rife-{group}"], tuning, **options)


def test_group_names_are_the_same_in_catalogue_and_network() -> None:
    assert list(RIFE_GROUPS) == list(SHAPES)
    for group, (_, multiple, _) in RIFE_GROUPS.items():
        needed = 4 * max(SHAPES[group].scales) * (2 if group == "4.0" else 1)
        assert multiple == needed


@pytest.mark.parametrize("group", ["4.0", "4.6", "4.25"])
def test_timesteps_in_one_call_are_those_of_single_calls(group: str) -> None:
    net = build(group)
    ts = [0.2, 0.5, 0.9]
    together = run(net, 64, 64, ts)
    alone = torch.cat([run(net, 64, 64, [t]) for t in ts])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)


def test_a_constant_map_is_that_number() -> None:
    net = build("4.25")
    as_map = run(net, 64, 64, [torch.full((1, 1, 64, 64), 0.3)])
    torch.testing.assert_close(as_map, run(net, 64, 64, [0.3]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "tuning",
    [
        Tuning(device=CPU, dtype=torch.float32, channels_last=True),
        Tuning(device=CPU, dtype=torch.float32, conv_tail=True),
        Tuning(device=CPU, dtype=torch.float64),
    ],
    ids=["channels-last", "plain tail", "residual kept apart"],
)
@pytest.mark.parametrize("group", ["4.2", "4.14.lite", "4.25"])
def test_forms_that_change_speed_keep_the_numbers(group: str, tuning: Tuning) -> None:
    out = run(build(group, tuning), 64, 64, [0.5])
    torch.testing.assert_close(
        out, run(build(group), 64, 64, [0.5]), atol=1e-4, rtol=0, check_dtype=False
    )


@pytest.mark.parametrize("flow_scale", [0.25, 4.0])
def test_extreme_flow_scales_keep_the_size(flow_scale: float) -> None:
    net = build("4.25").at_scale(flow_scale)
    assert run(net, 60, 72, [0.5]).shape == (1, 3, 60, 72)


def test_another_flow_scale_is_the_network_built_with_it() -> None:
    out = run(build("4.6").at_scale(0.5), 64, 64, [0.5])
    assert torch.equal(out, run(build("4.6", flow_scale=0.5), 64, 64, [0.5]))


@pytest.mark.parametrize(
    ("dtype", "least"), [(torch.float16, 50.0), (torch.bfloat16, 33.0)], ids=["fp16", "bf16"]
)
def test_half_precision_stays_near(dtype: torch.dtype, least: float) -> None:
    wanted = run(build("4.25"), 64, 128, [0.5])
    got = run(build("4.25", Tuning(device=CPU, dtype=dtype)), 64, 128, [0.5])
    assert got.dtype == dtype
    psnr = -10 * torch.log10((got.float() - wanted).square().mean()).item()
    assert psnr > least


def test_an_unknown_flow_scale_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"0\.25, 0\.5, 1, 2, 4"):
        build("4.6", flow_scale=0.3)


def swapped_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IFNetShape, "adds_masks", property(lambda s: s.encoder != "none"))


def zero_border(monkeypatch: pytest.MonkeyPatch) -> None:
    sampled = functional.grid_sample
    monkeypatch.setattr(
        functional, "grid_sample", lambda *a, **k: sampled(*a, **k | {"padding_mode": "zeros"})
    )


def unaligned_corners(monkeypatch: pytest.MonkeyPatch) -> None:
    sampled = functional.grid_sample
    monkeypatch.setattr(
        functional, "grid_sample", lambda *a, **k: sampled(*a, **k | {"align_corners": False})
    )


def reversed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Rife.timesteps
    monkeypatch.setattr(Rife, "timesteps", lambda *a: 1 - right(*a))


def gain_without_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    right = ifnet.fold
    monkeypatch.setattr(ifnet, "fold", lambda w, b, g, **k: (right(w, b, g, **k)[0], b))


def trained_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rife, "_input_order", lambda shape, i: list(range(shape.inputs(i))))


def features_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    right = warp.backwarp_centres

    def wrong(image: Tensor, flow: Tensor, cell: int) -> Tensor:
        moved, still = right(image, flow, cell), right(image, 0 * flow, cell)
        return torch.cat((moved[:, :3], still[:, 3:]), 1)

    monkeypatch.setattr(rife, "backwarp_centres", wrong)


@pytest.mark.parametrize(
    ("mistake", "group"),
    [
        (swapped_masks, "4.6"),
        (swapped_masks, "4.25"),
        (zero_border, "4.25"),
        (unaligned_corners, "4.25"),
        (reversed_time, "4.6"),
        (gain_without_bias, "4.5"),
        (trained_order, "4.7"),
        (features_left_behind, "4.26.heavy"),
    ],
)
def test_the_reference_numbers_catch_mistakes(
    mistake: Callable[[pytest.MonkeyPatch], None], group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake(monkeypatch)
    with pytest.raises(AssertionError, match=r"beyond 0\.0001"):
        check_case(group, "t25")
