"""Pictures that a network restores before anything else sees them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from fakes import FakeSource, stream_info

from rtvfi.core.errors import BadPicture, DecodeError, OutOfMemory
from rtvfi.core.frame import END, SourceFrame
from rtvfi.stream.decode.container import Interrupted
from rtvfi.stream.run.restored import Restored

if TYPE_CHECKING:
    from torch import Tensor

CPU = torch.device("cpu")
INFO = stream_info()


class Recorder:
    """Numbers pictures as they are prepared, and makes the mean of both."""

    def __init__(self, error: Exception | None = None, value: float | None = None) -> None:
        self.pictures: list[Tensor] = []
        self.calls: list[tuple[int, int]] = []
        self.error = error
        self.value = value

    def prepare(self, picture: Tensor) -> int:
        self.pictures.append(picture)
        return len(self.pictures) - 1

    def restore(self, picture: int, neighbour: int) -> Tensor:
        if self.error is not None:
            raise self.error
        self.calls.append((picture, neighbour))
        mean = (self.pictures[picture] + self.pictures[neighbour]) / 2
        return mean if self.value is None else torch.full_like(mean, self.value)


def restored(source: FakeSource, network: Recorder) -> Restored[int]:
    return Restored(source, lambda: network, CPU, torch.float32)


def read_all(source: Restored[int]) -> list[SourceFrame]:
    frames = []
    while isinstance(frame := source.read(), SourceFrame):
        frames.append(frame)
    return frames


def test_each_picture_is_helped_by_the_next_and_the_last_by_none() -> None:
    network = Recorder()
    source = FakeSource(INFO, 4)
    frames = read_all(restored(source, network))
    assert [f.pts for f in frames] == source.pts
    assert network.calls == [(0, 1), (1, 2), (2, 3), (3, 3)]
    assert len(network.pictures) == 4  # each prepared once


def test_nothing_helps_across_a_cut() -> None:
    network = Recorder()
    read_all(restored(FakeSource(INFO, 5, cuts=[2]), network))
    assert network.calls == [(0, 1), (1, 1), (2, 3), (3, 4), (4, 4)]


def test_a_held_drawing_is_restored_once_and_stays_equal_to_the_last_bit() -> None:
    network = Recorder()
    frames = read_all(restored(FakeSource(INFO, 6, numbers=[0, 0, 1, 1, 1, 2]), network))
    assert network.calls == [(0, 1), (1, 2), (2, 2)]
    assert len({id(f.payload) for f in frames}) == 3
    assert frames[2].payload is frames[4].payload


def test_memory_does_not_grow_with_the_time_a_drawing_is_held() -> None:
    source = FakeSource(INFO, 300, numbers=[0] * 300)
    source.payloads = [payload.copy() for payload in source.payloads]
    made = restored(source, Recorder())
    made.read()
    assert len({id(frame.payload) for frame in made._ready}) == 1
    assert {id(frame.payload) for frame in made._run} == set()


@pytest.mark.parametrize("index", range(7))
def test_pictures_are_the_same_wherever_reading_began(index: int) -> None:
    def source() -> Restored[int]:
        return restored(FakeSource(INFO, 7, numbers=[0, 0, 1, 2, 2, 3, 4], cuts=[5]), Recorder())

    whole, part = read_all(source()), source()
    part.read()
    part.seek(Fraction(index, 24))
    for frame, wanted in zip(read_all(part), whole[index:], strict=True):
        assert frame.pts == wanted.pts
        assert np.array_equal(frame.payload, wanted.payload)


def test_the_end_is_said_as_often_as_it_is_asked_for() -> None:
    source = restored(FakeSource(INFO, 2), Recorder())
    read_all(source)
    assert source.read() is END
    assert source.read() is END
    assert restored(FakeSource(INFO, 0), Recorder()).read() is END


def test_an_interruption_loses_no_frame() -> None:
    inner = FakeSource(INFO, 5, numbers=[0, 0, 0, 1, 2])
    source = restored(inner, Recorder())
    inner.interrupted = lambda: inner.num_reads == 3
    with pytest.raises(Interrupted):
        source.read()
    inner.interrupted = lambda: False
    assert [f.pts for f in read_all(source)] == inner.pts


def test_what_was_read_before_a_break_comes_out_after_it_was_noticed() -> None:
    inner = FakeSource(INFO, 5, fails_at=2)
    source = restored(inner, Recorder())
    assert isinstance(source.read(), SourceFrame)
    with pytest.raises(DecodeError):
        source.read()


def test_the_epoch_is_that_of_the_source_within() -> None:
    inner = FakeSource(INFO, 2)
    source = restored(inner, Recorder())
    source.epoch = 4
    assert inner.epoch == 4
    assert source.epoch == 4
    assert source.info is INFO
    frame = source.read()
    assert isinstance(frame, SourceFrame)
    assert frame.epoch == 4


def test_a_full_memory_and_a_picture_of_nan_are_sentences() -> None:
    full = Recorder(RuntimeError("CUDA out of memory. Tried to allocate"))
    with pytest.raises(OutOfMemory, match="out of memory"):
        restored(FakeSource(INFO, 2), full).read()
    with pytest.raises(BadPicture, match="NaN or infinity"):
        restored(FakeSource(INFO, 2), Recorder(value=float("nan"))).read()


def test_the_network_is_loaded_when_the_first_picture_is_wanted() -> None:
    loads: list[Any] = []

    def load() -> Recorder:
        loads.append(1)
        return Recorder()

    source = Restored(FakeSource(INFO, 3), load, CPU, torch.float32)
    assert not loads
    read_all(source)
    assert len(loads) == 1
