from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import gimm_fill
import golden_fill
import pytest
import torch
from fakes import afterwards
from gimm_made import (
    FLOAT,
    FLOWS,
    INFO,
    flows,
    frames,
    matches,
    means,
    middle,
    model,
    pair_motion,
    prepared,
    spaced,
    state,
    stored,
    synthesised,
    velocity,
)
from goldens_at import GOLDENS, assert_near

from rtvfi.core.errors import WeightsMismatch
from rtvfi.models.gimm import motion, raft
from rtvfi.models.gimm.correlation import Correlation, pixel_grid
from rtvfi.models.gimm.model import Gimm
from rtvfi.models.gimm.shape import detect, expected_parameters, is_spare

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

pytestmark = pytest.mark.usefixtures("inference")


# --- parameters ------------------------------------------------------------------------------


def test_names_and_shapes_are_those_of_the_reference() -> None:
    listed = json.loads((GOLDENS / "gimm_keys.json").read_text(encoding="utf-8"))["gimm"]
    expected = expected_parameters()
    used = {key: tuple(shape) for key, shape in listed.items() if not is_spare(key)}
    assert used == expected
    assert len(listed) == 414


def test_made_parameters_are_those_behind_the_reference_numbers() -> None:
    # All of the file but the counters, in the order of their names.
    crc = 0
    listed = json.loads((GOLDENS / "gimm_keys.json").read_text(encoding="utf-8"))["gimm"]
    named = {k: v for k, v in listed.items() if not k.endswith("num_batches_tracked")}
    for key, value in sorted(gimm_fill.fill(named).items()):
        crc = zlib.crc32(value.tobytes(), zlib.crc32(key.encode(), crc))
    assert crc == 2715997804


def test_a_missing_a_misshaped_and_a_foreign_parameter_are_named() -> None:
    whole = {key: torch.empty(shape, device="meta") for key, shape in expected_parameters().items()}
    assert detect(whole) == "gimm r"
    for change, name in (
        ({"res_conv.5.bias": torch.empty(31)}, r"res_conv\.5\.bias"),
        ({"stranger": torch.empty(1)}, "stranger"),
    ):
        with pytest.raises(WeightsMismatch, match=name):
            detect(whole | change)
    del whole["amt_fproj.weight"]
    with pytest.raises(WeightsMismatch, match=r"amt_fproj\.weight"):
        detect(whole)


# --- reference numbers, stage by stage -------------------------------------------------------


def test_encoders_give_the_reference_numbers() -> None:
    a, _ = prepared()
    assert_near(a.search[0][0, ::32], stored("pair")["fnet"], 2e-4)
    context = model().context(2 * frames()[0] - 1)
    assert_near(context.out[0, ::32], stored("pair")["cnet"], 1e-5)


def first_step() -> tuple[Tensor, Tensor]:
    a, b = prepared()
    net = model().raft
    home = pixel_grid(a.search[0])
    likeness = Correlation(a.search[0], b.search)(home)
    return net.step(a.start.hidden, a.start.context, likeness, torch.zeros_like(home))


def test_the_first_step_of_the_motion_gives_the_reference_numbers() -> None:
    hidden, delta = first_step()
    assert_near(hidden[0, ::16], stored("pair")["upd0_net"], 1e-4)
    assert_near(delta[0], stored("pair")["upd0_delta"], 1e-4)
    mask = model().raft.enlarging(hidden)
    assert_near(mask[0, ::64, ::2, ::2], stored("pair")["upd0_mask"], 1e-4)


def test_motion_is_the_reference_one_in_both_directions() -> None:
    for found, name in zip(flows(), ("raft01", "raft10"), strict=True):
        assert_near(spaced(found[0], stored("pair")[name]), stored("pair")[name], 1e-3)


def test_motion_of_a_pair_gives_the_reference_numbers() -> None:
    pair = pair_motion()
    assert_near(pair.scaler[0, 0, 0, 0], stored("pair")["scaler"], 1e-4)
    for weight, name in zip(pair.weights, ("splat_w1", "splat_w2"), strict=True):
        assert_near(spaced(weight[0, 0], stored("pair")[name]), stored("pair")[name], 1e-3)
    assert_near(pair.latents[0][0, ::4, ::4, ::4], stored("pair")["latent0"], 1e-3)


@pytest.mark.parametrize("t", [0.4, 0.75])
def test_motion_at_a_time_is_the_reference_one(t: float) -> None:
    wanted = stored("pair")[f"flowt_t{t}"]
    assert_near(spaced(velocity(t)[0], wanted), wanted, FLOWS)


def test_frames_are_put_together_as_in_the_reference() -> None:
    start, _, fields = synthesised(0.4)
    file = stored("pair")
    assert_near(start.flow[0, :2], file["init_flow0_t0.4"], 1e-3)
    given = torch.cat((start.mask, start.feature), 1)[0, ::16, ::2, ::2]
    assert_near(given, file["init_feat"], 1e-4)
    assert_near(fields.flows[0][0, :, ::4, ::4], file["final_flow0"], FLOWS)
    masks = golden_fill.dequantize(file["final_mask"])
    assert_near(spaced(fields.masks[0], masks), masks, 1e-4)
    assert_near(fields.residual[0, :, ::4, ::4], file["final_res"], 1e-4)
    a, b = prepared()
    made = model().synthesis.blend(fields, (2 * a.picture - 1, 2 * b.picture - 1))
    crop = golden_fill.dequantize(file["out_t0.4_crop"])
    assert_near(middle(made[0].clamp(0, 1), crop), crop, 1e-4, outliers=crop.size // 1000)
    assert_near(means(made[0].clamp(0, 1)), file["out_t0.4_digest"], 1e-4)


def test_corrections_are_the_reference_ones() -> None:
    make, source = model().synthesis, tuple(p.source for p in prepared())
    start = make.start(source, model().motion.at(pair_motion(), 0.4))  # type: ignore[arg-type]
    changes = [recorded(update) for update in (make.low, make.high)]
    make.low, make.high = changes  # type: ignore[assignment]
    try:
        make.corrected(start, matches(), 0.4)
    finally:
        make.low, make.high = (c.whole for c in changes)
    low, high = (c.flow for c in changes)
    low = 2 * torch.nn.functional.interpolate(low, scale_factor=2, mode="bilinear")
    assert_near(low[0], stored("pair")["low_dflow"], 1e-3)
    assert_near(high[0], stored("pair")["high_dflow"], 1e-3)


class recorded:  # noqa: N801
    """An update that remembers the change of flow it gave."""

    def __init__(self, whole: Any) -> None:
        self.whole, self.flow = whole, torch.empty(0)

    def __call__(self, *inputs: Tensor) -> Any:
        out = self.whole(*inputs)
        self.flow = out[0]
        return out


@pytest.mark.slow
def test_a_second_time_of_the_same_pair_gives_the_reference_picture() -> None:
    a, b = prepared()
    made = model().pair(a, b, [0.75])[0].clamp(0, 1)
    crop = golden_fill.dequantize(stored("pair")["out_t0.75_crop"])
    assert_near(middle(made, crop), crop, 1e-4, outliers=crop.size // 1000)
    assert_near(means(made), stored("pair")["out_t0.75_digest"], 1e-4)


@pytest.mark.slow
def test_half_the_size_for_motion_gives_the_reference_picture() -> None:
    net, file = model().at_scale(0.5), stored("ds05")
    a, b = (net.prepare(picture) for picture in frames(5, 256))
    assert_near(spaced(net.flows(a, b)[0][0], file["raft01"]), file["raft01"], 1e-3)
    made = net.pair(a, b, [0.4])[0].clamp(0, 1)
    crop = golden_fill.dequantize(file["out_t0.4_crop"])
    assert_near(middle(made, crop), crop, 1e-4, outliers=crop.size // 1000)
    assert_near(means(made), file["out_t0.4_digest"], 1e-4)


# --- mistakes that are easily made are noticed by those numbers -----------------------------


def off_by(got: Tensor, wanted: Any) -> float:
    return float((got.double().numpy() - wanted).__abs__().max())


def test_a_window_with_rows_and_columns_exchanged_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchanged = afterwards(
        Correlation._around,
        lambda window: window.view(-1, 9, 9).transpose(1, 2).reshape_as(window),
    )
    monkeypatch.setattr(Correlation, "_around", exchanged)
    assert off_by(first_step()[1][0], stored("pair")["upd0_delta"]) > 1e-2


def test_the_other_copy_of_the_norm_would_be_noticed() -> None:
    other = dict(state())
    for leaf in ("weight", "bias", "running_mean", "running_var"):
        for k in (2, 3):
            name = f"flow_estimator.cnet.layer{k}.0"
            key = f"{name}.norm3.{leaf}"
            other[f"{name}.downsample.1.{leaf}"] = torch.from_numpy(
                gimm_fill.fill_one(key, tuple(other[f"{name}.downsample.1.{leaf}"].shape))
            )
    out = Gimm(other, INFO, FLOAT).context(2 * frames()[0] - 1).out[0, ::32]
    assert off_by(out, stored("pair")["cnet"]) > 1e-2


def test_one_iteration_less_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raft, "ITERATIONS", 19)
    found = model().flows(*prepared())[0][0]
    wanted = stored("pair")["raft01"]
    assert off_by(spaced(found, wanted), wanted) > 2e-2


MOTION_MISTAKES: dict[str, Callable[[motion.PairMotion], motion.PairMotion]] = {
    "both motions in their own direction of time": lambda p: p._replace(
        latents=(p.latents[0], model().motion._encoded((p.flows[1] / p.scaler + 1) / 2))
    ),
    "weights of the other picture": lambda p: p._replace(weights=p.weights[::-1]),
    "weights from motions divided by the longest": lambda p: p._replace(
        weights=tuple(  # type: ignore[arg-type]
            model().motion.importance(x / p.scaler, y / p.scaler)
            for x, y in (p.flows, p.flows[::-1])
        )
    ),
    "motions exchanged": lambda p: p._replace(flows=p.flows[::-1]),
    "no weights": lambda p: p._replace(
        weights=(torch.ones_like(p.weights[0]), torch.ones_like(p.weights[0]))
    ),
}


@pytest.mark.parametrize("mistake", MOTION_MISTAKES)
def test_mistakes_in_the_motion_would_be_noticed(mistake: str) -> None:
    net, wanted = model().motion, stored("pair")["flowt_t0.4"]
    wrong = MOTION_MISTAKES[mistake](pair_motion())
    found = (2 * net.read(net.latent_at(wrong, 0.4), 0.4) - 1) * wrong.scaler
    assert off_by(spaced(found[0], wanted), wanted) > 10 * FLOWS


def test_mistakes_in_reading_the_motion_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    net, wanted = model().motion, stored("pair")["flowt_t0.4"]
    latent = net.latent_at(pair_motion(), 0.4)

    def error(found: Tensor) -> float:
        return off_by(spaced((2 * found - 1)[0] * pair_motion().scaler[0], wanted), wanted)

    assert error(net.read(latent, 0.6)) > 10 * FLOWS  # time backwards
    assert error(net.read(latent.flip(1), 0.4)) > 10 * FLOWS
    raw = [state()[f"hyponet.params_dict.linear_wb{k}"] for k in range(5)]
    monkeypatch.setattr(
        net, "layers", [(w[:-1].t()[:, :, None, None].contiguous(), w[-1]) for w in raw]
    )
    assert error(net.read(latent, 0.4)) > 10 * FLOWS  # columns as they are
    whole = [torch.nn.functional.normalize(w, dim=0) for w in raw]
    monkeypatch.setattr(
        net, "layers", [(w[:-1].t()[:, :, None, None].contiguous(), w[-1]) for w in whole]
    )
    assert error(net.read(latent, 0.4)) > 10 * FLOWS  # the bias normalised with them


def test_zeros_beyond_the_edge_instead_of_a_mirror_would_be_noticed() -> None:
    net = model().motion
    last = net.encoder.steps[-1]
    last.mirrors = False  # type: ignore[attr-defined]
    try:
        found = net.pair(*flows()).latents[0]
    finally:
        last.mirrors = True  # type: ignore[attr-defined]
    assert off_by(found[0, ::4, ::4, ::4], stored("pair")["latent0"]) > 1e-2


def test_mistakes_in_the_corrections_would_be_noticed() -> None:
    make, source = model().synthesis, tuple(p.source for p in prepared())
    start = make.start(source, model().motion.at(pair_motion(), 0.4))  # type: ignore[arg-type]
    right = make.corrected(start, matches(), 0.4)
    turned = start._replace(flow=torch.cat((start.flow[:, 2:], start.flow[:, :2]), 1))
    for wrong in (
        make.corrected(start, matches(), 0.6),
        make.corrected(turned, matches(), 0.4),
    ):
        assert float((wrong.flow - right.flow).abs().max()) > 1e-2
