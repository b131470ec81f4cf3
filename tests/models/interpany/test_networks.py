from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import golden_fill
import pytest
import torch
from fakes import afterwards
from goldens_at import GOLDENS, assert_near
from models.interpany.networks import (
    CLASSES,
    golden,
    inputs,
    network,
    picture_cases,
    pixels_kept,
    run,
    shapes,
    state,
    stored_picture,
)

from rtvfi.models.interpany import amt, schedule
from rtvfi.models.interpany.parts import Reference

if TYPE_CHECKING:
    from torch import Tensor

EXACT = 5e-5

pytestmark = pytest.mark.usefixtures("inference")


def cases() -> list[Any]:
    out = []
    for name in CLASSES:
        for case_id in picture_cases(name):
            # 65 million parameters take seconds to make up; one set of them is enough for a day
            is_slow = name == "ema" and "DR" in case_id
            out.append(pytest.param(name, case_id, marks=[pytest.mark.slow] if is_slow else []))
    return out


@pytest.mark.parametrize(("name", "case_id"), cases())
def test_reference_numbers(name: str, case_id: str) -> None:
    got = pixels_kept(name, case_id, run(name, case_id).picture)
    assert_near(got, stored_picture(name, case_id), EXACT)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("has_reference", [False, True])
def test_names_and_shapes_are_those_of_the_checkpoints(name: str, has_reference: bool) -> None:
    lists = json.loads((GOLDENS / "interpany_keys.json").read_text(encoding="utf-8"))
    wanted = lists[f"{name}_{'TR_and_DR' if has_reference else 'T_and_D'}"]
    assert shapes(name, has_reference) == {key: tuple(shape) for key, shape in wanted.items()}


@pytest.mark.parametrize("name", ["rife", "ifrnet", "amt"])
@pytest.mark.parametrize("has_reference", [False, True])
def test_parameters_are_those_the_reference_numbers_were_made_with(
    name: str, has_reference: bool
) -> None:
    wanted = golden(name).meta["crc"]["R" if has_reference else "T/D"]
    arrays = {key: value.numpy() for key, value in state(name, has_reference).items()}
    assert golden_fill.checksum(arrays) == wanted


def test_rife_flows_masks_and_blends_are_the_reference_ones() -> None:
    arrays = golden("rife").arrays
    for case_id in ("D.map", "DR.x5"):
        estimate = run("rife", case_id)
        for flow, wanted in zip(estimate.flows, arrays[f"{case_id}.flows"], strict=True):
            assert_near(flow[0, :, 3::8, 3::8], wanted, 1e-4)
        assert_near(estimate.masks[-1][0, :, 3::8, 3::8], arrays[f"{case_id}.mask"], EXACT)
    blend = run("rife", "D.map").merged[1][0, :, 1::3, 1::3]
    assert_near(blend, golden_fill.dequantize(arrays["D.map.merged1"]), EXACT)


@pytest.mark.parametrize("name", ["ifrnet", "amt"])
def test_flows_of_the_coarser_levels_are_the_reference_ones(name: str) -> None:
    flows = run(name, "D.map").flows
    for level in (1, 2, 3):
        for side in (0, 1):
            got = flows[3 - level][0, 2 * side : 2 * side + 2, 1::4, 1::4]
            assert_near(got, golden(name).arrays[f"D.map.flow{side}_{level}"], 2e-4)


def test_ema_looks_motions_and_flows_are_the_reference_ones() -> None:
    net, given = network("ema", has_reference=False), inputs("ema", "D.map")
    shared = net.encode(given.img0, given.img1)
    arrays = golden("ema").arrays
    for stage, step in ((3, 4), (4, 2)):
        for kind, found in (("af", shared.looks[stage]), ("mf", shared.motions[stage - 3])):
            got = found[:, ::16, 1::step, 1::step]
            assert_near(got, arrays[f"D.{kind}{stage}"], 2e-4)
    flows = net.decode(shared, given.gone).flows
    for flow, wanted in zip(flows, arrays["D.map.flows"], strict=True):
        assert_near(flow[0, :, 3::8, 3::8], wanted, 1e-4)


@pytest.mark.parametrize("name", ["rife", "ifrnet", "amt"])
def test_a_time_is_the_map_that_has_it_everywhere(name: str) -> None:
    given = inputs(name, picture_cases(name)[0])
    net = network(name, has_reference=False)
    shared = net.encode(given.img0, given.img1)
    uniform = torch.full_like(given.gone, 0.25)
    assert_near(net.decode(shared, uniform).picture,
                net.decode(shared, torch.tensor(0.25).expand_as(uniform)).picture.numpy(),
                1e-6)  # fmt: skip


# --- mistakes that would look plausible ----------------------------------------------------------


def error(name: str, case_id: str, got: Tensor) -> float:
    difference = pixels_kept(name, case_id, got).numpy() - stored_picture(name, case_id)
    return float(abs(difference).max())


@pytest.mark.parametrize("name", ["rife", "ifrnet", "amt"])
def test_indices_of_target_and_reference_exchanged_would_show(name: str) -> None:
    case_id = "DR.map.it2" if name == "rife" else "DR.it2"
    given, net = inputs(name, case_id), network(name, has_reference=True)
    shared, reference = net.encode(given.img0, given.img1), given.start
    for target, start in schedule.steps(given.gone, given.start.gone, 2):
        made = net.decode(shared, start, Reference(reference.picture, target)).picture
        reference = Reference(made, target)
    assert error(name, case_id, reference.picture) > 0.01


@pytest.mark.parametrize("name", ["rife", "ifrnet", "amt"])
def test_a_wrong_first_reference_would_show(name: str) -> None:
    case_id = "DR.map.it2" if name == "rife" else "DR.it2"
    given, net = inputs(name, case_id), network(name, has_reference=True)
    start = Reference(given.img1, given.start.gone)
    shared = net.encode(given.img0, given.img1)
    made = schedule.step_by_step(net, shared, given.gone, start, 2).picture
    assert error(name, case_id, made) > 0.01


def test_an_index_that_is_not_stepped_would_show() -> None:
    given, net = inputs("rife", "DR.map.it2"), network("rife", has_reference=True)
    shared, reference = net.encode(given.img0, given.img1), given.start
    for _ in range(2):
        made = net.decode(shared, given.gone, reference).picture
        reference = Reference(made, given.gone)
    assert error("rife", "DR.map.it2", reference.picture) > 0.01


def test_windows_of_similarities_the_other_way_round_would_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turned = afterwards(
        amt.similarities,
        lambda out: out.view(1, 4, 7, 7, *out.shape[-2:]).transpose(2, 3).reshape(out.shape),
    )
    monkeypatch.setattr(amt, "similarities", turned)
    assert error("amt", "D.map", run("amt", "D.map").picture) > 0.01


def test_the_index_divided_by_in_the_wrong_direction_would_show() -> None:
    net = network("amt", has_reference=False)
    assert isinstance(net, amt.AmtNet)
    right = net._similar
    net._similar = (  # type: ignore[method-assign]
        lambda matches, flow, gone: right(matches, flow, 1 - gone)
    )
    assert error("amt", "D.map", run("amt", "D.map", net).picture) > 0.01


def test_the_scale_of_one_call_is_not_that_of_the_next() -> None:
    net = network("rife", has_reference=False)
    for _ in range(2):
        assert error("rife", "D.s05", run("rife", "D.s05", net).picture) < EXACT


# --- similarities ----------------------------------------------------------------------------


def test_similarities_in_small_portions_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    here, there = torch.randn(2, 1, 84, 16, 20)
    flow = 3 * torch.randn(1, 2, 16, 20)
    whole = amt.similarities(here, there, flow)
    monkeypatch.setattr(amt, "MOST_PAIRS", 16 * 20 * 7)
    assert_near(amt.similarities(here, there, flow), whole.numpy(), 1e-5)


def test_a_place_is_most_similar_to_where_it_went() -> None:
    torch.manual_seed(1)
    here = torch.randn(1, 84, 16, 20)
    there = here.roll((1, 2), (2, 3))  # one down, two right
    found = amt.similarities(here, there, torch.zeros(1, 2, 16, 20))[0, :49, 8, 10]
    assert divmod(int(found.argmax()), 7) == (2 + 3, 1 + 3)


@pytest.mark.parametrize("size", [(128, 128), (144, 208)])
def test_amt_is_finite_where_the_index_is_0_or_1(size: tuple[int, int]) -> None:
    net = network("amt", has_reference=False)
    frames = torch.from_numpy(golden_fill.make_frames(5, *size, 2))
    shared = net.encode(frames[:1], frames[1:])
    for value in (0.0, 1.0):
        made = net.decode(shared, torch.full((1, 1, *size), value)).picture
        assert bool(made.isfinite().all())
