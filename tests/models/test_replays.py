"""Graphs that lie: a replay that gives another picture than the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from on_device import recorded
from recording import Fade, pictures, shown, use

from rtvfi.models import fast
from rtvfi.models.fast import Capture, fastest

if TYPE_CHECKING:
    from collections.abc import Callable

CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("inference")


class Lying:
    """Recordings, one run of which is wrong; counted over all of them, from where ``arm`` says."""

    def __init__(self) -> None:
        self.wrong_run = 0
        self.num_runs = 0
        self.num_released = 0

    def __call__(self, core: Callable[..., Any], inputs: tuple[Any, ...]) -> Capture:
        true = recorded(core, inputs)

        def replay() -> None:
            true.replay()
            self.num_runs += 1
            if self.num_runs == self.wrong_run:
                first = next(fast._leaves(true.out))
                first[(0,) * first.ndim] += 1e-5  # which nobody would see

        def release() -> None:
            self.num_released += 1

        return Capture(true.out, replay, release)

    def arm(self, wrong_run: int) -> None:
        self.num_runs, self.wrong_run = 0, wrong_run


NAME = "rife-4.25"  # which Fade says it is


def lying(monkeypatch: pytest.MonkeyPatch, complain: Callable[[str], None]) -> tuple[Any, Lying]:
    capture = Lying()
    use(monkeypatch, capture)
    net = fastest(Fade(), lambda: pictures(NAME), CPU, "graph", 1, complain)
    return net, capture


@pytest.mark.parametrize("wrong_run", [1, 5, fast.FIRST])
def test_a_replay_that_is_wrong_is_not_shown_and_ends_all_graphs(
    monkeypatch: pytest.MonkeyPatch, wrong_run: int
) -> None:
    said: list[str] = []
    net, capture = lying(monkeypatch, said.append)
    frames = pictures(NAME, seed=5)
    (wanted,) = shown(Fade(), frames, 1)
    capture.arm(wrong_run)
    for number in range(1, wrong_run + 3):
        (out,) = shown(net, frames, 1)
        assert torch.equal(out, wanted)
        assert capture.num_runs == min(number, wrong_run)  # the graph is not run again
    assert said == [
        f"a graph of {NAME} gave a wrong picture in run {wrong_run}: graphs are off now"
    ]
    assert capture.num_released > 0


def test_later_replays_are_checked_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "FIRST", 2)
    monkeypatch.setattr(fast, "SAMPLE", 4)
    said: list[str] = []
    net, capture = lying(monkeypatch, said.append)
    frames = pictures(NAME, seed=5)
    capture.arm(3)
    shown(net, frames, 1)
    shown(net, frames, 1)
    shown(net, frames, 1)  # wrong, and among those that nobody looks at
    assert said == []
    capture.arm(1)
    shown(net, frames, 1)
    assert "in run 4" in said[0]


def test_true_replays_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    net, capture = lying(monkeypatch, pytest.fail)
    for _ in range(fast.FIRST + 2):
        shown(net, pictures(NAME, seed=5), 1)
    assert capture.num_released == 0


def test_pictures_without_numbers_are_no_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    net, capture = lying(monkeypatch, pytest.fail)
    frames = [torch.full_like(frame, float("nan")) for frame in pictures(NAME)]
    shown(net, frames, 1)
    assert capture.num_released == 0


def test_no_graph_is_alive_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    net, capture = lying(monkeypatch, pytest.fail)
    frames = pictures(NAME, seed=5)
    fast.release_graphs()
    assert capture.num_released > 0
    runs = capture.num_runs
    wanted = shown(Fade(), frames, 1)
    assert all(torch.equal(*p) for p in zip(shown(net, frames, 1), wanted, strict=True))
    assert capture.num_runs == runs
