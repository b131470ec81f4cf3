"""A model that fails while frames are wanted: what is shown instead, and when it is given up."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
import torch
from fakes import FakeExecutor
from running import INFO, Running, fake_source

from rtvfi.core.errors import BadPicture, ModelError, OutOfMemory, model_failure
from rtvfi.core.frame import Kind
from rtvfi.models.load import load_model
from rtvfi.stream.run.executors.interpolate import Interpolation

if TYPE_CHECKING:
    from rtvfi.stream.plan.batch import Work
    from rtvfi.stream.run.executors.pictures import Pictures


class Failing(FakeExecutor):
    """Raises an error at the calls of these numbers."""

    def __init__(self, error: Exception, at: range) -> None:
        super().__init__(INFO)
        self._failure, self._at = error, at

    def run(self, work: Work, pictures: Pictures) -> dict[int, Any]:
        made = super().run(work, pictures)
        if len(self.calls) - 1 in self._at:
            raise self._failure
        return made


NAN = BadPicture("the model failed: its output contains NaN or infinity")


def test_a_bad_picture_is_passed_over() -> None:
    with Running(fake_source(12).opener, Failing(NAN, range(2, 3))) as running:
        kinds = [frame.kind for frame in running.all()]
        assert running.pipeline.statistics().failure is None
    assert kinds[1::2].count(Kind.SYNTHETIC) == 10
    assert kinds[5] is Kind.COPY


def test_a_model_that_makes_nothing_but_bad_pictures_is_given_up() -> None:
    executor = Failing(NAN, range(1000))
    with Running(fake_source(40).opener, executor) as running:
        assert {frame.kind for frame in running.all()} == {Kind.COPY}
        assert running.pipeline.statistics().failure is NAN
    assert len(executor.calls) == 9


def test_bad_pictures_that_come_now_and_then_do_not_add_up() -> None:
    executor = Failing(NAN, range(0, 78, 2))
    with Running(fake_source(40).opener, executor) as running:
        running.all()
        assert running.pipeline.statistics().failure is None
    assert len(executor.calls) == 39


def test_a_rendering_ends_with_the_first_bad_picture() -> None:
    executor = Failing(NAN, range(3, 4))
    with (
        Running(fake_source(12).opener, executor, is_strict=True) as running,
        pytest.raises(BadPicture),
    ):
        running.all()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nand a long story"),
        RuntimeError("HIP out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_full_memory_is_told_from_other_failures(error: Exception) -> None:
    with Running(fake_source(12).opener, Failing(error, range(2, 3))) as running:
        kinds = [frame.kind for frame in running.all()]
        failure = running.pipeline.statistics().failure
    assert isinstance(failure, OutOfMemory)
    assert "\n" not in failure.message
    assert Kind.SYNTHETIC not in kinds[5:]
    assert not isinstance(model_failure(RuntimeError("size mismatch")), OutOfMemory)


def test_another_model_goes_on_where_one_failed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with Running(fake_source(24).opener, Failing(MemoryError(), range(1))) as running:
        running.all()
        running.pipeline.use(FakeExecutor(INFO))
        assert Kind.SYNTHETIC in {frame.kind for frame in running.all()}


@pytest.mark.parametrize("model", ["linear", "cel"])
def test_numbers_that_are_none_are_found(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    device = torch.device("cpu")
    network = load_model(model, device, torch.float32, 1.0)
    executor = Interpolation(network, INFO, device, torch.float32)
    executor.warm_up()
    real = type(network).pair

    def broken(self: Any, *arguments: Any) -> Any:
        made = real(self, *arguments)
        (made[0] if isinstance(made, tuple) else made)[..., 4:14, 4:14] = float("nan")
        return made

    monkeypatch.setattr(type(network), "pair", broken)
    with pytest.raises(BadPicture, match="NaN or infinity"):
        executor.warm_up()
    assert issubclass(BadPicture, ModelError)


class _Stopped(FakeExecutor):
    """The process is stopped for an hour during one call, and the clock goes on."""

    def __init__(self, clock: list[float]) -> None:
        super().__init__(INFO)
        self._clock = clock

    def run(self, work: Work, pictures: Pictures) -> dict[int, Any]:
        self._clock[0] += 3600.0 if len(self.calls) == 5 else 0.002
        return super().run(work, pictures)


def test_a_process_that_was_stopped_has_no_slow_model(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    with Running(fake_source(60).opener, _Stopped(clock), is_governed=True) as running:
        running.all()
        statistics = running.pipeline.statistics()
    assert statistics.standing.level == 0
    assert statistics.cost_ms is not None
    assert statistics.cost_ms < 4
