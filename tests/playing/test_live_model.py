"""What the model of a player says of its GPU, unasked and asked."""

from __future__ import annotations

from typing import Any

import pytest

from rtvfi.core.hardware.sensors import Reading
from rtvfi.core.options import SourceOptions, StreamOptions
from rtvfi.playing.live_model import LiveModel
from rtvfi.playing.remarks import Remarks
from rtvfi.playing.wanted import Choice, Wanted
from rtvfi.settings.config import PlayOptions

LOW = Reading(clock_mhz=200, highest_mhz=1100, busy_percent=99, level="auto")


class FakeSensors:
    num_read = 0

    def read(self) -> Reading:
        self.num_read += 1
        return LOW

    def remark(self, reading: Reading) -> str:
        return f"held back at {reading.clock_mhz} MHz" if self.num_read > 2 else ""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def model(said: list[str]) -> Any:
    options = PlayOptions(
        files=("film",),
        model="cel",
        device="cpu",
        fps="2x",
        stream=StreamOptions(),
        source=SourceOptions(),
    )
    choice = Choice(Wanted.of("cel", "2x", StreamOptions()))
    made: Any = LiveModel(options, choice, Remarks(said.append), lambda _viewing: None)
    made._sensors = FakeSensors()
    made._models.place = "cuda:0"
    return made


def test_a_gpu_that_is_held_back_is_said_once(model: Any, said: list[str]) -> None:
    for now in range(10):
        model.look(float(2 * now + 2))
    assert said == ["held back at 200 MHz"]


def test_the_gpu_is_looked_at_about_once_a_second(model: Any) -> None:
    for now in range(40):
        model.look(100 + now / 4)
    assert 8 <= model._sensors.num_read <= 10


def test_a_processor_has_no_such_figures(model: Any, said: list[str]) -> None:
    model.look(2.0)
    assert "200 of 1100 MHz" in model.load
    said.clear()
    model._models.place = "cpu"
    for now in range(10):
        model.look(float(2 * now + 2))
    assert model.load == ""
    assert said == []


def test_what_an_executor_gave_up_is_said_once(model: Any, said: list[str]) -> None:
    model._executor = type("Executor", (), {"remark": "a graph gave a wrong picture"})
    for now in range(3):
        model.look(float(now))
    assert said == ["a graph gave a wrong picture"]
