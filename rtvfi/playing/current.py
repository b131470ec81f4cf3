"""Which file mpv plays, and our viewing of it.

Files begin and end when mpv says so, on one thread; a viewing is made on another, which takes time.
"Does that file still play?" and "then this is its viewing" must be one step: one lock holds both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from rtvfi.engine.build import Viewing


class Current:
    """The file that plays now.

    Args:
        lock: held while what is shown changes; the same thread may take it again (``RLock``).
        finished: told of a viewing that is over, while the lock is held.
    """

    def __init__(
        self, lock: AbstractContextManager[object], finished: Callable[[Viewing], None]
    ) -> None:
        self._lock = lock
        self._finished = finished
        self._number = 0
        """Files begun and ended so far."""
        self._viewing: Viewing | None = None

    @property
    def number(self) -> int:
        """Tells this file from those before and after it."""
        return self._number

    @property
    def viewing(self) -> Viewing | None:
        """Ours of the file that plays; None while it plays as it is."""
        return self._viewing

    def begin(self) -> int:
        """A file is about to play; its number."""
        with self._lock:
            self._number += 1
            self._let_go(None)
            return self._number

    def end(self) -> None:
        """The file is over: nothing made for it will be shown any more."""
        with self._lock:
            self._number += 1
            self._let_go(None)

    def put(self, number: int, viewing: Viewing, show: Callable[[], None]) -> bool:
        """Make this the viewing of file ``number``, if that still plays.

        Args:
            number: what ``begin`` gave.
            viewing: takes the place of the one before it.
            show: hands it to mpv; what it raises leaves everything as it was.

        Returns:
            False, and nothing was shown, when that file is over.
        """
        with self._lock:
            if number != self._number:
                return False
            show()
            self._let_go(viewing)
            return True

    def _let_go(self, new: Viewing | None) -> None:
        before, self._viewing = self._viewing, new
        if before is not None:
            self._finished(before)
