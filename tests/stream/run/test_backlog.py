"""An executor whose work overlaps, in a pipeline: the frames, and when they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from fakes import FakeExecutor
from lanes import LateLanes
from running import INFO, Running, fake_source

from rtvfi.core.errors import BadPicture
from rtvfi.core.frame import Kind
from rtvfi.models.linear.blend import Linear
from rtvfi.stream.run.executors.interpolate import Interpolation
from rtvfi.stream.run.executors.overlapped import DEPTH, Overlapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtvfi.core.frame import OutputFrame
    from rtvfi.models.base import Planes
    from rtvfi.stream.run.executors.executor import Executor

CPU = torch.device("cpu")
Seen = list[tuple[int, Kind, bytes]]


class Broken(Linear):
    """The blend, whose calls of these numbers return NaN."""

    def __init__(self, *at: int) -> None:
        self.at = at
        self.num_calls = 0

    def pair(self, a: Planes, b: Planes, ts: Sequence[Any]) -> Planes:
        made = super().pair(a, b, ts)
        if self.num_calls in self.at:
            made.y[:] = float("nan")
        self.num_calls += 1
        return made


def plain(model: Any) -> Interpolation:
    return Interpolation(model, INFO, CPU, torch.float32)


def overlapped(model: Any) -> Overlapped:
    return Overlapped(model, INFO, CPU, torch.float32, LateLanes())


def seen(frames: Sequence[OutputFrame]) -> Seen:
    return [(frame.index, frame.kind, frame.payload.tobytes()) for frame in frames]


def all_of(executor: Executor, **options: Any) -> Seen:
    with Running(fake_source(12).opener, executor, **options) as running:
        return seen(running.all())


@pytest.mark.parametrize("passes", [0, 2])
@pytest.mark.parametrize("ratio", [2, 5])
def test_the_same_frames_come_in_the_same_order(passes: int, ratio: int) -> None:
    wanted = all_of(plain(Linear()), passes=passes, ratio=ratio)
    assert all_of(overlapped(Linear()), passes=passes, ratio=ratio) == wanted
    assert [index for index, *_ in wanted] == list(range(len(wanted)))
    assert Kind.SYNTHETIC in {kind for _, kind, _ in wanted}


def test_a_bad_picture_is_replaced_where_it_belongs() -> None:
    wanted = all_of(plain(Broken(2, 5)))
    assert all_of(overlapped(Broken(2, 5))) == wanted
    copies = [index for index, kind, _ in wanted if index % 2 and kind is Kind.COPY]
    assert copies[:2] == [5, 11]


def test_a_model_that_makes_nothing_else_is_given_up() -> None:
    with Running(fake_source(40).opener, overlapped(Broken(*range(99)))) as running:
        assert {frame.kind for frame in running.all()} == {Kind.COPY}
        assert isinstance(running.pipeline.statistics().failure, BadPicture)


def test_a_rendering_ends_with_the_first_bad_picture() -> None:
    broken = overlapped(Broken(3))
    with Running(fake_source(12).opener, broken, is_strict=True) as running:
        running.seek(0)
        good = running.take(7)
        with pytest.raises(BadPicture):
            running.read()
    assert [frame.index for frame in good] == list(range(7))


def test_what_is_under_way_arrives_though_the_source_stalls() -> None:
    source = fake_source(12, stalls_at=6)
    with Running(source.opener, overlapped(Linear())) as running:
        running.seek(0)
        # The last one lies between the last two frames there are.
        frames = running.take(10)
        source.latch.open()
        frames += running.take(1000)
    assert seen(frames) == all_of(plain(Linear()))


def test_seeks_leave_nothing_under_way() -> None:
    executor = overlapped(Linear())
    wanted = all_of(plain(Linear()))
    with Running(fake_source(12).opener, executor) as running:
        for index in (0, 7, 3, 12, 1, 9, 0):
            running.seek(index)
            assert seen(running.take(3)) == wanted[index : index + 3]
    assert executor._downs.num_free == DEPTH + 1


def test_a_pipeline_that_closes_lets_go_of_all_buffers() -> None:
    executor = overlapped(Linear())
    with Running(fake_source(40).opener, executor) as running:
        running.seek(0)
        running.take(4)
    assert executor._downs.num_free == DEPTH + 1


def test_another_executor_takes_over_behind_what_is_under_way() -> None:
    with Running(fake_source(40).opener, overlapped(Linear())) as running:
        running.seek(0)
        frames = running.take(8)
        running.pipeline.use(FakeExecutor(INFO))
        frames += running.take(30)
        running.pipeline.use(overlapped(Linear()))
        frames += running.take(1000)
    assert [frame.index for frame in frames] == list(range(80))
    assert {frame.kind for frame in frames[1:-1:2]} == {Kind.SYNTHETIC}
