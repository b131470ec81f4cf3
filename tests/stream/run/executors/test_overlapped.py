"""Copies beside the work: the pictures of the plain executor, whenever copies are made."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from fakes import stream_info
from held import held
from lanes import COPY_SECONDS, LateLanes
from on_device import watched
from overlapping import (
    CPU,
    HALF,
    INFO,
    WORK,
    ZERO,
    A,
    B,
    C,
    D,
    between,
    film,
    network,
    overlapped,
    retimes,
    shown,
)

from rtvfi.core.errors import BadPicture
from rtvfi.core.frame import PIXEL_FORMATS
from rtvfi.models.linear.blend import Linear
from rtvfi.stream.plan.batch import Retimes3
from rtvfi.stream.plan.ladder import FULL, Variant
from rtvfi.stream.plan.planner import Copy, Mid, Retime3
from rtvfi.stream.run.executors.interpolate import Interpolation
from rtvfi.stream.run.executors.lanes import DirectLanes
from rtvfi.stream.run.executors.overlapped import DEPTH
from rtvfi.stream.run.executors.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rtvfi.models.base import Planes

    Payload = NDArray[np.uint8]

# --- the same pictures ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["linear", "rife-4.25.lite", "cel"])
def test_pictures_are_those_of_the_plain_path(name: str) -> None:
    wanted = shown(Interpolation(network(name), INFO, CPU, torch.float32))
    assert shown(overlapped(network(name))) == wanted
    assert shown(overlapped(network(name), DirectLanes())) == wanted
    assert sorted(wanted) == list(range(11))


@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
def test_of_every_pixel_format_too(pixel_format: str) -> None:
    info = stream_info(33, 17, format=pixel_format)
    wanted = shown(Interpolation(Linear(), info, CPU, torch.float32), info)
    assert shown(overlapped(Linear(), info=info), info) == wanted


def test_and_with_little_memory() -> None:
    wanted = shown(Interpolation(Linear(), INFO, CPU, torch.float32))
    bounded = overlapped(Linear())
    bounded.most_new, bounded.most_prepared = 1, 2
    assert shown(bounded) == wanted


class Three(Linear):
    """Three frames."""

    def link(self, a: Planes, b: Planes) -> None:
        return None

    def triple(self, frames: Any, links: Any, ts: Sequence[float]) -> Planes:
        return self.pair(frames[0], frames[2], [t / 2 for t in ts])


def test_and_of_models_of_three_frames() -> None:
    outputs = tuple(Retime3(i, ZERO, A, B, C, Fraction(i + 3, 4)) for i in range(3))
    work = [Retimes3(outputs), Retimes3((Retime3(3, ZERO, B, C, D, Fraction(1)),))]
    wanted = shown(Interpolation(Three(), INFO, CPU, torch.float32), work=work)
    assert shown(overlapped(Three()), work=work) == wanted


def test_arrays_belong_to_whoever_asked() -> None:
    executor, pictures = overlapped(Linear()), film(INFO)
    first = executor.run(WORK[0], pictures)
    before = {k: p.copy() for k, p in first.items()}
    for piece in WORK[1:]:
        executor.run(piece, pictures)
    assert all(np.array_equal(before[k], first[k]) for k in first)
    assert not np.shares_memory(first[0], first[1])


# --- what is done when ------------------------------------------------------------------------


def test_the_next_pair_is_at_work_before_a_picture_comes_down() -> None:
    lanes = LateLanes()
    executor, pictures = overlapped(Linear(), lanes), film(INFO)
    first = executor.launch(retimes(0, A, B, HALF), pictures)
    second = executor.launch(retimes(1, B, C, HALF), pictures)
    assert "down done" not in lanes.log
    assert lanes.log.count("up done") == 3
    assert not first.is_done
    assert 0 in first.finish()
    assert first.is_done
    assert not second.is_done
    assert lanes.num_waiting == 1


def test_pictures_may_be_asked_for_in_any_order() -> None:
    executor, pictures = overlapped(Linear()), film(INFO)
    pieces = [retimes(0, A, B, HALF), retimes(1, B, C, HALF)]
    wanted = [executor.run(piece, pictures) for piece in pieces]
    first, second = (executor.launch(piece, pictures) for piece in pieces)
    assert np.array_equal(second.finish()[1], wanted[1][1])
    assert np.array_equal(first.finish()[0], wanted[0][0])
    assert first.finish()[0] is first.finish()[0]


def test_buffers_are_few_however_much_is_under_way() -> None:
    lanes = LateLanes()
    executor, pictures = overlapped(Linear(), lanes), film(INFO)
    many = [executor.launch(between(i, i), pictures) for i in range(5)]
    assert lanes.num_waiting <= DEPTH + 1
    wanted = Interpolation(Linear(), INFO, CPU, torch.float32)
    for i, pending in enumerate(many):
        piece = between(i, i)
        assert np.array_equal(pending.finish()[i], wanted.run(piece, pictures)[i])
    assert lanes.num_buffers == 3 + DEPTH + 1


def test_a_buffer_is_used_again_only_after_its_copy() -> None:
    lanes = LateLanes()
    slots = Slots(lanes, 2)
    first = slots.take(4)
    first.copied = lanes.copy("up", torch.zeros(4, dtype=torch.uint8), first.host)
    slots.give_back(first)
    other = slots.take(4)
    assert other is not first
    assert not first.copied.is_done
    assert slots.take(4) is first
    assert first.copied.is_done
    with pytest.raises(IndexError):
        slots.take(4)


def test_giving_work_asks_the_device_for_nothing() -> None:
    for name in ("linear", "rife-4.25.lite", "cel"):
        executor, pictures = overlapped(network(name)), film(INFO)
        shown(executor)  # grids and buffers are made once
        executor.reset()
        with torch.inference_mode():
            pending = watched(executor.launch, retimes(0, A, B, HALF), pictures)
        pending.finish()


# --- what goes wrong --------------------------------------------------------------------------


class Broken(Linear):
    """Returns NaN at these times."""

    def __init__(self, *at: float) -> None:
        self.at = at

    def pair(self, a: Planes, b: Planes, ts: Sequence[Any]) -> Planes:
        made = super().pair(a, b, ts)
        made.y[[float(t) in self.at for t in ts]] = float("nan")
        return made


def test_an_error_is_that_of_the_right_picture() -> None:
    executor, pictures = overlapped(Broken(0.25)), film(INFO)
    good = executor.launch(retimes(0, A, B, HALF), pictures)
    bad = executor.launch(retimes(1, B, C, Fraction(1, 4)), pictures)
    assert 0 in good.finish()
    after = executor.launch(retimes(2, C, D, HALF), pictures)
    for _ in range(2):
        with pytest.raises(BadPicture, match="NaN or infinity"):
            bad.finish()
    assert 2 in after.finish()


def test_a_device_that_fails_fails_the_picture_that_came_down() -> None:
    lanes = LateLanes()
    executor, pictures = overlapped(Linear(), lanes), film(INFO)
    first = executor.launch(retimes(0, A, B, HALF), pictures)
    second = executor.launch(retimes(1, B, C, HALF), pictures)
    lanes.error = RuntimeError("CUDA error: an illegal memory access was encountered")
    with pytest.raises(RuntimeError, match="illegal"):
        first.finish()
    assert 1 in second.finish()
    assert executor._downs.num_free == DEPTH + 1


def test_a_model_that_cannot_begin_fails_at_once_and_holds_no_buffer() -> None:
    class Full(Linear):
        def pair(self, a: Any, b: Any, ts: Any) -> Any:
            raise torch.OutOfMemoryError("HIP out of memory")

    executor = overlapped(Full())
    for _ in range(5):
        with pytest.raises(torch.OutOfMemoryError):
            executor.launch(WORK[0], film(INFO))
    assert executor._downs.num_free == DEPTH + 1
    assert executor._ups.num_free == 3


def test_a_seek_lets_go_of_what_is_under_way() -> None:
    lanes = LateLanes()
    executor, pictures = overlapped(Linear(), lanes), film(INFO)
    for i in range(20):
        executor.launch(between(i, i % 5), pictures)
        executor.launch(Mid((1, 0), A, B), pictures)
        executor.launch(Copy(i, ZERO, (1, 0)), pictures)
        executor.reset()
        assert held(executor) == 0
        assert executor._downs.num_free == DEPTH + 1
    assert lanes.num_waiting <= DEPTH + 1
    wanted = Interpolation(Linear(), INFO, CPU, torch.float32).run(WORK[0], pictures)
    made = executor.run(WORK[0], pictures)
    assert all(np.array_equal(made[k], wanted[k]) for k in wanted)


# --- times and variants -----------------------------------------------------------------------


def test_times_are_those_of_the_device_and_given_once() -> None:
    executor, pictures = overlapped(Linear()), film(INFO)
    pending = executor.launch(retimes(0, A, B, HALF), pictures)
    assert executor.take_times().convert == 0
    pending.finish()
    times = executor.take_times()
    assert 2 * COPY_SECONDS < times.convert < 3 * COPY_SECONDS
    assert COPY_SECONDS < times.download < 2 * COPY_SECONDS
    assert 0 < times.model < COPY_SECONDS
    assert pending.busy == 2 * COPY_SECONDS  # the lane up had most to do
    assert executor.take_times().download == 0


def test_a_variant_takes_over_while_work_is_under_way() -> None:
    executor, pictures, half = overlapped(Linear()), film(INFO), Variant(0.5)
    executor.offer(half, Broken(0.5))
    good = executor.launch(retimes(0, A, B, HALF), pictures)
    executor.choose(half)
    bad = executor.launch(retimes(1, A, B, HALF), pictures)
    executor.choose(FULL)
    assert 0 in good.finish()
    with pytest.raises(BadPicture):
        bad.finish()
    assert 2 in executor.run(retimes(2, A, B, HALF), pictures)
