"""Styles, passes and seeks through the whole pipeline: what is planned, and what comes out."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import pytest
import torch
from fakes import MADE, FakeExecutor, FakePlayhead, number_of
from held import held
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running import INFO, Running, fake_source, smoothed

from rtvfi.core.frame import Kind
from rtvfi.core.stamp import Stamp
from rtvfi.models.linear.blend import Linear
from rtvfi.stream.plan.planner import Mid, PlanOptions, Retime3
from rtvfi.stream.plan.steering import Retiming, Steering
from rtvfi.stream.run.executors.interpolate import Interpolation
from rtvfi.stream.see.changes import Change

if TYPE_CHECKING:
    from rtvfi.core.frame import OutputFrame
    from rtvfi.stream.run.executors.executor import Executor


def blend() -> Interpolation:
    """The weight-free model: content is a blend, exact enough to compare."""
    return Interpolation(Linear(), INFO, torch.device("cpu"), torch.float32)


def bytes_of(frames: list[OutputFrame]) -> list[tuple[int, bytes]]:
    return [(frame.index, frame.payload.tobytes()) for frame in frames]


def mids(executor: FakeExecutor) -> list[Mid]:
    return [action for call in executor.calls for action in call if isinstance(action, Mid)]


# --- the choice ------------------------------------------------------------------------------


def chosen(
    style: Any, passes: int | None = None, model_frames: Literal[2, 3] | None = 2
) -> tuple[int, int]:
    options = Steering(PlanOptions(), Retiming(style=style, passes=passes)).options(model_frames)
    return options.passes, options.num_frames


def test_plain_plans_no_passes() -> None:
    assert chosen("plain", 3, 3) == (0, 2)


def test_rhythm_looks_at_three_pictures_where_the_model_can() -> None:
    assert chosen("rhythm", None, 3) == (0, 3)
    assert chosen("rhythm", 1, 3) == (1, 3)
    assert chosen("rhythm", None, 2) == (0, 2)


def test_smooth_starts_low() -> None:
    assert chosen("smooth") == (1, 2)


def test_smooth_takes_the_passes_that_were_asked_for() -> None:
    assert chosen("smooth", 0) == (0, 2)
    assert chosen("smooth", 5) == (5, 2)


def test_without_a_model_there_are_no_passes() -> None:
    assert chosen("smooth", 3, None) == (0, 2)


@pytest.mark.parametrize(("hold", "passes"), [(1, 0), (2, 1), (3, 2), (4, 3)])
def test_smooth_follows_the_cadence(hold: int, passes: int) -> None:
    steering = Steering(PlanOptions(), Retiming(style="smooth"))
    for i in range(60):
        moved = i % hold == 0
        steering.push(Stamp(i, Fraction(i), Fraction(i + 1), i == 0), Change(moved, None), 2)
    cut = Stamp(60, Fraction(60), Fraction(61), cut=True)
    assert steering.push(cut, Change(True, None), 2).passes == passes


@pytest.mark.parametrize(("hold", "thin"), [(1, False), (2, True), (3, True)])
def test_smooth_leaves_out_whole_frames_that_repeat_where_there_are_any(
    hold: int, thin: bool
) -> None:
    steering = Steering(PlanOptions(), Retiming(style="smooth"))
    plan = PlanOptions()
    for i in range(60 * hold):
        moved = i % hold == 0
        times = Fraction(i), Fraction(i + 1)
        stamp = Stamp(i, *times, cut=i == 0, same=not moved)
        plan = steering.push(stamp, Change(moved, None), 2)
    assert (plan.passes, plan.thin) == (0, thin)


def test_the_rest_of_a_plan_stays() -> None:
    plan = PlanOptions(tail="stretch")
    assert Steering(plan, Retiming(style="smooth")).options(2).tail == "stretch"


# --- through the pipeline --------------------------------------------------------------------


def test_the_cadence_of_a_film_sets_its_passes() -> None:
    executor = FakeExecutor(INFO)
    assert smoothed(executor, 48, hold=3).passes == 2
    assert {mid.image[0] for mid in mids(executor)} == {1, 2}


def test_rhythm_asks_a_model_of_three_pictures_for_triples() -> None:
    executor = FakeExecutor(INFO)
    executor.num_frames = 3
    with Running(fake_source(10).opener, executor, retiming=Retiming(style="rhythm")) as running:
        running.all()
    assert any(isinstance(call[0], Retime3) for call in executor.calls)


def test_a_change_of_style_needs_no_new_scene() -> None:
    executor = FakeExecutor(INFO)
    with Running(
        fake_source(60).opener, executor, retiming=Retiming(style="plain"), ring_frames=2
    ) as running:
        running.seek(0)
        before = running.take(30)
        assert not mids(executor)
        running.pipeline.retime(Retiming(style="smooth", passes=2))
        middle = running.take(40)
        running.pipeline.retime(Retiming(style="plain"))
        after = running.take(50)
    shown = before + middle + after
    assert [frame.index for frame in shown] == list(range(120))
    assert mids(executor)
    # Nothing is late and no picture stands still where the passes change.
    assert Kind.CHEAP not in {frame.kind for frame in shown}
    assert all(a.payload is not b.payload for a, b in pairwise(shown[:-1]))


@pytest.mark.parametrize("passes", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("index", [24, 33, 57])
def test_after_a_seek_every_output_is_that_of_the_whole_run(passes: int, index: int) -> None:
    numbers = [(i // 2) ** 3 % 251 for i in range(40)]
    source = fake_source(40, numbers=numbers, cuts={20})
    retiming = Retiming(style="smooth", passes=passes)
    with Running(source.opener, blend(), retiming=retiming) as running:
        whole = bytes_of(running.all())
        assert bytes_of(running.all(index)) == whole[index:]


def test_a_seek_in_rhythm_is_that_of_the_whole_run() -> None:
    executor = FakeExecutor(INFO)
    executor.num_frames = 3
    with Running(
        fake_source(30).opener, executor, retiming=Retiming(style="rhythm"), ratio=4
    ) as running:
        running.all()
        whole = [(a.index, type(a), a.t) for a in retimes(executor) if a.index >= 61]
        executor.calls.clear()
        running.all(61)
    assert [(a.index, type(a), a.t) for a in retimes(executor)] == whole


def retimes(executor: FakeExecutor) -> list[Any]:
    return [a for call in executor.calls for a in call if not isinstance(a, Mid)]


# --- passes that are not made ----------------------------------------------------------------


def stood_in(frames: list[OutputFrame]) -> list[int]:
    return [number_of(frame.payload) for frame in frames]


def test_a_player_that_has_caught_up_gets_source_frames_and_no_passes_are_made() -> None:
    executor = FakeExecutor(INFO)
    with Running(
        fake_source(20).opener, executor, playhead=FakePlayhead(1000.0), passes=3
    ) as running:
        frames = running.all()
    assert stood_in(frames) == sorted(stood_in(frames))
    assert all(
        abs(number - frame.index / 2) <= 1
        for frame, number in zip(frames, stood_in(frames), strict=True)
    )
    assert Kind.SYNTHETIC not in {frame.kind for frame in frames}
    assert len(mids(executor)) <= 3  # those before the first output was late


def test_after_a_time_of_lateness_passes_are_made_again() -> None:
    playhead = FakePlayhead(1000.0)
    executor = FakeExecutor(INFO)
    with Running(fake_source(60).opener, executor, playhead=playhead, passes=2) as running:
        running.seek(0)
        running.take(30)
        playhead.move(-1000.0)
        rest = running.take(90)
    assert {frame.kind for frame in rest[30:-2]} == {Kind.SYNTHETIC}


@pytest.mark.parametrize("passes", [1, 3])
def test_a_model_that_fails_amid_passes_leaves_source_frames(passes: int) -> None:
    class Failing(FakeExecutor):
        def run(self, work: Any, pictures: Any) -> Any:
            if len(self.calls) == 20:
                raise RuntimeError("out of memory")
            return super().run(work, pictures)

    executor: Executor = Failing(INFO)
    with Running(fake_source(20).opener, executor, passes=passes) as running:
        frames = running.all()
    assert [frame.index for frame in frames] == list(range(40))
    last = [number for number in stood_in(frames) if number < MADE]
    assert last == sorted(last)
    assert last[-1] == 19


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    numbers=st.lists(st.integers(0, 30), min_size=2, max_size=30).map(sorted),
    cuts=st.sets(st.integers(1, 29)),
    passes=st.integers(0, 5),
    num_frames=st.sampled_from([2, 3]),
    moves=st.lists(st.tuples(st.integers(1, 9), st.sampled_from([-1000.0, 1000.0])), max_size=8),
)
def test_whenever_time_runs_short_every_output_comes_and_needs_only_what_is_there(
    numbers: list[int],
    cuts: set[int],
    passes: int,
    num_frames: Literal[2, 3],
    moves: list[tuple[int, float]],
) -> None:
    playhead = FakePlayhead(-1000.0)
    executor = FakeExecutor(INFO)  # fails when asked for a picture it never had or let go
    executor.num_frames = num_frames
    retiming = Retiming(style="smooth" if num_frames == 2 else "rhythm", passes=passes)
    source = fake_source(len(numbers), numbers=numbers, cuts=cuts & set(range(len(numbers))))
    with Running(
        source.opener, executor, playhead=playhead, retiming=retiming, ring_frames=2, ratio=3
    ) as running:
        running.seek(0)
        frames = []
        for count, position in moves:
            frames += running.take(count)
            playhead.move(position)
        frames += running.take(1000)
    assert [frame.index for frame in frames] == list(range(3 * len(numbers)))
    copied = [number for number in stood_in(frames) if number < MADE]
    assert copied == sorted(copied)


# --- memory ----------------------------------------------------------------------------------


class Weighed(Interpolation):
    """Notes how many pictures are held on the device and on the host."""

    def __init__(self) -> None:
        super().__init__(Linear(), INFO, torch.device("cpu"), torch.float32)
        self.most_images = self.most_sources = 0

    def run(self, work: Any, pictures: Any) -> Any:
        made = super().run(work, pictures)
        self.most_images = max(self.most_images, held(self))
        self.most_sources = max(self.most_sources, len(pictures))
        return made


@pytest.mark.parametrize("hold", [1, 3])
@pytest.mark.parametrize("passes", [0, 1, 2, 3, 4, 5])
def test_few_pictures_are_held_whatever_the_length(passes: int, hold: int) -> None:
    executor = Weighed()
    source = fake_source(80, numbers=[i // hold for i in range(80)], cuts={40})
    with Running(source.opener, executor, passes=passes, ratio=3) as running:
        running.all()
    assert executor.most_images <= (passes + 1) + 2 + 2  # the edge, two knots, two in the making
    assert executor.most_sources <= passes + 3
