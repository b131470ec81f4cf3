"""The pipeline when the model is too slow for the player: source frames stand in."""

from __future__ import annotations

from fakes import FakeClock, FakeExecutor, FakePlayhead, number_of
from running import INFO, Running, fake_source

from rtvfi.core.frame import Kind, OutputFrame
from rtvfi.stream.run.playhead import Playhead


def kinds(frames: list[OutputFrame]) -> list[Kind]:
    return [frame.kind for frame in frames]


def test_no_frame_is_cheap_while_there_is_time() -> None:
    with Running(fake_source(20).opener, FakeExecutor(INFO)) as running:
        frames = running.all()
        assert Kind.CHEAP not in kinds(frames)
        assert not running.pipeline.statistics().is_behind


def test_cheap_frames_stand_in_when_the_player_has_caught_up() -> None:
    executor = FakeExecutor(INFO)
    playhead = FakePlayhead(1000.0)
    with Running(fake_source(20).opener, executor, playhead=playhead) as running:
        frames = running.all()
        statistics = running.pipeline.statistics()
    assert executor.calls == []
    assert kinds(frames)[1:-1:2] == [Kind.CHEAP] * 19
    assert kinds(frames)[::2] == [Kind.COPY] * 20
    assert [number_of(f.payload) for f in frames[1:-1:2]] == list(range(1, 20))
    assert statistics.is_behind
    assert statistics.margin is not None
    assert statistics.margin < 0


def test_the_model_is_back_when_there_is_time_again() -> None:
    playhead = FakePlayhead(1000.0)
    with Running(fake_source(60).opener, FakeExecutor(INFO), playhead=playhead) as running:
        running.seek(0)
        assert Kind.SYNTHETIC not in kinds(running.take(30))
        playhead.move(-1000.0)
        rest = running.take(90)
    assert kinds(rest)[-2] is Kind.COPY
    assert kinds(rest)[-3] is Kind.SYNTHETIC
    assert Kind.CHEAP not in kinds(rest[10:])


def test_before_the_player_shows_anything_nothing_is_late() -> None:
    with Running(
        fake_source(10).opener, FakeExecutor(INFO), playhead=FakePlayhead(None)
    ) as running:
        assert Kind.CHEAP not in kinds(running.all())
        assert running.pipeline.statistics().margin is None


def test_while_a_seek_is_under_way_nothing_is_late() -> None:
    playhead = Playhead(FakeClock())
    playhead.report(1000.0)
    playhead.hold(1000.0)
    with Running(fake_source(10).opener, FakeExecutor(INFO), playhead=playhead) as running:
        assert Kind.CHEAP not in kinds(running.all())
        playhead.first_frame()
        assert Kind.CHEAP in kinds(running.all())
