"""The pipeline with a fake source and a fake model: order, seeks, kinds, endings, bounds."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from fakes import (
    MADE,
    PATIENCE,
    FakeExecutor,
    FakePlayhead,
    Latch,
    number_of,
    raising,
    stream_info,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running import INFO, Running, fake_source

from rtvfi.core.errors import DecodeError, OpenError
from rtvfi.core.frame import Kind, OutputFrame
from rtvfi.stream.plan.planner import Mid, Retime
from rtvfi.stream.run.pipeline import Pipeline


def indices(frames: list[OutputFrame]) -> list[int]:
    return [frame.index for frame in frames]


def kinds(frames: list[OutputFrame]) -> list[Kind]:
    return [frame.kind for frame in frames]


def retimes(executor: FakeExecutor) -> list[Retime]:
    return [action for call in executor.calls for action in call if isinstance(action, Retime)]


# --- order and content -----------------------------------------------------------------------


def test_every_index_of_the_grid_comes_once_in_order() -> None:
    with Running(fake_source(10).opener) as running:
        frames = running.all()
        assert indices(frames) == list(range(20))
        assert [f.pts for f in frames] == [running.grid.pts(i) for i in range(20)]


def test_nothing_is_decoded_before_the_first_seek() -> None:
    source = fake_source()
    with Running(source.opener) as running:
        assert running.pipeline.read(0.0) is None
        assert source.num_reads == 0


def test_a_start_at_zero_needs_no_seek_of_the_source() -> None:
    source = fake_source()
    with Running(source.opener) as running:
        running.all()
    assert source.seeks == []


def test_copies_are_the_very_payloads_of_the_source() -> None:
    source = fake_source()
    with Running(source.opener, FakeExecutor(INFO)) as running:
        frames = running.all()
    assert all(frames[2 * i].payload is source.payloads[i] for i in range(10))
    assert kinds(frames[::2]) == [Kind.COPY] * 10


def test_frames_between_are_made_by_the_model() -> None:
    with Running(fake_source(4).opener, FakeExecutor(INFO)) as running:
        frames = running.all()
    assert [number_of(f.payload) for f in frames] == [0, MADE + 1, 1, MADE + 3, 2, MADE + 5, 3, 3]
    assert kinds(frames)[1::2] == [Kind.SYNTHETIC] * 3 + [Kind.COPY]


def test_without_a_model_the_nearest_source_frame_stands_in() -> None:
    with Running(fake_source(4).opener, ratio=4) as running:
        frames = running.all()
    shown = [number_of(f.payload) for f in frames]
    assert shown == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]
    assert set(kinds(frames)) == {Kind.COPY}


def test_one_call_makes_all_frames_of_a_pair() -> None:
    executor = FakeExecutor(INFO)
    with Running(fake_source(3).opener, executor, ratio=4) as running:
        running.all()
    assert [[a.index for a in call if not isinstance(a, Mid)] for call in executor.calls] == [
        [1, 2, 3],
        [5, 6, 7],
    ]


def test_equal_frames_never_reach_the_model() -> None:
    executor = FakeExecutor(INFO)
    source = fake_source(9, numbers=[0, 0, 0, 3, 3, 5, 6, 6, 6])
    with Running(source.opener, executor) as running:
        frames = running.all()
    assert [number_of(f.payload) for f in frames[:5]] == [0] * 5
    pairs = [(a.left[1], a.right[1]) for a in retimes(executor)]
    assert pairs == [(0, 3), (3, 5), (5, 6)]


def test_a_pair_across_a_cut_never_reaches_the_model() -> None:
    executor = FakeExecutor(INFO)
    with Running(fake_source(10, cuts={4, 7}).opener, executor) as running:
        frames = running.all()
    rights = [action.right[1] for action in retimes(executor)]
    assert rights == [1, 2, 3, 5, 6, 8, 9]
    assert number_of(frames[7].payload) == 3
    assert frames[7].kind is Kind.COPY


def test_pictures_nobody_needs_are_given_up() -> None:
    executor = FakeExecutor(INFO)
    with Running(fake_source(30).opener, executor) as running:
        running.all()
    assert max(map(len, executor.kept)) <= 2
    assert running.pipeline._worker is not None
    assert len(running.pipeline._worker._pictures) <= 2


def test_frames_before_the_first_one_are_that_one() -> None:
    source = fake_source(3)
    with Running(source.opener) as running:
        frames = running.all(-4)
    assert indices(frames) == list(range(-4, 6))
    assert [number_of(f.payload) for f in frames[:5]] == [0] * 5


# --- the model comes and goes ----------------------------------------------------------------


def test_a_model_joins_in_mid_stream() -> None:
    with Running(fake_source(40).opener) as running:
        running.seek(0)
        before = running.take(20)
        running.pipeline.use(FakeExecutor(INFO))
        after = running.take(60)
    assert indices(before + after) == list(range(80))
    assert set(kinds(before)) == {Kind.COPY}
    joined = kinds(after).index(Kind.SYNTHETIC)
    assert joined <= 4 + 2 * 2  # a full ring, and the frame being worked on
    assert kinds(after[joined:-1:2]) == [Kind.SYNTHETIC] * ((60 - joined) // 2)


def test_a_model_that_is_taken_away_leaves_source_frames() -> None:
    with Running(fake_source(40).opener, FakeExecutor(INFO)) as running:
        running.seek(0)
        running.take(10)
        running.pipeline.use(None)
        after = running.take(70)
    assert set(kinds(after[10:])) == {Kind.COPY}
    assert not running.pipeline.statistics().is_interpolating


@pytest.mark.parametrize("passes", [0, 2])
def test_models_change_without_asking_one_for_pictures_of_the_other(passes: int) -> None:
    first, second = FakeExecutor(INFO), FakeExecutor(INFO)
    with Running(fake_source(40).opener, first, ring_frames=1, passes=passes) as running:
        running.seek(0)
        running.take(20)
        assert running.pipeline.wait_until_full(PATIENCE)  # so the next one waits to be put
        running.pipeline.use(second)
        frames = running.take(60)
    assert indices(frames) == list(range(20, 80))
    assert second.calls
    assert Kind.CHEAP not in kinds(frames)


def test_a_model_forgets_its_pictures_at_a_seek() -> None:
    executor = FakeExecutor(INFO)
    with Running(fake_source(10).opener, executor) as running:
        running.all()
        before = executor.num_resets
        running.all(6)
    assert executor.num_resets == before + 1


def test_a_model_that_fails_leaves_source_frames(caplog: pytest.LogCaptureFixture) -> None:
    executor = FakeExecutor(INFO, error=RuntimeError("out of memory\nand a long story"))
    with Running(fake_source(10).opener, executor) as running:
        frames = running.all()
        assert indices(frames) == list(range(20))
        assert set(kinds(frames)) == {Kind.COPY}
        assert len(executor.calls) == 1
        running.pipeline.use(FakeExecutor(INFO))
        assert Kind.SYNTHETIC in kinds(running.all())
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert warnings == ["interpolation ends, the model failed: out of memory"]


# --- seeks -----------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(st.tuples(st.integers(-5, 130), st.integers(0, 12)), min_size=1, max_size=8))
def test_after_any_seek_the_grid_goes_on_from_there(moves: list[tuple[int, int]]) -> None:
    source = fake_source(60)
    with Running(source.opener, FakeExecutor(INFO)) as running:
        for epoch, (index, count) in enumerate(moves, start=1):
            running.seek(index)
            frames = running.take(count)
            assert {f.epoch for f in frames} <= {epoch}
            last = max(index, 119)
            assert indices(frames) == list(range(index, last + 1))[:count]
            for frame in frames:
                place = min(max(frame.index, 0), 118)
                wanted = MADE + place if place % 2 else place // 2
                assert number_of(frame.payload) == wanted


def test_a_storm_of_seeks_lets_no_old_frame_through() -> None:
    targets = [(37 * i) % 100 for i in range(60)]
    with (
        Running(fake_source(60).opener, FakeExecutor(INFO)) as running,
        ThreadPoolExecutor(1, "reader") as pool,
    ):
        last = len(targets)

        def read() -> list[OutputFrame]:
            frames: list[OutputFrame] = []
            while not frames or frames[-1].epoch < last:
                frame = running.pipeline.read(PATIENCE)
                if isinstance(frame, OutputFrame):
                    frames.append(frame)
            return frames

        running.seek(targets[0])
        reader = pool.submit(read)
        for target in targets[1:]:
            running.seek(target)
        frames = reader.result(PATIENCE)
        frames += running.take(5)
    assert all(a.epoch <= b.epoch for a, b in pairwise(frames))
    for epoch in {f.epoch for f in frames}:
        run = [f.index for f in frames if f.epoch == epoch]
        start = targets[epoch - 1]
        assert run == list(range(start, start + len(run)))


def test_a_seek_past_the_end_shows_the_last_frame() -> None:
    with Running(fake_source(10).opener) as running:
        frames = running.all(500)
    assert [(f.index, number_of(f.payload), f.kind) for f in frames] == [(500, 9, Kind.COPY)]


def test_after_the_end_a_seek_back_goes_on() -> None:
    with Running(fake_source(10).opener) as running:
        running.all()
        assert running.read() is None
        assert indices(running.all(17)) == [17, 18, 19]


def test_a_seek_frees_a_decoder_that_stalls() -> None:
    source = fake_source(20, stalls_at=10)
    with Running(source.opener) as running:
        running.seek(0)
        source.latch.wait_reached()
        running.seek(2)
        assert indices(running.take(4)) == [2, 3, 4, 5]


# --- bounds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "most"),
    [({"ring_frames": 3}, 3), ({"ring_frames": 9, "ring_bytes": 2 * INFO.payload_bytes}, 2)],
)
def test_the_ring_of_outputs_is_bounded(options: dict[str, Any], most: int) -> None:
    source = fake_source(200)
    with Running(source.opener, FakeExecutor(INFO), **options) as running:
        running.seek(0)
        for _ in range(20):
            assert running.pipeline.wait_until_full(PATIENCE)
            assert running.pipeline.statistics().num_ready == most
            running.take(1)
        assert source.num_reads <= 20 + most + 8 + 3


def test_large_pictures_are_few_in_the_ring_of_sources() -> None:
    info = stream_info(8192, 8192)  # 96 MiB each: two fit
    source = fake_source(1, info=info)
    source.payloads *= 20
    source.pts = [i / info.source_rate for i in range(20)]
    source.num_frames = 20
    with Running(source.opener, ring_frames=1) as running:
        running.seek(0)
        assert running.pipeline.wait_until_full(PATIENCE)
        running.take(2)
        assert running.pipeline.wait_until_full(PATIENCE)
        assert running.pipeline._sources.depth <= 2


def test_primed_is_a_few_frames_or_the_end() -> None:
    latch = Latch()
    source = fake_source(20, stalls_at=1, latch=latch)
    with Running(source.opener, prime_frames=3) as running:
        running.seek(0)
        latch.wait_reached()
        assert not running.pipeline.wait_primed(0.0)
        latch.open()
        assert running.pipeline.wait_primed(PATIENCE)
        running.seek(39)
        assert running.pipeline.wait_primed(PATIENCE)


def test_statistics_count_what_came_out() -> None:
    with Running(fake_source(10).opener, FakeExecutor(INFO)) as running:
        running.all()
        now = running.pipeline.statistics()
    assert now.counts == {Kind.COPY: 11, Kind.SYNTHETIC: 9}
    assert now.num_calls == 9
    assert now.is_interpolating
    assert now.cost_ms is not None
    assert now.samples_ms["model"] == pytest.approx((2.0,) * 9)
    assert len(now.samples_ms["decode"]) == 11


# --- endings ---------------------------------------------------------------------------------


def test_a_source_that_breaks_gives_its_frames_then_its_error() -> None:
    with Running(fake_source(10, fails_at=5).opener) as running:
        running.seek(0)
        assert indices(running.take(10)) == list(range(10))
        for _ in range(2):
            with pytest.raises(DecodeError, match="the source broke"):
                running.read()


def test_after_an_error_a_seek_back_goes_on() -> None:
    with Running(fake_source(10, fails_at=5).opener) as running:
        with pytest.raises(DecodeError):
            running.all()
        running.seek(4)
        assert indices(running.take(2)) == [4, 5]


def test_a_file_that_cannot_be_opened_says_so_every_time() -> None:
    pipeline = Pipeline(raising(OpenError("no such file")), FakePlayhead())
    for _ in range(2):
        with pytest.raises(OpenError, match="no such file"):
            pipeline.open()
    pipeline.close()
    assert not pipeline.is_running
