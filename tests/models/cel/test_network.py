from __future__ import annotations

import dataclasses

import pytest
import torch

from rtvfi.core.errors import UsageError, WeightsMismatch
from rtvfi.models.base import Interpolator, Planes
from rtvfi.models.cel.match import correlate, normalise
from rtvfi.models.cel.network import (
    Cel,
    CelNet,
    blend,
    build,
    hold_still,
    largest_around,
    pack,
    upsample,
)
from rtvfi.models.cel.shape import CelShape

SMALL = CelShape(
    features=(6, 8, 10),
    match=(4, 4, 4),
    widths=(8, 8, 10),
    blocks=(1, 1, 2),
    hidden=4,
)


def picture(height: int, width: int, *, chroma_shift: int = 1, seed: int = 0) -> Planes:
    g = torch.Generator().manual_seed(seed)
    h, w = (-(-size >> chroma_shift) for size in (height, width))
    return Planes(
        torch.rand(1, 1, height, width, generator=g), torch.rand(1, 2, h, w, generator=g) - 0.5
    )


def random_net(shape: CelShape = SMALL) -> CelNet:
    """A network whose output layers are loud enough to move things."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        net = CelNet(shape)
        for name, parameter in net.named_parameters():
            if name.endswith("out.weight"):
                torch.nn.init.normal_(parameter, std=0.05)
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def net() -> CelNet:
    return random_net()


def between(model: Cel, a: Planes, b: Planes, *ts: float) -> Planes:
    with torch.inference_mode():
        return model.pair(model.prepare(a), model.prepare(b), ts)


def test_cel_is_an_interpolator(net: CelNet) -> None:
    assert isinstance(Cel(net), Interpolator)


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (64, 96), (61, 47), (130, 2)])
@pytest.mark.parametrize("chroma_shift", [0, 1])
@pytest.mark.parametrize("flow_scale", [1.0, 0.5, 0.25])
def test_any_size_comes_back_as_it_went_in(
    net: CelNet, size: tuple[int, int], chroma_shift: int, flow_scale: float
) -> None:
    a, b = (picture(*size, chroma_shift=chroma_shift, seed=seed) for seed in (1, 2))
    made = between(Cel(net, flow_scale), a, b, 0.25, 0.5)
    assert made.y.shape == (2, *a.y.shape[1:])
    assert made.uv.shape == (2, *a.uv.shape[1:])
    assert made.y.isfinite().all()
    assert made.uv.isfinite().all()


def test_several_timesteps_at_once_equal_one_by_one(net: CelNet) -> None:
    a, b = picture(70, 90, seed=1), picture(70, 90, seed=2)
    model = Cel(net)
    together = between(model, a, b, 0.2, 0.7)
    for k, t in enumerate((0.2, 0.7)):
        alone = between(model, a, b, t)
        torch.testing.assert_close(together.y[k : k + 1], alone.y, atol=1e-4, rtol=0)
        torch.testing.assert_close(together.uv[k : k + 1], alone.uv, atol=1e-4, rtol=0)


def test_the_timestep_matters(net: CelNet) -> None:
    made = between(Cel(net), picture(64, 64, seed=1), picture(64, 64, seed=2), 0.1, 0.9)
    assert (made.y[0] - made.y[1]).abs().max() > 0.01


def test_inputs_are_not_written_to(net: CelNet) -> None:
    a, b = picture(33, 50, seed=1), picture(33, 50, seed=2)
    before = [plane.clone() for plane in (*a, *b)]
    model = Cel(net)
    prepared = model.prepare(a), model.prepare(b)
    features = [level.clone() for level in prepared[0].levels]
    model.pair(*prepared, [0.5])
    for plane, copy in zip((*a, *b), before, strict=True):
        assert torch.equal(plane, copy)
    for level, copy in zip(prepared[0].levels, features, strict=True):
        assert torch.equal(level, copy)


@pytest.mark.parametrize("flow_scale", [1.0, 0.5])
def test_equal_pictures_give_that_picture(net: CelNet, flow_scale: float) -> None:
    a = picture(63, 90)
    made = between(Cel(net, flow_scale), a, Planes(*(p.clone() for p in a)), 0.3)
    torch.testing.assert_close(made.y, a.y, atol=5e-5, rtol=0)
    torch.testing.assert_close(made.uv, a.uv, atol=5e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gives_its_own_dtype_and_about_the_same_picture(dtype: torch.dtype) -> None:
    a, b = picture(64, 64, seed=1), picture(64, 64, seed=2)
    full = between(Cel(random_net()), a, b, 0.5)
    made = between(
        Cel(random_net().to(dtype)),
        Planes(*(p.to(dtype) for p in a)),
        Planes(*(p.to(dtype) for p in b)),
        0.5,
    )
    assert made.y.dtype == dtype
    assert (made.y.float() - full.y).abs().mean() < 0.05


@pytest.mark.parametrize("flow_scale", [2.0, 0.3, 0.75])
def test_other_flow_scales_are_refused(net: CelNet, flow_scale: float) -> None:
    with pytest.raises(UsageError, match=str(flow_scale)):
        Cel(net, flow_scale)


# --- loading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [CelShape(), SMALL, dataclasses.replace(SMALL, radii=(1, 1, 2), hidden=3)]
)
def test_build_reads_the_shape_off_the_tensors(shape: CelShape) -> None:
    original = CelNet(shape).eval()
    rebuilt = build(original.state_dict())
    assert rebuilt.shape == shape
    for name, tensor in rebuilt.state_dict().items():
        assert torch.equal(tensor, original.state_dict()[name])


def test_a_foreign_weight_file_is_refused() -> None:
    with pytest.raises(WeightsMismatch, match="cel"):
        build({"block0.conv.weight": torch.zeros(3)})


def test_a_weight_file_with_one_tensor_missing_is_refused() -> None:
    state = CelNet(SMALL).state_dict()
    del state["decoders.0.head.0.bias"]
    with pytest.raises(WeightsMismatch):
        build(state)


# --- parts -----------------------------------------------------------------------------------


def test_pack_keeps_the_four_luma_phases_apart() -> None:
    y = torch.tensor([[0.0, 0.1], [0.2, 0.3]])[None, None]
    packed = pack(Planes(y, torch.tensor([0.25, -0.5]).view(1, 2, 1, 1)))
    expected = torch.tensor([-0.5, -0.4, -0.3, -0.2, 0.5, -1.0])
    torch.testing.assert_close(packed.flatten(), expected)


def test_pack_averages_full_size_chroma() -> None:
    small = picture(6, 8)
    large = Planes(small.y, small.uv.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(pack(large), pack(small))


def test_correlation_is_highest_at_the_shift_between_the_pictures() -> None:
    between_both = normalise(torch.rand(1, 4, 16, 16, generator=torch.Generator().manual_seed(3)))
    dy, dx = 1, -2
    left = between_both.roll((-dy, -dx), (2, 3))  # left(x - d) shows what right(x + d) shows
    right = between_both.roll((dy, dx), (2, 3))
    costs = correlate(left, right, 2)
    assert costs.shape == (1, 25, 16, 16)
    assert (costs[0, :, 4:12, 4:12].argmax(0) == (dy + 2) * 5 + dx + 2).all()


def test_correlation_has_the_gradient_of_its_formula() -> None:
    g = torch.Generator().manual_seed(0)
    a, b = (
        torch.rand(1, 2, 4, 5, generator=g, dtype=torch.float64, requires_grad=True)
        for _ in range(2)
    )
    assert torch.autograd.gradcheck(lambda x, y: correlate(x, y, 1), (a, b))


def test_normalised_features_ignore_brightness_and_contrast() -> None:
    z = torch.rand(1, 4, 12, 12, generator=torch.Generator().manual_seed(1)) * 4
    torch.testing.assert_close(normalise(3 * z + 5), normalise(z), atol=5e-3, rtol=0)


def test_blend_fetches_each_picture_along_its_own_flow() -> None:
    left, right = picture(16, 16, seed=1), picture(16, 16, seed=2)
    state = torch.zeros(1, 5, 8, 8)
    state[:, 0], state[:, 4] = 1.0, 50.0  # one packed pixel right in the left picture, left only
    made = blend(left, right, state)
    torch.testing.assert_close(made.y[..., :-2], left.y[..., 2:], atol=1e-5, rtol=0)
    torch.testing.assert_close(made.uv[..., :-1], left.uv[..., 1:], atol=1e-5, rtol=0)
    state[:, 3], state[:, 4] = -1.0, -50.0
    made = blend(left, right, state)
    torch.testing.assert_close(made.y[..., 2:, :], right.y[..., :-2, :], atol=1e-5, rtol=0)


def test_the_largest_around_is_that_of_max_pooling() -> None:
    x = torch.rand(1, 1, 7, 9, generator=torch.Generator().manual_seed(4))
    assert torch.equal(largest_around(x), torch.nn.functional.max_pool2d(x, 3, 1, 1))


def test_upsampling_crops_what_is_too_large() -> None:
    assert upsample(torch.zeros(1, 1, 3, 4), 5, 7).shape == (1, 1, 5, 7)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 4), (3, 2)])
def test_a_processor_doubles_sizes_its_own_way_to_the_same_result(height: int, width: int) -> None:
    x = torch.rand(2, 3, height, width)
    wanted = upsample(x, 2 * height, 2 * width)
    with torch.inference_mode():
        assert torch.allclose(upsample(x, 2 * height, 2 * width), wanted, atol=1e-6)


# --- what rests ------------------------------------------------------------------------------


def state_of(flow: float) -> torch.Tensor:
    state = torch.zeros(1, 5, 12, 12)
    state[:, 0], state[:, 2], state[:, 4] = -flow, flow, 0.3
    return state


def test_a_tremble_where_both_pictures_agree_is_taken_away() -> None:
    difference = torch.zeros(1, 1, 12, 12)
    difference[..., 0] = 0.5
    held = hold_still(state_of(0.2), difference)
    assert held[:, 0:4, :, 3:].abs().max() == 0
    torch.testing.assert_close(held[:, :, :, :2], state_of(0.2)[:, :, :, :2])
    assert torch.equal(held[:, 4:5], state_of(0.2)[:, 4:5])


def test_what_passes_a_place_that_looks_the_same_before_and_after_keeps_its_flow() -> None:
    difference = torch.zeros(1, 1, 12, 12)
    difference[..., 0] = 0.5
    assert torch.equal(hold_still(state_of(3.0), difference), state_of(3.0))


def test_slow_motion_keeps_its_flow() -> None:
    assert torch.equal(hold_still(state_of(0.1), torch.full((1, 1, 12, 12), 0.1)), state_of(0.1))
