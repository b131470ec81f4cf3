"""Sizes, types and pictures at the edge of what the networks were made for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from gmfss_nets import CPU, link, model, pictures, prepared, state
from torch.nn import functional

from benchmarks.plain_gmfss import PlainGmfss
from rtvfi.core.errors import OutOfMemory, UsageError
from rtvfi.models import memory
from rtvfi.models.gmfss import fusion, gmflow
from rtvfi.models.gmfss.gmflow import MOST_SCORES, expected
from rtvfi.models.gmfss.ratios import splat_steps
from rtvfi.models.tuning import Tuning

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = pytest.mark.usefixtures("inference")


def random_pictures(height: int, width: int, number: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(number, 1, 3, height, width, generator=generator)


# --- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(2, 2), (33, 51), (129, 130)])
def test_any_size_is_padded_and_cropped_never_stretched(size: tuple[int, int]) -> None:
    net = model("gmfss")
    a, b = (net.prepare(picture) for picture in random_pictures(*size))
    assert a.half.shape[-1] >= 64
    assert net.pair(a, b, [0.3]).shape == (1, 3, *size)
    # What is there before the padding is the picture itself.
    whole = net._padded(a.image)
    assert torch.equal(whole[..., : size[0], : size[1]], a.image)
    assert torch.equal(whole[..., -1, -1], a.image[..., -1, -1])


@pytest.mark.parametrize(("scale", "least"), [(0.25, 512), (0.5, 256), (1.0, 128), (2.0, 128)])
def test_small_pictures_grow_until_no_window_is_a_single_pixel(scale: float, least: int) -> None:
    net = model("gmfss", flow_scale=1.0).at_scale(scale)
    height, width = net._padded(torch.zeros(1, 3, 40, least + 1)).shape[-2:]
    assert height == least
    assert width == least + 64 / min(scale, 1)


def test_a_flow_scale_it_does_not_know_is_said() -> None:
    with pytest.raises(UsageError, match=r'"0\.3" of "gmfss.*" is not one of'):
        model("gmfss").at_scale(0.3)


@pytest.mark.slow
def test_windows_of_odd_size_are_those_of_the_plain_formulas() -> None:
    """192 x 320: windows of 3 x 5, shifted by 1 x 2; the plain ones roll, and add -100."""
    net, plain = model("gmfss"), PlainGmfss(state("gmfss"), metric_tanh=False)
    frames = functional.interpolate(pictures()[1:3], (192, 320), mode="bilinear")
    first, second = (frames[:1], frames[1:])
    out = net.pair(net.prepare(first), net.prepare(second), [0.4])
    difference = (out - plain(first, second, 0.4)).abs()
    assert difference.mean() < 1e-4
    assert (difference > 1e-3).float().mean() < 1e-3


# --- pictures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ["gmfss", "gmfss-union"])
def test_equal_and_plain_pictures_give_numbers(name: str, level: float) -> None:
    net = model(name)
    one = net.prepare(torch.full((1, 3, 64, 64), level))
    same = net.link(one, one)
    out = net.triple((one, one, one), (same, same), [0.75, 1.5])
    assert bool(out.isfinite().all())


def test_pixels_that_stand_still_on_both_sides_go_half_and_half() -> None:
    still = torch.zeros(1, 2, 4, 5)
    steps = splat_steps(0.3, still, still, torch.zeros(1, 1, 4, 5))
    torch.testing.assert_close(steps[0], torch.full((1, 1, 4, 5), 0.3))
    torch.testing.assert_close(steps[1], torch.full((1, 1, 4, 5), 0.7))


def test_a_metric_beyond_reason_gives_numbers() -> None:
    net, motion = model("gmfss"), link("gmfss", 1, 2)
    a, b = prepared("gmfss", 1), prepared("gmfss", 2)
    net.metric_net._layers._parameters["metric_out.1.bias"].add_(1000)
    try:
        wild = net.link(a, b)
        assert wild.metric_a.max() < motion.metric_a.max() + 100
        assert bool(net.between(a, b, wild, [0.5]).isfinite().all())
    finally:
        net.metric_net._layers._parameters["metric_out.1.bias"].sub_(1000)


def test_codes_beyond_black_and_white_are_clamped() -> None:
    net = model("gmfss")
    beyond = 3 * random_pictures(64, 64)[0] - 1
    assert net.prepare(beyond).image.min() == 0
    assert net.prepare(beyond).image.max() == 1


# --- memory and time ---------------------------------------------------------------------------


def test_matching_in_pieces_is_matching_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(2)
    query, key = (torch.randn(2, 60, 16, generator=generator) for _ in range(2))
    values = torch.randn(2, 60, 2, generator=generator)
    whole = (query @ key.mT / 4).softmax(-1) @ values
    monkeypatch.setattr(gmflow, "MOST_SCORES", 60 * 7)
    torch.testing.assert_close(expected(query, key, values), whole, atol=1e-5, rtol=0)
    assert MOST_SCORES * 4 < 100e6


def test_flow_in_pieces_is_flow_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gmflow, "MOST_TOKENS", 64)
    monkeypatch.setattr(gmflow, "MOST_SCORES", 1000)
    pair = (prepared("gmfss", 1).matchable, prepared("gmfss", 2).matchable)
    ab, ba = model("gmfss").gmflow.flows(*pair)
    for got, whole in ((ab, link("gmfss", 1, 2).ab), (ba, link("gmfss", 1, 2).ba)):
        assert (got - whole).abs().mean() < 1e-3


@pytest.mark.parametrize("pixels", [128, 128 * 5, 128 * 63])
def test_a_picture_made_in_strips_is_the_picture(
    pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = model("gmfss").fusion_net
    x = torch.randn(1, 64, 64, 128, generator=torch.Generator().manual_seed(3))
    whole = net._picture(x)
    monkeypatch.setattr(fusion, "STRIP_PIXELS", pixels)
    torch.testing.assert_close(net._picture(x), whole, atol=1e-5, rtol=0)


def test_a_picture_is_looked_at_once_and_a_pair_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net, calls = model("gmfss"), []

    def counted(kind: type, name: str) -> None:
        plain = getattr(kind, name)

        def call(*arguments: object) -> object:
            calls.append(name)
            return plain(*arguments)

        monkeypatch.setattr(kind, name, call)

    counted(gmflow.GmFlow, "features")
    counted(gmflow.GmFlow, "flows")
    a, b, c = (net.prepare(picture) for picture in random_pictures(64, 64, 3))
    net.pair(a, b, [0.25, 0.5, 0.75])
    links = (net.link(a, b), net.link(b, c))
    net.triple((a, b, c), links, [0.6, 0.8, 1.2, 1.4])
    assert calls.count("features") == 3
    assert calls.count("flows") == 3


# --- types -------------------------------------------------------------------------------------


def quick_half_convolutions(patch: pytest.MonkeyPatch) -> None:
    """Summed in float32 and rounded, as a GPU does it; a CPU without float16 takes minutes."""
    for name in ("conv2d", "conv_transpose2d"):
        plain = getattr(functional, name)

        def rounded(x: Tensor, weight: Tensor, *rest: Any, plain: Any = plain, **more: Any) -> Any:
            if x.dtype != torch.float16:
                return plain(x, weight, *rest, **more)
            whole = [r.float() if isinstance(r, torch.Tensor) else r for r in rest]
            more = {k: v.float() if isinstance(v, torch.Tensor) else v for k, v in more.items()}
            return plain(x.float(), weight.float(), *whole, **more).half()

        patch.setattr(functional, name, rounded)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "name", "least_db"),
    [
        (torch.float16, "gmfss", 34),
        (torch.bfloat16, "gmfss", 31),
        (torch.float16, "gmfss-union", 33),
        (torch.bfloat16, "gmfss-union", 31),
    ],
)
def test_half_precision_stays_near_float32(
    dtype: torch.dtype, name: str, least_db: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured 35.6, 32.8, 34.9 and 32.2 dB. These weights make matching so peaky that rounding the
    two pictures alone, and all else in float32, leaves 40.0 dB (float16) and 32.9 (bfloat16).
    """
    quick_half_convolutions(monkeypatch)
    whole = model(name).between(prepared(name, 1), prepared(name, 2), link(name, 1, 2), [0.4])
    net = model(name, tuning=Tuning(device=CPU, dtype=dtype))
    a, b = (net.prepare(pictures()[i : i + 1]) for i in (1, 2))
    out = net.pair(a, b, [0.4])
    assert out.dtype == dtype
    motion = net.link(a, b)
    assert motion.ab.dtype == motion.metric_a.dtype == torch.float32
    error = (out.float() - whole).square().mean()
    assert -10 * error.log10() > least_db


def test_a_picture_beyond_the_memory_is_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda _device: 1 << 20)
    net = model("gmfss").at_scale(0.5)
    monkeypatch.setattr(net, "feature_net", None)
    with pytest.raises(OutOfMemory, match="GMFSS needs up to"):
        net.prepare(torch.zeros(1, 3, 514, 64))
