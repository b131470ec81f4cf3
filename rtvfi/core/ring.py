"""A bounded queue between two threads that knows seeks and endings.

Every item belongs to an *epoch*, the number of the seek it was made for. ``restart`` opens the next
epoch: items of older ones vanish, and whoever waits wakes. Within an epoch a ring ends in exactly
one of three ways:

- ``finish()``: readers drain it, then get ``END`` every time they ask;
- ``fail(error)``: readers drain it, then get ``error`` raised every time they ask;
- ``abort()``: everybody returns at once, what is inside is dropped, and no restart brings the ring
  back.

The first ending of an epoch stands; only ``abort`` overrides another.

A caller that has heard of a seek before the ring has (its epoch is newer) waits for the restart.
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
    """First in, first out, bounded in items and bytes; any thread may call anything."""

    def __init__(self, max_items: int, max_bytes: int, size: Callable[[T], int]) -> None:
        """Make an empty ring of epoch 0.

        Args:
            max_items: most items inside, at least 1.
            max_bytes: most bytes inside; a single larger item still passes, alone.
            size: bytes of an item; called once per ``put``.
        """
        if max_items < 1 or max_bytes < 1:
            raise ValueError(f"a ring holds at least 1 item, not {max_items} in {max_bytes} bytes")
        self.max_items = max_items
        self.max_bytes = max_bytes
        self._size = size
        # One condition for both sides: at a few hundred items a second a needless wake-up costs
        # nothing, and no wake-up can reach the wrong side only.
        self._changed = threading.Condition()
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._epoch = 0
        self._ending: EndOfStream | BaseException | None = None
        self._failed_at: TracebackType | None = None
        self._aborted = False

    @property
    def epoch(self) -> int:
        """The seek the ring now carries items of."""
        with self._changed:
            return self._epoch

    @property
    def depth(self) -> int:
        """Items waiting now."""
        with self._changed:
            return len(self._items)

    def put(self, item: T, epoch: int, timeout: float | None = None) -> bool:
        """Append ``item``, waiting while the ring is full.

        Args:
            item: what to append.
            epoch: the seek it was made for.
            timeout: longest wait in seconds; None waits as long as it takes.

        Returns:
            False when the item was not taken: ``epoch`` is not the ring's (any more), the ring has
            ended, or the timeout passed.
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
            epoch: the seek the reader works for; by default the ring's at the time of the call.
            timeout: longest wait in seconds; 0 never waits, None waits as long as it takes.

        Returns:
            An item; ``END`` after the last one; None when there is nothing for this caller: the
            timeout passed, or the ring is at another epoch, so look at ``epoch`` and ask again.

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
                # The same object is raised at every call: without this its traceback would grow
                # each time.
                raise self._ending.with_traceback(self._failed_at)
            return END

    def wait_for_depth(self, num_items: int, timeout: float) -> bool:
        """Wait until ``num_items`` are inside, the ring is full, or no more will come.

        Returns:
            False when ``timeout`` seconds passed first.
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
        """End the epoch well: no item follows.

        Returns:
            False when ``epoch`` (by default the ring's) is stale or the ring has ended already.
        """
        return self._end(END, epoch)

    def fail(self, error: BaseException, epoch: int | None = None) -> bool:
        """End the epoch with ``error`` for the readers.

        Returns:
            False when ``epoch`` (by default the ring's) is stale or the ring has ended already.
        """
        return self._end(error, epoch)

    def abort(self) -> None:
        """End for good: drop everything, wake everybody. Aborting twice is fine."""
        with self._changed:
            self._aborted = True
            self._drop()
            self._changed.notify_all()

    def restart(self, epoch: int) -> None:
        """Open ``epoch``: drop every item, forget ``finish`` and ``fail``, wake everybody.

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
