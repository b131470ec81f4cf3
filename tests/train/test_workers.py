from __future__ import annotations

import os
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import torch

from rtvfi.core.errors import RtvfiError
from rtvfi.draw.options import SceneOptions
from rtvfi.draw.scenes import Scenes, make_bank
from rtvfi.train.workers import SceneWorkers

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = SceneOptions(size=48, fastest=6.0, num_backgrounds=2, num_sprites=2)


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return Scenes(OPTIONS, 1, make_bank(OPTIONS, 1))


@pytest.fixture
def workers(scenes: Scenes) -> Iterator[SceneWorkers]:
    with closing(SceneWorkers(scenes, 2)) as drawing:
        yield drawing


@pytest.mark.slow
def test_workers_draw_what_the_trainer_would(scenes: Scenes, workers: SceneWorkers) -> None:
    for number in (0, 1, 2, 7, 8, 3):  # in order, after a jump, and going back
        for made, own in zip(workers.batch(number, 2), scenes.batch(number, 2), strict=True):
            assert made.dtype == own.dtype
            assert torch.equal(made, own)


@pytest.mark.slow
def test_a_dead_worker_is_said(workers: SceneWorkers) -> None:
    workers.batch(0, 1)
    for process in workers._processes:
        os.kill(process.pid or 0, signal.SIGKILL)
    with pytest.raises(RtvfiError, match="exited with code -9"):
        _draw_many(workers)


def _draw_many(workers: SceneWorkers) -> None:
    for number in range(1, 20):
        workers.batch(number, 1)


@pytest.mark.slow
def test_closing_ends_the_processes_and_their_file(scenes: Scenes) -> None:
    workers = SceneWorkers(scenes, 1)
    process = workers._processes[0]
    folder = workers._folder.name
    pid = process.pid or 0
    workers.close()
    workers.close()
    assert not os.path.exists(folder)  # noqa: PTH110
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
