"""A bounded queue between two threads that handles seeks and endings.

Every item belongs to an *epoch*, the number of the seek it was made for. ``restart`` opens the next
epoch: older items are dropped, and every waiting thread wakes. Within an epoch a ring ends in
exactly one of three ways:

- ``finish()``: readers drain it, then get ``END`` every time they ask;
- ``fail(error)``: readers drain it, then get ``error`` raised every time they ask;
- ``abort()``: all calls return at once, all items are dropped, and the ring cannot be restarted.

The first ending of an epoch stands; only ``abort`` overrides another.

A caller that learns of a seek before the ring does (its epoch is newer) waits for the restart.
"""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

from rtvfi.core.frame import END, EndOfStream

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

T = TypeVar("T")


class Aborted(Exception):  # noqa: N818 - an ending, not an error
    """Raised by ``get`` once the ring was aborted: unwind and end the thread."""


class Ring(Generic[T]):
    """First in, first out, bounded in items and bytes; any thread may call any method."""

    def __init__(self, max_items: int, max_bytes: int, size: Callable[[T], int]) -> None:
        """Make an empty ring of epoch 0.

        Args:
            max_items: capacity in items, at least 1.
            max_bytes: capacity in bytes; a single larger item is still accepted, alone.
            size: returns the bytes of an item; called once per ``put``.
        """
        if max_items < 1 or max_bytes < 1:
            raise ValueError(f"a ring holds at least 1 item, not {max_items} in {max_bytes} bytes")
        self.max_items = max_items
        self.max_bytes = max_bytes
        self._size = size
        # One condition for readers and writers: at a few hundred items a second a needless wake-up
        # costs nothing, and no wake-up can be lost by reaching only the wrong side.
        self._changed = threading.Condition()
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._epoch = 0
        self._ending: EndOfStream | BaseException | None = None
        self._failed_at: TracebackType | None = None
        self._aborted = False

    @property
    def epoch(self) -> int:
        """The epoch of the items that the ring holds now."""
        with self._changed:
            return self._epoch

    @property
    def depth(self) -> int:
        """Number of items inside."""
        with self._changed:
            return len(self._items)

    def put(self, item: T, epoch: int, timeout: float | None = None) -> bool:
        """Append ``item``, waiting while the ring is full.

        Args:
            item: the item.
            epoch: the epoch it was made in.
            timeout: longest wait in seconds; None = no limit.

        Returns:
            False if the item was not appended: the ring is at another epoch, the ring has ended,
            or the timeout passed.
        """
        size = self._size(item)
        with self._changed:

            def is_settled() -> bool:
                is_waiting = self._is_open(epoch) and not self._has_room(size)
                return not self._is_ahead(epoch) and not is_waiting

            if not self._changed.wait_for(is_settled, timeout) or not self._is_open(epoch):
                return False
            self._items.append((item, size))
            self._bytes += size
            self._changed.notify_all()
            return True

    def get(self, epoch: int | None = None, timeout: float | None = None) -> T | EndOfStream | None:
        """Take the oldest item, waiting while there is none.

        Args:
            epoch: the epoch the reader works in; by default the ring's at the time of the call.
            timeout: longest wait in seconds; 0 = do not wait, None = no limit.

        Returns:
            An item; ``END`` after the last one; None if the timeout passed, or the ring is at
            another epoch: read ``epoch`` and call again.

        Raises:
            Aborted: the ring was aborted.
            BaseException: the error given to ``fail``, once drained.
        """
        deadline = None if timeout is None else monotonic() + timeout
        with self._changed:
            wanted = self._epoch if epoch is None else epoch
            while self._is_dry(wanted):
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    return None
                self._changed.wait(left)
            if self._aborted:
                raise Aborted
            if self._epoch != wanted:
                return None
            if self._items:
                return self._take()
            if isinstance(self._ending, BaseException):
                # The same object is raised by every call: without this its traceback would grow
                # each time.
                raise self._ending.with_traceback(self._failed_at)
            return END

    def wait_for_depth(self, num_items: int, timeout: float) -> bool:
        """Wait until ``num_items`` are inside, the ring is full, or it has ended.

        Returns:
            False if ``timeout`` seconds passed first.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: (
                    len(self._items) >= num_items
                    or not self._is_open(self._epoch)
                    or (bool(self._items) and not self._has_room(self._items[-1][1]))
                ),
                timeout,
            )

    def finish(self, epoch: int | None = None) -> bool:
        """End the epoch successfully: no item follows.

        Returns:
            False if ``epoch`` (by default the ring's) is stale or the ring has ended already.
        """
        return self._end(END, epoch)

    def fail(self, error: BaseException, epoch: int | None = None) -> bool:
        """End the epoch: readers get ``error`` after the last item.

        Returns:
            False if ``epoch`` (by default the ring's) is stale or the ring has ended already.
        """
        return self._end(error, epoch)

    def abort(self) -> None:
        """End the ring for good: drop all items, wake all threads. Aborting twice is fine."""
        with self._changed:
            self._aborted = True
            self._drop()
            self._changed.notify_all()

    def restart(self, epoch: int) -> None:
        """Open ``epoch``: drop every item, undo ``finish`` and ``fail``, wake all threads.

        An aborted ring stays aborted.

        Raises:
            ValueError: ``epoch`` is not newer than the ring's.
        """
        with self._changed:
            if epoch <= self._epoch:
                raise ValueError(f"epoch {epoch} is not newer than {self._epoch}")
            self._epoch = epoch
            self._ending = None
            self._drop()
            self._changed.notify_all()

    # Below: only with the lock held.

    def _is_open(self, epoch: int) -> bool:
        return epoch == self._epoch and self._ending is None and not self._aborted

    def _has_room(self, size: int) -> bool:
        if not self._items:
            return True
        return len(self._items) < self.max_items and self._bytes + size <= self.max_bytes

    def _is_dry(self, wanted: int) -> bool:
        return self._is_ahead(wanted) or (not self._items and self._is_open(wanted))

    def _is_ahead(self, epoch: int) -> bool:
        return epoch > self._epoch and not self._aborted

    def _take(self) -> T:
        item, size = self._items.popleft()
        self._bytes -= size
        self._changed.notify_all()
        return item

    def _drop(self) -> None:
        self._items.clear()
        self._bytes = 0

    def _end(self, ending: EndOfStream | BaseException, epoch: int | None) -> bool:
        with self._changed:
            epoch = self._epoch if epoch is None else epoch
            while self._is_ahead(epoch):
                self._changed.wait()
            if not self._is_open(epoch):
                return False
            self._ending = ending
            self._failed_at = ending.__traceback__ if isinstance(ending, BaseException) else None
            self._changed.notify_all()
            return True
