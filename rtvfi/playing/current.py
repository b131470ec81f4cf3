"""Keeps which file mpv plays, and our viewing of it.

mpv's events begin and end files on one thread; viewings are made on another, which takes time. The
check "does that file still play?" and the assignment "then this is its viewing" must be one step,
so both are done under one lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from rtvfi.engine.build import Viewing


class Current:
    """The current file and its viewing.

    Args:
        lock: held during every change of what is shown; an ``RLock``.
        finished: called with a viewing that is not used any more, with the lock held.
    """

    def __init__(
        self, lock: AbstractContextManager[object], finished: Callable[[Viewing], None]
    ) -> None:
        self._lock = lock
        self._finished = finished
        self._number = 0
        """Counts files begun and ended, so that each file has a number of its own."""
        self._viewing: Viewing | None = None

    @property
    def number(self) -> int:
        """Number of the current file, different from that of all others."""
        return self._number

    @property
    def viewing(self) -> Viewing | None:
        """Our viewing of the current file; None while it plays without interpolation."""
        return self._viewing

    def begin(self) -> int:
        """Begin a file; returns its number."""
        with self._lock:
            self._number += 1
            self._replace(None)
            return self._number

    def end(self) -> None:
        """End the current file: nothing made for it will be shown any more."""
        with self._lock:
            self._number += 1
            self._replace(None)

    def put(self, number: int, viewing: Viewing, show: Callable[[], None]) -> bool:
        """Make this the viewing of file ``number``, if that still plays.

        Args:
            number: the result of ``begin``.
            viewing: replaces the previous viewing.
            show: passes it to mpv; if it raises, nothing changes.

        Returns:
            False if that file has ended; then ``show`` was not called.
        """
        with self._lock:
            if number != self._number:
                return False
            show()
            self._replace(viewing)
            return True

    def _replace(self, new: Viewing | None) -> None:
        before, self._viewing = self._viewing, new
        if before is not None:
            self._finished(before)
