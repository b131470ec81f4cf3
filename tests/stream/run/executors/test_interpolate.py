"""The executor: names become pictures once each, a pair is one call, payloads come out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from fakes import stream_info
from held import held

from rtvfi.core.frame import plane_views
from rtvfi.models.base import Planes
from rtvfi.models.linear.blend import Linear
from rtvfi.stream.plan.batch import Retimes, Retimes3
from rtvfi.stream.plan.ladder import FULL, Variant
from rtvfi.stream.plan.planner import Copy, Mid, Retime, Retime3
from rtvfi.stream.run.executors import interpolate
from rtvfi.stream.run.executors.interpolate import Interpolation
from rtvfi.stream.run.executors.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.stamp import ImageId

A, B, C = (0, 0), (0, 1), (0, 2)
HALF = Fraction(1, 2)
ZERO = Fraction(0)
INFO = stream_info()


class Counted(Linear):
    """The blend, writing down what it is asked."""

    def __init__(self) -> None:
        self.num_prepared = 0
        self.pairs: list[list[float]] = []

    def prepare(self, frame: Planes) -> Planes:
        self.num_prepared += 1
        return super().prepare(frame)

    def pair(self, a: Planes, b: Planes, ts: Sequence[float | Tensor]) -> Planes:
        self.pairs.append([float(t) for t in ts])
        return super().pair(a, b, ts)


def named(a: Planes, b: Planes) -> str:
    """A link that tells which pictures it is of."""
    return f"{float(a.y.mean()):.3f} {float(b.y.mean()):.3f}"


class Triple(Counted):
    """A three-frame model: the blend of the two it lies between."""

    def __init__(self) -> None:
        super().__init__()
        self.num_links = 0
        self.triples: list[list[float]] = []

    def link(self, a: Planes, b: Planes) -> str:
        self.num_links += 1
        return named(a, b)

    def triple(self, frames: Any, links: tuple[str, str], ts: Sequence[float]) -> Planes:
        assert list(links) == [named(a, b) for a, b in pairwise(frames)]
        self.triples.append(list(ts))
        return Linear().pair(frames[0], frames[1], ts)


class Coloured:
    """A blend that works on RGB."""

    def __init__(self) -> None:
        self.info = replace(Linear.info, picture="rgb")
        self.seen: list[tuple[int, ...]] = []

    def prepare(self, frame: Tensor) -> Tensor:
        self.seen.append(tuple(frame.shape))
        return frame

    def pair(self, a: Tensor, b: Tensor, ts: Sequence[float]) -> Tensor:
        return torch.cat([torch.lerp(a, b, t) for t in ts])


def grey(level: int, info: StreamInfo = INFO) -> NDArray[np.uint8]:
    """Luma of one level, neutral chroma."""
    payload = np.full(info.payload_bytes, 128, np.uint8)
    payload[: info.width * info.height] = level
    return payload


LEVELS = {A: grey(40), B: grey(80), C: grey(200)}
SOURCES = Pictures(LEVELS)


def executor(model: Any) -> Interpolation:
    return Interpolation(model, INFO, torch.device("cpu"), torch.float32)


def level(payload: NDArray[np.uint8]) -> int:
    """The one level of a grey payload."""
    luma, *chroma = plane_views(payload, INFO)
    assert luma.min() == luma.max()
    assert all((plane == 128).all() for plane in chroma)
    return int(luma[0, 0])


def retimes(*ts: Fraction, left: ImageId = A, right: ImageId = B) -> Retimes:
    return Retimes(tuple(Retime(10 + i, ZERO, left, right, t) for i, t in enumerate(ts)))


def test_a_pair_is_blended_at_every_timestep_in_one_call() -> None:
    model = Counted()
    made = executor(model).run(retimes(Fraction(1, 4), HALF, Fraction(3, 4)), SOURCES)
    assert {index: level(payload) for index, payload in made.items()} == {10: 50, 11: 60, 12: 70}
    assert model.pairs == [[0.25, 0.5, 0.75]]


def test_equal_pictures_give_that_picture_bit_by_bit() -> None:
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, INFO.payload_bytes).astype(np.uint8)
    made = executor(Linear()).run(retimes(HALF), Pictures({A: noise, B: noise.copy()}))
    assert made[10].tobytes() == noise.tobytes()


def test_every_payload_is_an_array_of_its_own() -> None:
    made = executor(Linear()).run(retimes(HALF, Fraction(3, 4)), SOURCES)
    assert made[10].flags.c_contiguous
    assert made[10].shape == (INFO.payload_bytes,)
    assert made[10].dtype == np.uint8
    assert not np.shares_memory(made[10], made[11])


def test_sources_are_not_written_to() -> None:
    sources = {name: payload.copy() for name, payload in LEVELS.items()}
    executor(Linear()).run(retimes(HALF), Pictures(sources))
    assert all(np.array_equal(sources[name], LEVELS[name]) for name in LEVELS)


def test_a_picture_is_prepared_once_for_all_its_pairs() -> None:
    model = Counted()
    work = executor(model)
    work.run(retimes(HALF), SOURCES)
    work.run(retimes(HALF, left=B, right=C), SOURCES)
    assert model.num_prepared == 3


def test_pictures_that_are_not_kept_are_freed() -> None:
    model = Counted()
    work = executor(model)
    work.run(retimes(HALF), SOURCES)
    assert held(work) == 2
    work.keep({B})
    assert held(work) == 1
    work.run(retimes(HALF, left=B, right=C), SOURCES)
    assert model.num_prepared == 3
    work.keep(())
    assert held(work) == 0


def test_a_reset_forgets_pictures_whose_names_come_again() -> None:
    work = executor(Linear())
    work.run(retimes(HALF), SOURCES)
    work.reset()
    made = work.run(retimes(HALF), Pictures({A: grey(100), B: grey(120)}))
    assert level(made[10]) == 110


# --- pictures made by a pass -----------------------------------------------------------------


def test_a_pass_shows_nothing() -> None:
    assert executor(Linear()).run(Mid((1, 0), A, B), SOURCES) == {}


def test_a_picture_made_by_a_pass_is_shown() -> None:
    work = executor(Linear())
    work.run(Mid((1, 0), A, B), SOURCES)
    made = work.run(Copy(7, ZERO, (1, 0)), SOURCES)
    assert level(made[7]) == 60


def test_a_picture_made_by_a_pass_shown_twice_is_downloaded_once() -> None:
    work = executor(Linear())
    work.run(Mid((1, 0), A, B), SOURCES)
    first = work.run(Copy(7, ZERO, (1, 0)), SOURCES)[7]
    assert work.run(Copy(8, ZERO, (1, 0)), SOURCES)[8] is first


def test_pictures_made_by_passes_go_into_pairs_and_further_passes() -> None:
    work = executor(Linear())
    work.run(Mid((1, 0), A, B), SOURCES)  # 60
    work.run(Mid((1, 1), B, C), SOURCES)  # 140
    work.run(Mid((2, 0), (1, 0), (1, 1)), SOURCES)  # 100
    made = work.run(retimes(HALF, left=(1, 0), right=(2, 0)), SOURCES)
    assert level(made[10]) == 80


def test_a_pass_is_not_rounded_to_codes_on_the_way() -> None:
    work = executor(Linear())
    sources = Pictures({A: grey(40), B: grey(41), C: grey(42)})
    work.run(Mid((1, 0), A, B), sources)  # 40.5
    work.run(Mid((1, 1), B, C), sources)  # 41.5
    made = work.run(retimes(HALF, left=(1, 0), right=(1, 1)), sources)
    assert level(made[10]) == 41


def test_a_picture_made_by_a_pass_is_freed_with_its_copy() -> None:
    work = executor(Linear())
    work.run(Mid((1, 0), A, B), SOURCES)
    work.run(Copy(7, ZERO, (1, 0)), SOURCES)
    work.keep({A})
    with pytest.raises(KeyError):
        work.run(Copy(8, ZERO, (1, 0)), SOURCES)


def test_a_copy_of_a_source_frame_is_its_very_payload() -> None:
    made = executor(Linear()).run(Copy(3, ZERO, B), SOURCES)
    assert made[3] is SOURCES[B]


# --- other models ----------------------------------------------------------------------------


def triple(index: int, names: tuple[ImageId, ImageId, ImageId], *ts: Fraction) -> Retimes3:
    ts = ts or (Fraction(1),)
    return Retimes3(tuple(Retime3(index + i, ZERO, *names, t) for i, t in enumerate(ts)))


def test_a_triple_is_one_call_with_links_on_both_sides() -> None:
    model = Triple()
    work = executor(model)
    work.run(triple(1, (A, B, C), Fraction(3, 4), Fraction(5, 4)), SOURCES)
    assert model.triples == [[0.75, 1.25]]
    assert model.num_links == 2


def test_neighbouring_triples_share_a_link_until_it_is_freed() -> None:
    model = Triple()
    work = executor(model)
    sources = Pictures({**LEVELS, (0, 3): grey(220), (0, 4): grey(230)})
    work.run(triple(1, (A, B, C)), sources)
    work.keep({B, C})
    work.run(triple(2, (B, C, (0, 3))), sources)
    assert model.num_links == 3
    work.keep({(0, 3)})
    work.run(triple(2, (B, C, (0, 3))), sources)
    assert model.num_links == 5


def test_a_two_frame_model_cannot_do_a_plan_for_three() -> None:
    with pytest.raises(TypeError, match="linear works on two frames"):
        executor(Linear()).run(triple(1, (A, B, C)), SOURCES)


def test_a_model_for_rgb_gets_rgb() -> None:
    model = Coloured()
    made = executor(model).run(retimes(HALF), SOURCES)
    assert model.seen == [(1, 3, INFO.height, INFO.width)] * 2
    assert level(made[10]) == 60


@pytest.mark.parametrize("name", ["yuv420p10le", "yuv444p", "yuv444p10le"])
def test_every_format_goes_in_and_out(name: str) -> None:
    info = stream_info(33, 17, format=name)
    rng = np.random.default_rng(3)
    samples = rng.integers(0, 256, info.payload_bytes // info.format.sample_bytes)
    dtype = np.dtype("u1" if info.format.bits == 8 else "<u2")
    low, high = samples.astype(dtype), (samples + 3).clip(max=255).astype(dtype)
    work = Interpolation(Linear(), info, torch.device("cpu"), torch.float32)
    made = work.run(retimes(HALF), Pictures({A: low.view(np.uint8), B: high.view(np.uint8)}))[10]
    error = abs(made.view(dtype).astype(float) - (low.astype(float) + high) / 2)
    assert error.max() <= 0.5


# --- cheaper ways to run ----------------------------------------------------------------------


class Dark(Linear):
    """Gives black pictures."""

    def pair(self, a: Any, b: Any, ts: Any) -> Any:
        return Planes(*(0 * plane for plane in super().pair(a, b, ts)))


def test_a_variant_is_used_from_the_next_batch_on_and_left_again() -> None:
    model, half = Counted(), Variant(0.5)
    work = executor(model)
    bright = work.run(retimes(HALF), SOURCES)[10]
    assert set(work.variants) == set()
    work.offer(half, Dark())
    assert set(work.variants) == {half}
    assert np.array_equal(work.run(retimes(HALF), SOURCES)[10], bright)
    work.choose(half)
    assert not np.array_equal(work.run(retimes(HALF), SOURCES)[10], bright)
    work.choose(FULL)
    work.choose(FULL)
    assert np.array_equal(work.run(retimes(HALF), SOURCES)[10], bright)
    assert model.num_prepared == 4


def test_pictures_made_by_passes_outlive_a_change_of_variant() -> None:
    work = executor(Linear())
    work.offer(Variant(0.5), Linear())
    work.run(Mid((1, 0), A, B), SOURCES)
    made = work.run(Copy(3, Fraction(1), (1, 0)), SOURCES)[3]
    work.choose(Variant(0.5))
    work.keep({(1, 0), B})
    assert np.array_equal(work.run(Copy(4, Fraction(1), (1, 0)), SOURCES)[4], made)
    assert len(work.run(retimes(HALF, left=(1, 0), right=B), SOURCES)) == 1


@pytest.mark.parametrize(("full", "lite"), [(Coloured, Linear), (Linear, Coloured)])
def test_a_lighter_network_may_take_pictures_of_another_kind(full: Any, lite: Any) -> None:
    work = executor(full())
    work.offer(lighter := Variant(1.0, is_lite=True), lite())
    work.run(Mid((1, 0), A, B), SOURCES)
    for chosen in (FULL, lighter, FULL):
        work.choose(chosen)
        between = work.run(retimes(HALF, left=(1, 0), right=C), SOURCES)[10]
        assert level(between) == pytest.approx(130, abs=1)


class Slow(Linear):
    """Takes time by a clock of its own."""

    def __init__(self, clock: list[float], seconds: float) -> None:
        self.clock, self.seconds = clock, seconds

    def pair(self, a: Planes, b: Planes, ts: Sequence[float | Tensor]) -> Planes:
        self.clock[0] += self.seconds
        return super().pair(a, b, ts)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.01, {}), (20.0, {FULL: 20.0, Variant(0.5): 0.01})]
)
def test_what_a_slow_network_takes_is_known_before_its_first_call(
    seconds: float, expected: dict[Variant, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(interpolate, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    work = executor(Slow(clock, seconds))
    work.warm_up()
    work.offer(Variant(0.5), Slow(clock, 0.01))
    assert work.expected == pytest.approx(expected)
    assert work.warm_up_seconds == pytest.approx(seconds)


# --- figures ---------------------------------------------------------------------------------


def test_a_warm_up_leaves_nothing_behind() -> None:
    model = Counted()
    work = executor(model)
    work.warm_up()
    assert len(model.pairs) == 1
    assert held(work) == 0
    times = work.take_times()
    assert (times.convert, times.model, times.download) == (0, 0, 0)


def test_times_are_given_once() -> None:
    work = executor(Linear())
    work.run(retimes(HALF), SOURCES)
    times = work.take_times()
    assert min(times.convert, times.model, times.download) > 0
    assert work.take_times().download == 0


@pytest.mark.parametrize("name", ["yuv420p", "yuv444p10le"])
def test_forms_are_compared_on_pictures_of_the_stream(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def chosen(model: Any, pictures: Any, *rest: Any) -> Any:
        asked.extend((pictures(), rest))
        return model

    monkeypatch.setattr(interpolate, "fastest", chosen)
    cpu, info = torch.device("cpu"), stream_info(format=name)
    Interpolation(Linear(), info, cpu, torch.float32).warm_up("graph", 3)
    pictures, rest = asked
    assert rest[:3] == (cpu, "graph", 3)
    lumas = [planes.y for planes in pictures]
    assert [y.shape for y in lumas] == [(1, 1, info.height, info.width)] * 3
    assert all(0 < y.min() < 0.3 < 0.7 < y.max() < 1.1 for y in lumas)
    assert all((a - b).abs().max() > 0.1 for a, b in pairwise(lumas))
