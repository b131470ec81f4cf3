from __future__ import annotations

import json

import golden_fill
import numpy as np
import pytest
import torch
from goldens_at import GOLDENS, assert_near
from torch.nn import functional

from rtvfi.models.warp import backwarp, backwarp_centres, centres, enlarge, shrink, splat


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_backwarp_fetches_from_where_the_flow_points() -> None:
    image = noise(1, 3, 6, 8)
    flow = torch.zeros(1, 2, 6, 8)
    flow[:, 0], flow[:, 1] = 2, -1
    torch.testing.assert_close(
        backwarp(image, flow)[..., 1:, :-2], image[..., :-1, 2:], atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
@pytest.mark.parametrize("channels", [1, 2, 5, 24])
def test_threads_of_a_processor_share_a_picture_without_a_trace(
    channels: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, flow = noise(1, channels, 9, 14), 8 * noise(1, 2, 9, 14, seed=1) - 4
    whole = backwarp(image, flow)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    with torch.inference_mode():
        assert torch.equal(backwarp(image, flow), whole)


def test_backwarp_repeats_the_border() -> None:
    image = noise(1, 1, 5, 7)
    flow = torch.zeros(1, 2, 5, 7)
    flow[:, 0] = 100
    torch.testing.assert_close(backwarp(image, flow), image[..., -1:].expand_as(image))


def test_backwarp_of_half_precision_keeps_half_pixels_far_to_the_right() -> None:
    image = torch.arange(2048).remainder(2).float().expand(1, 1, 2, 2048).half()
    flow = torch.zeros(1, 2, 2, 2048, dtype=torch.float16)
    flow[:, 0] = 0.5
    out = backwarp(image, flow)
    assert out.dtype == torch.float16
    torch.testing.assert_close(
        out[..., :-1], torch.full_like(out[..., :-1], 0.5), atol=1e-3, rtol=0
    )


def test_backwarp_passes_gradients_after_inference_mode_filled_its_cache() -> None:
    image, flow = noise(1, 1, 9, 11), noise(1, 2, 9, 11).requires_grad_()
    with torch.inference_mode():
        backwarp(image, torch.zeros(1, 2, 9, 11))
    (gradient,) = torch.autograd.grad(backwarp(image, flow).square().sum(), flow)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("cell", [2, 4, 8, 16, 32])
def test_shrinking_reads_the_middle_of_each_cell(cell: int) -> None:
    image = noise(2, 3, 64, 96)
    plain = functional.interpolate(image, scale_factor=1 / cell, mode="bilinear")
    torch.testing.assert_close(shrink(image, cell), plain, atol=1e-6, rtol=0)


@pytest.mark.parametrize("cell", [2, 4, 16])
def test_warping_only_the_centres_equals_warping_then_shrinking(cell: int) -> None:
    image, flow = noise(2, 3, 32, 48), 9 * (noise(2, 2, 32, 48, seed=1) - 0.5)
    torch.testing.assert_close(
        backwarp_centres(image, centres(flow, cell), cell),
        shrink(backwarp(image, flow), cell),
        atol=1e-5,
        rtol=0,
    )


@pytest.mark.parametrize(("large", "small"), [(16, 8), (32, 4), (8, 2)])
def test_enlarging_then_shrinking_is_enlarging_less(large: int, small: int) -> None:
    coarse = noise(1, 2, 3, 4)
    torch.testing.assert_close(
        shrink(enlarge(coarse, large), small), enlarge(coarse, large / small), atol=1e-6, rtol=0
    )


SPLATS = "sum avg linear soft avg-zeroeps linear-zeroeps soft-addeps soft-zeroeps soft-clipeps"


@pytest.mark.parametrize("name", SPLATS.split())
def test_splat_gives_the_reference_numbers(name: str) -> None:
    stored = np.load(GOLDENS / "rife_softsplat.npz")
    image = np.stack([golden_fill.make_frames(41 + i, 14, 19, 1)[0] for i in range(2)])
    flow = np.stack([golden_fill.make_flow(51 + i, 14, 19, 5.0) for i in range(2)])
    for n, channel, y, x, value in json.loads(str(stored["meta"]))["edits"]:
        flow[n, slice(None) if channel == "both" else channel, y, x] = np.float32(value)
    metric = np.stack([golden_fill.make_flow(61 + i, 14, 19, 1.5)[:1] for i in range(2)])
    mode, _, suffix = name.partition("-")
    out = splat(
        torch.from_numpy(image),
        torch.from_numpy(flow),
        mode,  # type: ignore[arg-type]
        {"linear": torch.from_numpy(np.abs(metric) + 0.1), "soft": torch.from_numpy(metric)}.get(
            mode
        ),
        {"": "add", "addeps": "add", "zeroeps": "zero", "clipeps": "clip"}[suffix],  # type: ignore[arg-type]
    )
    assert_near(out, stored[name], 1e-5)


def test_splat_of_half_precision_has_no_false_holes_far_to_the_right() -> None:
    flow = torch.zeros(1, 2, 1, 2048, dtype=torch.float16)
    flow[:, 0] = 0.5
    mass = splat(torch.ones(1, 1, 1, 2048, dtype=torch.float16), flow, "sum")
    assert torch.equal(mass[..., 1:], torch.ones_like(mass[..., 1:]))


def test_splat_refuses_a_metric_where_none_is_used() -> None:
    image = noise(1, 1, 2, 2)
    with pytest.raises(ValueError, match="avg"):
        splat(image, torch.zeros(1, 2, 2, 2), "avg", image)
