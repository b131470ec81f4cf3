"""Pictures made of made pictures take their samples from source pictures."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from fakes import stream_info
from made_weights import random_state

from rtvfi.models.base import HasMiddle
from rtvfi.models.catalogue import MODELS
from rtvfi.models.load import build_model
from rtvfi.models.rife.parts import Part, merged, picture_of, share
from rtvfi.stream.plan.batch import Retimes
from rtvfi.stream.plan.ladder import FULL, Variant
from rtvfi.stream.plan.planner import Copy, Mid, Retime
from rtvfi.stream.run.executors.interpolate import Interpolation
from rtvfi.stream.run.executors.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

CPU = torch.device("cpu")
HALF = Fraction(1, 2)
SIDE = 64


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def net() -> Any:
    return build_model(MODELS["rife-4.25.lite"], random_state("rife 4.25.lite"), CPU, torch.float32)


def stripes(seed: int = 0) -> Tensor:
    """A picture that loses by every fetch between pixels: (1, 3, SIDE, SIDE)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, SIDE, SIDE, generator=generator)


def shift(x: float) -> Tensor:
    return torch.tensor([x, 0.0]).view(1, 2, 1, 1).expand(1, 2, SIDE, SIDE)


def full(weight: float) -> Tensor:
    return torch.full((1, 1, SIDE, SIDE), float(weight))


# --- the arithmetic ---------------------------------------------------------------------------


def test_two_half_steps_are_one_whole_step_that_blurs_nothing() -> None:
    source = stripes()
    first = share(source, (), shift(0.5), full(1))
    second = share(picture_of(first), first, shift(0.5), full(1))
    inner = slice(2, SIDE - 2)
    made = picture_of(second)[..., inner]
    assert torch.allclose(made, source.roll(-1, 3)[..., inner], atol=1e-4)


def test_one_source_is_fetched_once_where_its_ways_agree() -> None:
    source = stripes()
    one, other = Part(source, shift(1.0), full(0.75)), Part(source, shift(2.0), full(0.25))
    (part,) = merged([one, other])
    assert torch.allclose(part.flow, shift(1.25))
    assert torch.allclose(part.weight, full(1))


def test_where_ways_disagree_the_one_with_more_of_the_picture_stands() -> None:
    source = stripes()
    one, other = Part(source, shift(1.0), full(0.4)), Part(source, shift(20.0), full(0.6))
    (part,) = merged([one, other])
    assert torch.equal(part.flow, shift(20.0))


def test_different_sources_stay_apart() -> None:
    a, b = stripes(0), stripes(1)
    parts = merged([Part(a, shift(0), full(0.25)), Part(b, shift(0), full(0.75))])
    assert [part.stack is s for part, s in zip(parts, (a, b), strict=True)] == [True, True]
    assert torch.allclose(picture_of(parts), 0.25 * a + 0.75 * b, atol=1e-5)


# --- the network ------------------------------------------------------------------------------


def test_the_first_middle_is_the_picture_of_the_pair(net: Any) -> None:
    a, b = (net.prepare(stripes(seed)) for seed in (0, 1))
    made, prepared = net.middle(a, b)
    assert torch.allclose(made, net.pair(a, b, [0.5]), atol=1e-5)
    assert torch.equal(prepared.stack, net.prepare(made).stack)


@pytest.mark.parametrize("name", ["rife-4.25.lite", "drba"])
def test_a_pyramid_has_as_many_parts_as_source_pictures(name: str) -> None:
    network = "rife 4.25.lite" if name == "rife-4.25.lite" else "rife 4.25"
    model: Any = build_model(MODELS[name], random_state(network), CPU, torch.float32)
    assert isinstance(model, HasMiddle)
    row = [model.prepare(stripes(seed)) for seed in range(4)]
    for size in (2, 3, 4):
        row = [model.middle(a, b)[1] for a, b in pairwise(row)]
        assert [len(prepared.parts) for prepared in row] == [size] * len(row)
    weights = sum(part.weight for part in row[0].parts)
    assert torch.allclose(weights, torch.ones_like(weights), atol=1e-4)


def test_a_batch_of_pictures_between_made_ones_is_each_of_them(net: Any) -> None:
    a, b, c = (net.prepare(stripes(seed)) for seed in range(3))
    left, right = net.middle(a, b)[1], net.middle(b, c)[1]
    both = net.pair(left, right, [0.25, 0.75])
    alone = torch.cat([net.pair(left, right, [t]) for t in (0.25, 0.75)])
    assert torch.allclose(both, alone, atol=1e-5)


def test_equal_pictures_stay_as_sharp_as_they_are(net: Any) -> None:
    # Moved by half a pixel and back by whatever the network finds: fetched once, not four times.
    a, b, c = (net.prepare(stripes(seed)) for seed in range(3))
    left, right = net.middle(a, b)[1], net.middle(b, c)[1]
    forgotten = [p._replace(parts=()) for p in (left, right)]
    once, twice = net.pair(left, right, [0.5]), net.pair(*forgotten, [0.5])

    def sharpness(picture: Tensor) -> float:
        return float(picture.diff(dim=3).abs().mean())

    assert sharpness(once) > sharpness(twice)


# --- in a film --------------------------------------------------------------------------------


def film() -> Pictures:
    info = stream_info(SIDE, SIDE)
    rng = np.random.default_rng(4)
    return Pictures(
        {(0, k): rng.integers(16, 235, info.payload_bytes).astype(np.uint8) for k in range(3)}
    )


def shown(executor: Interpolation, pictures: Pictures) -> bytes:
    executor.run(Mid((1, 0), (0, 0), (0, 1)), pictures)
    executor.run(Mid((1, 1), (0, 1), (0, 2)), pictures)
    retime = Retimes((Retime(0, Fraction(0), (1, 0), (1, 1), HALF),))
    return executor.run(retime, pictures)[0].tobytes()


def test_passes_of_an_executor_remember_their_parts(net: Any) -> None:
    executor = Interpolation(net, stream_info(SIDE, SIDE), CPU, torch.float32)
    shown(executor, film())
    assert len(executor._cache.prepared[1, 0].parts) == 2
    executor.keep({(1, 1)})
    assert (1, 0) not in executor._cache.prepared


def test_another_variant_goes_on_from_the_pictures_themselves(net: Any) -> None:
    executor, pictures = Interpolation(net, stream_info(SIDE, SIDE), CPU, torch.float32), film()
    executor.offer(Variant(0.5), net.at_scale(0.5))
    executor.run(Mid((1, 0), (0, 0), (0, 1)), pictures)
    copy = executor.run(Copy(1, Fraction(0), (1, 0)), pictures)[1].tobytes()
    executor.choose(Variant(0.5))
    retime = Retimes((Retime(0, Fraction(0), (1, 0), (0, 2), HALF),))
    assert executor.run(retime, pictures)[0].size
    assert executor._cache.prepared[1, 0].parts == ()
    executor.choose(FULL)
    assert executor.run(Copy(1, Fraction(0), (1, 0)), pictures)[1].tobytes() == copy
