"""The ring: bounded, in order, one epoch at a time, three endings, and nobody waits for ever."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from rtvfi.core.frame import END
from rtvfi.core.ring import Aborted, Ring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


def make(max_items: int = 2, max_bytes: int = 1000) -> Ring[int]:
    """A ring of numbers, each as many bytes as its value."""
    return Ring(max_items, max_bytes, lambda item: item)


class Partner:
    """Calls in other threads that the test can watch until they wait.

    The threads are daemons: one that a broken ring never wakes must not keep pytest from ending.
    """

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._waits = threading.Semaphore(0)

    def close(self) -> None:
        for thread in self._threads:
            thread.join(5)
        assert not any(thread.is_alive() for thread in self._threads)

    def call(self, work: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised where the result is read
                future.set_exception(error)

        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()
        return future

    def call_until_waiting(self, ring: Ring[Any], work: Callable[[], T]) -> Future[T]:
        """Start ``work`` and return once it waits inside ``ring`` (the lock is free only then)."""
        condition = ring._changed
        original = condition.wait

        def wait(timeout: float | None = None) -> bool:
            self._waits.release()
            return original(timeout)

        condition.wait = wait  # type: ignore[method-assign]
        future = self.call(work)
        self._waits.acquire()
        return future


@pytest.fixture
def partner() -> Iterator[Partner]:
    partner = Partner()
    yield partner
    partner.close()


def test_items_come_out_in_order() -> None:
    ring = make()
    assert ring.put(1, 0)
    assert ring.put(2, 0)
    assert [ring.get(), ring.get()] == [1, 2]


def test_nothing_yet_is_none_and_does_not_wait() -> None:
    assert make().get(timeout=0) is None


def test_a_timeout_passes() -> None:
    assert make().get(timeout=0.001) is None


def test_a_stale_item_is_refused() -> None:
    ring = make()
    ring.restart(3)
    assert not ring.put(1, 2)
    assert ring.put(2, 3)
    assert ring.get() == 2


def test_a_reader_of_an_old_epoch_gets_nothing() -> None:
    ring = make()
    ring.restart(1)
    ring.put(5, 1)
    assert ring.get(epoch=0) is None
    assert ring.get(epoch=1) == 5


def test_finish_drains_and_then_ends_every_time() -> None:
    ring = make()
    ring.put(1, 0)
    assert ring.finish()
    assert not ring.put(2, 0)
    assert [ring.get(), ring.get(), ring.get(timeout=0)] == [1, END, END]


def test_fail_drains_and_then_raises_every_time() -> None:
    ring = make()
    ring.put(1, 0)
    error = OSError("the disk is gone")
    assert ring.fail(error)
    assert ring.get() == 1
    for _ in range(2):
        with pytest.raises(OSError, match="disk") as caught:
            ring.get()
        assert caught.value is error


def test_a_failure_raised_twice_does_not_grow_its_traceback() -> None:
    ring = make()
    ring.fail(OSError())
    lengths = []
    for _ in range(3):
        with pytest.raises(OSError) as caught:  # noqa: PT011 - identity is another test
            ring.get()
        lengths.append(len(caught.traceback))
    assert len(set(lengths)) == 1


def test_abort_drops_everything_for_good() -> None:
    ring = make()
    ring.put(1, 0)
    ring.abort()
    ring.abort()
    ring.restart(1)
    assert not ring.put(1, 1)
    assert not ring.finish()
    with pytest.raises(Aborted):
        ring.get(timeout=0)


def test_the_first_ending_stands_but_abort_beats_it() -> None:
    ring = make()
    ring.finish()
    assert not ring.fail(OSError())
    assert ring.get() is END
    ring.abort()
    with pytest.raises(Aborted):
        ring.get()


def test_an_ending_of_an_old_epoch_is_ignored() -> None:
    ring = make()
    ring.restart(1)
    assert not ring.finish(0)
    assert not ring.fail(OSError(), 0)
    assert ring.put(1, 1)


@pytest.mark.parametrize("ending", [Ring.finish, lambda r: r.fail(OSError())])
def test_a_restart_forgets_items_and_ending(ending: Callable[[Ring[int]], bool]) -> None:
    ring = make()
    ring.put(1, 0)
    ending(ring)
    ring.restart(1)
    assert ring.get(timeout=0) is None
    assert ring.put(2, 1)
    assert ring.get() == 2


def test_epochs_only_rise() -> None:
    ring = make()
    ring.restart(2)
    with pytest.raises(ValueError, match="newer"):
        ring.restart(2)


def test_an_item_larger_than_the_ring_passes_alone(partner: Partner) -> None:
    ring = make(max_items=5, max_bytes=10)
    assert ring.put(50, 0)
    blocked = partner.call_until_waiting(ring, lambda: ring.put(1, 0))
    assert ring.get() == 50
    assert blocked.result()


def test_bytes_bound_the_ring(partner: Partner) -> None:
    ring = make(max_items=5, max_bytes=10)
    ring.put(6, 0)
    ring.put(4, 0)
    blocked = partner.call_until_waiting(ring, lambda: ring.put(5, 0))
    ring.get()
    assert blocked.result()
    assert [ring.get(), ring.get()] == [4, 5]


def test_a_ring_needs_room() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        make(max_items=0)


def test_a_waiting_reader_wakes_for_an_item(partner: Partner) -> None:
    ring = make()
    got = partner.call_until_waiting(ring, ring.get)
    ring.put(7, 0)
    assert got.result() == 7


def test_a_waiting_reader_wakes_for_the_end(partner: Partner) -> None:
    ring = make()
    got = partner.call_until_waiting(ring, ring.get)
    ring.finish()
    assert got.result() is END


def test_a_waiting_reader_wakes_for_a_failure(partner: Partner) -> None:
    ring = make()
    got = partner.call_until_waiting(ring, ring.get)
    ring.fail(OSError("broken"))
    with pytest.raises(OSError, match="broken"):
        got.result()


def test_a_waiting_reader_wakes_for_an_abort(partner: Partner) -> None:
    ring = make()
    got = partner.call_until_waiting(ring, ring.get)
    ring.abort()
    with pytest.raises(Aborted):
        got.result()


def test_a_waiting_reader_wakes_for_a_restart(partner: Partner) -> None:
    ring = make()
    got = partner.call_until_waiting(ring, ring.get)
    ring.restart(1)
    assert got.result() is None


@pytest.mark.parametrize(
    "end",
    [Ring.finish, lambda r: r.fail(OSError()), Ring.abort, lambda r: r.restart(1)],
    ids=["finish", "fail", "abort", "restart"],
)
def test_a_waiting_writer_wakes_when_its_item_is_not_wanted(
    partner: Partner, end: Callable[[Ring[int]], object]
) -> None:
    ring = make(max_items=1)
    ring.put(1, 0)
    taken = partner.call_until_waiting(ring, lambda: ring.put(2, 0))
    end(ring)
    assert not taken.result()


@pytest.mark.parametrize(
    ("ahead", "answer"),
    [
        (lambda r: r.put(2, 1), True),
        (lambda r: r.finish(1), True),
        (lambda r: r.fail(OSError(), 1), True),
    ],
    ids=["put", "finish", "fail"],
)
def test_a_writer_ahead_of_the_ring_waits_for_the_restart(
    partner: Partner, ahead: Callable[[Ring[int]], bool], answer: bool
) -> None:
    ring = make()
    ring.finish()
    done = partner.call_until_waiting(ring, lambda: ahead(ring))
    ring.restart(1)
    assert done.result() is answer


def test_a_reader_ahead_of_the_ring_waits_for_the_restart(partner: Partner) -> None:
    ring = make()
    ring.put(1, 0)
    got = partner.call_until_waiting(ring, lambda: ring.get(epoch=1))
    ring.restart(1)
    ring.put(2, 1)
    assert got.result() == 2


def test_nobody_waits_for_the_restart_of_an_aborted_ring(partner: Partner) -> None:
    ring = make()
    done = partner.call_until_waiting(ring, lambda: ring.put(2, 1))
    ring.abort()
    assert not done.result()


def test_a_depth_can_be_waited_for(partner: Partner) -> None:
    ring = make()
    reached = partner.call_until_waiting(ring, lambda: ring.wait_for_depth(2, 60))
    ring.put(1, 0)
    ring.put(1, 0)
    assert reached.result()


def test_a_depth_that_bytes_forbid_counts_as_reached() -> None:
    ring = make(max_items=9, max_bytes=10)
    ring.put(6, 0)
    assert ring.wait_for_depth(3, 0)


@pytest.mark.parametrize("end", [Ring.finish, lambda r: r.fail(OSError()), Ring.abort])
def test_nobody_waits_for_depth_in_an_ended_ring(
    partner: Partner, end: Callable[[Ring[int]], object]
) -> None:
    ring = make()
    reached = partner.call_until_waiting(ring, lambda: ring.wait_for_depth(2, 60))
    end(ring)
    assert reached.result()


def test_a_depth_that_does_not_come_is_false() -> None:
    ring = make()
    ring.put(1, 0)
    assert not ring.wait_for_depth(2, 0)


def test_every_waiting_reader_sees_the_end(partner: Partner) -> None:
    ring = make()
    first = partner.call_until_waiting(ring, ring.get)
    second = partner.call_until_waiting(ring, ring.get)
    ring.finish()
    assert first.result() is second.result() is END


def test_two_threads_pass_everything_in_order(partner: Partner) -> None:
    ring = make(max_items=3)

    def write() -> None:
        for item in range(500):
            assert ring.put(item, 0)
        ring.finish()

    written = partner.call(write)
    got = []
    while (item := ring.get()) is not END:
        assert ring.depth <= 3
        got.append(item)
    written.result()
    assert got == list(range(500))
