"""What holds for every model behind ``base.Interpolator``, whatever its weights."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
import torch
from made_weights import random_state

from rtvfi.models.base import Interpolator, Planes, TripleInterpolator
from rtvfi.models.catalogue import MODELS
from rtvfi.models.cel.network import Cel, CelNet
from rtvfi.models.dis.family import DisOnTensors
from rtvfi.models.linear.blend import Linear, Nearest
from rtvfi.models.load import build_model
from rtvfi.models.weights.store import manifest, weight_name

CPU = torch.device("cpu")
NAMES = [
    "linear",
    "copy",
    "dis",
    "cel",
    "rife-4.0",
    "rife-4.6",
    "rife-4.25",
    "rife-4.25.lite",
    "drba",
]
NAMES += ["distil-drba-v1", "distil-drba-v2-lite", "gmfss-union"]
NAMES += ["interpany-rife-t", "interpany-rife-dr", "interpany-ifrnet-d", "interpany-amt-d"]
"""One of every family, and of every way RIFE versions differ."""
TRIPLES = [name for name in NAMES if MODELS[name].num_frames == 3]

pytestmark = pytest.mark.usefixtures("inference")


@lru_cache
def model(name: str) -> Interpolator:
    if name == "linear":
        return Linear()
    if name == "dis":
        return DisOnTensors(1.0)
    if name == "copy":
        return Nearest()
    if name == "cel":
        torch.manual_seed(3)
        return Cel(CelNet().eval())
    network = manifest()[weight_name(MODELS[name]) or ""].network
    return build_model(MODELS[name], random_state(network), CPU, torch.float32)


def picture(name: str, seed: int, height: int = 44, width: int = 70) -> Any:
    generator = torch.Generator().manual_seed(seed)
    if MODELS[name].picture == "rgb":
        return torch.rand(1, 3, height, width, generator=generator)
    half = (-(-height // 2), -(-width // 2))
    y = torch.rand(1, 1, height, width, generator=generator)
    return Planes(y, torch.rand(1, 2, *half, generator=generator) - 0.5)


def tensors(picture: Any) -> list[torch.Tensor]:
    return list(picture) if isinstance(picture, Planes) else [picture]


def between(name: str, ts: list[float], height: int = 44, width: int = 70) -> list[torch.Tensor]:
    net = model(name)
    a, b = (net.prepare(picture(name, seed, height, width)) for seed in (1, 2))
    return tensors(net.pair(a, b, ts))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_an_interpolator_with_the_row_of_the_catalogue(name: str) -> None:
    net = model(name)
    assert isinstance(net, Interpolator)
    assert isinstance(net, TripleInterpolator) == (MODELS[name].num_frames == 3)
    assert net.info == MODELS[name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("height", "width"), [(44, 70), (33, 51), (64, 128)])
def test_size_and_dtype_are_those_of_the_input(name: str, height: int, width: int) -> None:
    wanted = tensors(picture(name, 1, height, width))
    for got, like in zip(between(name, [0.5], height, width), wanted, strict=True):
        assert got.shape == like.shape
        assert got.dtype == like.dtype
        assert bool(got.isfinite().all())


@pytest.mark.parametrize("name", NAMES)
def test_a_blend_of_moved_pixels_stays_in_the_range_of_the_input(name: str) -> None:
    for got in between(name, [0.25, 0.75]):
        assert got.min() >= -0.51
        assert got.max() <= 1.01


@pytest.mark.parametrize("name", NAMES)
def test_timesteps_of_one_call_are_those_of_single_calls_in_order(name: str) -> None:
    ts = [0.75, 0.25, 0.5]
    together = between(name, ts)
    for i, t in enumerate(ts):
        for got, alone in zip(together, between(name, [t]), strict=True):
            assert got.shape[0] == len(ts)
            torch.testing.assert_close(got[i : i + 1], alone, atol=2e-3, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_not_written_to(name: str) -> None:
    net = model(name)
    pictures = [picture(name, seed) for seed in (1, 2)]
    before = [t.clone() for p in pictures for t in tensors(p)]
    a, b = (net.prepare(p) for p in pictures)
    first = [t.clone() for t in tensors(net.pair(a, b, [0.3]))]
    again = tensors(net.pair(a, b, [0.3]))
    assert all(map(torch.equal, [t for p in pictures for t in tensors(p)], before))
    assert all(map(torch.equal, first, again))


@pytest.mark.parametrize("name", TRIPLES)
def test_the_centre_of_a_triple_is_that_picture_and_both_sides_have_its_size(name: str) -> None:
    net = model(name)
    assert isinstance(net, TripleInterpolator)
    pictures = [picture(name, seed) for seed in (1, 2, 3)]
    a, b, c = (net.prepare(p) for p in pictures)
    out = net.triple((a, b, c), (net.link(a, b), net.link(b, c)), [0.5, 1.0, 1.4])
    assert isinstance(out, torch.Tensor)
    assert out.shape == (3, *pictures[1].shape[1:])
    assert torch.equal(out[1:2], pictures[1])


def test_equal_pictures_give_that_picture_without_weights() -> None:
    net = Linear()
    one = picture("linear", 1)
    for got, like in zip(net.pair(one, one, [0.3]), one, strict=True):
        assert torch.equal(got, like)


def test_copy_is_the_nearer_picture() -> None:
    net = Nearest()
    a, b = picture("copy", 1), picture("copy", 2)
    out = net.pair(a, b, [0.25, 0.5, 0.75])
    assert torch.equal(out.y, torch.cat([a.y, a.y, b.y]))
