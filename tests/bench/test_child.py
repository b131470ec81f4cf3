"""Measurements on pictures so small that they take no time."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import raising

from rtvfi.bench import child
from rtvfi.bench.jobs import TARGETS, Job, Measured, Size
from rtvfi.bench.pictures import film, film_info
from rtvfi.core.frame import plane_views
from rtvfi.core.python_process import PythonProcess
from rtvfi.engine.model_host import ModelHost

TINY = Size(66, 50)
FAR = 60.0


def test_frames_of_the_film_differ_and_are_legal() -> None:
    info = film_info(TINY)
    frames = film(info, 5)
    assert {frame.size for frame in frames} == {info.payload_bytes}
    assert len({frame.tobytes() for frame in frames}) == 5
    luma = plane_views(frames[0], info)[0]
    assert luma.min() >= 16
    assert luma.max() <= 235
    assert luma.std() > 10


def test_the_film_pans() -> None:
    info = film_info(TINY)
    first, second = (plane_views(frame, info)[0] for frame in film(info, 2))
    assert np.array_equal(first[:, 6:], second[:, :-6])


@pytest.mark.parametrize("model", ["linear", "cel"])
def test_a_model_is_timed_for_every_rate(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_MOST_CALLS", 2)
    measured = Measured(job=Job("model", TINY, model, 0.5))
    child.measure_model(measured, "cpu", FAR, time.monotonic() + FAR)
    assert set(measured.ms) == set(measured.cpu_ms) == set(TARGETS.values())
    assert all(ms > 0 for ms in measured.ms.values())
    assert measured.memory_bytes is not None
    assert measured.memory_bytes > 1 << 20


def test_what_is_lost_at_48_is_not_measured_at_120(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_median", lambda *_: (500.0, 400.0, 0.0))
    measured = Measured(job=Job("model", TINY, "linear", 1.0))
    child.measure_model(measured, "cpu", FAR, time.monotonic() + FAR)
    assert measured.ms == {1: 500.0}


def test_a_measurement_ends_with_its_time() -> None:
    calls: list[int] = []
    child._median(lambda: calls.append(1), FAR, time.monotonic())
    assert len(calls) == 2  # one that is not counted, one that is


def test_waiting_for_a_core_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = iter(range(100))
    monkeypatch.setattr(child, "_waited", lambda: next(waits))  # a second in every call
    alone, _, waited = child._median(lambda: None, FAR, time.monotonic())
    assert waited == 1000.0
    assert alone < 0


def test_a_system_that_does_not_tell_is_taken_as_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    assert child._waited() >= 0
    monkeypatch.setattr(Path, "read_text", raising(FileNotFoundError))
    assert child._waited() == 0.0


def test_three_pictures_are_given_to_a_model_that_looks_at_three() -> None:
    class Executor:
        num_frames = 3
        seen: Any = None

        def keep(self, _: object) -> None: ...

        def run(self, work: Any, pictures: Any) -> None:
            Executor.seen = (work, pictures)

    steps = child._Steps(Executor(), film(film_info(TINY), 2))  # type: ignore[arg-type]
    steps.step(2)
    work, pictures = Executor.seen
    assert [float(output.t) for output in work.outputs] == pytest.approx([5 / 6, 7 / 6])
    assert all(name in pictures for name in work.names)


def test_a_clip_is_written_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_CLIP_FRAMES", 24)
    measured = Measured(job=Job("media", TINY))
    child.measure_media(measured, FAR, time.monotonic() + FAR)
    assert (measured.decode_rate or 0) > 1
    assert (measured.encode_rate or 0) > 1
    assert measured.decoder
    assert measured.encoder


def test_a_model_that_fails_is_a_result_and_the_next_is_measured() -> None:
    jobs = [Job("model", TINY, "no-such"), Job("media", TINY)]
    request = {
        "jobs": [job.as_dict() for job in jobs],
        "device": "cpu",
        "call_seconds": 0.1,
        "seconds": FAR,
    }
    apart = PythonProcess("rtvfi.bench.child", (json.dumps(request),), os.environ)
    try:
        rows = list(apart.found(time.monotonic() + FAR))
    finally:
        assert apart.end() == ""
    assert [row.get("begun") for row in rows] == [0, None, 1, None]
    assert 'no model "no-such"' in rows[1]["found"]["why_not"]
    assert rows[3]["found"]["decode_rate"] > 1


def test_the_device_is_the_one_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = ModelHost.__init__

    def init(host: ModelHost, device: str, *rest: Any, **more: Any) -> None:
        asked.append(device)
        real(host, device, *rest, **more)

    monkeypatch.setattr(ModelHost, "__init__", init)
    monkeypatch.setattr(child, "_MOST_CALLS", 1)
    measured = Measured(job=Job("model", TINY, "linear"))
    child.measure_model(measured, "cpu", FAR, time.monotonic() + FAR)
    assert asked == ["cpu"]
