"""The pipeline when something hangs or breaks: it stops at once, and says what stayed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from fakes import PATIENCE, FakeExecutor, FakePlayhead, FakeSource, Latch
from running import INFO, Running, fake_source

from rtvfi.core.errors import SourceError
from rtvfi.core.frame import END
from rtvfi.stream.run.pipeline import Pipeline

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable


def stopped_while_opening(latch: Latch, *, asks: bool) -> Pipeline:
    """A pipeline that was stopped while its file was being opened.

    Args:
        latch: holds the opening up.
        asks: whether what is opened asks if it is still wanted.
    """

    def opener(interrupted: Callable[[], bool]) -> FakeSource:
        latch.pass_through(*([interrupted] if asks else []))
        return fake_source().opener(interrupted)

    pipeline = Pipeline(opener, FakePlayhead())
    with ThreadPoolExecutor(1, "opener") as pool:
        opening = pool.submit(pipeline.open)
        latch.wait_reached()
        pipeline.stop()
        with pytest.raises(SourceError, match="closed while it was being opened"):
            opening.result(PATIENCE)
    return pipeline


def test_stop_ends_a_wait_for_a_file_that_does_not_open() -> None:
    latch = Latch()
    pipeline = stopped_while_opening(latch, asks=False)  # a drive that sleeps asks nobody
    latch.open()
    pipeline.close()


def test_opening_is_abandoned_when_stopped() -> None:
    pipeline = stopped_while_opening(Latch(), asks=True)
    pipeline.close()
    assert not pipeline.is_running


def test_stop_ends_a_read_while_the_source_hangs(caplog: pytest.LogCaptureFixture) -> None:
    source = fake_source(20, stalls_at=3, is_deaf=True)
    with Running(source.opener) as running, ThreadPoolExecutor(1, "reader") as pool:
        running.seek(0)
        running.take(5)
        source.latch.wait_reached()
        waiting = pool.submit(running.pipeline.read, None)
        running.pipeline.stop()
        assert waiting.result(PATIENCE) is END
        running.pipeline.close(0.0)
        assert running.pipeline.is_running
        assert "thread rtvfi-decode did not end" in caplog.text
        source.latch.open()
    assert source.is_closed
    assert not running.pipeline.is_running


def test_stop_ends_a_read_while_the_model_hangs(caplog: pytest.LogCaptureFixture) -> None:
    latch = Latch()
    source = fake_source(20)
    with Running(source.opener, FakeExecutor(INFO, latch=latch)) as running:
        running.seek(0)
        running.take(1)
        latch.wait_reached()
        running.pipeline.stop()
        assert running.read() is None
        running.pipeline.close(0.0)
        assert "thread rtvfi-compute did not end" in caplog.text
        latch.open()
    assert source.is_closed


def test_a_seek_does_not_wait_for_the_model() -> None:
    latch = Latch()
    with Running(fake_source(20).opener, FakeExecutor(INFO, latch=latch)) as running:
        running.seek(0)
        latch.wait_reached()
        running.seek(10)
        latch.open()
        assert [f.index for f in running.take(3)] == [10, 11, 12]


def test_after_stop_nothing_comes_and_nothing_starts() -> None:
    source = fake_source(20)
    with Running(source.opener) as running:
        running.pipeline.stop()
        running.seek(0)
        assert running.read() is None
    assert source.num_reads == 0


def test_one_thread_opens_reads_seeks_and_closes_the_source() -> None:
    source = fake_source(20)  # it asserts its thread
    with Running(source.opener) as running:
        running.all(5)
    assert source.is_closed
    assert source.thread is not None
    assert source.thread.name == "rtvfi-decode"


def test_a_source_lost_while_nobody_read_is_known_after_a_seek(
    error_log: list[logging.LogRecord],
) -> None:
    source = fake_source(20, fails_at=4, error=TypeError("a bug"))
    with Running(source.opener, ring_frames=1) as running:
        running.seek(0)
        assert source.thread is not None
        source.thread.join(PATIENCE)  # it ends while the compute thread waits to be read
        running.seek(0)
        with pytest.raises(TypeError, match="a bug"):
            running.read()
    assert error_log


@pytest.mark.parametrize("where", ["source", "model"])
def test_a_bug_ends_the_pipeline_for_good_and_every_read_says_so(
    where: str, error_log: list[logging.LogRecord]
) -> None:
    bug = TypeError("a bug")
    source = fake_source(20, fails_at=3 if where == "source" else None, error=bug)
    executor = FakeExecutor(INFO, error=bug if where == "model" else None)
    with Running(source.opener, executor) as running:
        with pytest.raises(TypeError, match="a bug"):
            running.all()
        running.seek(0)
        with pytest.raises(TypeError, match="a bug"):
            running.read()
    assert error_log[0].getMessage().endswith("thread failed")
