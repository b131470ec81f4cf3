"""A thread for what must not be done on the player's event thread."""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING

from rtvfi.core.errors import RtvfiError

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


class Worker:
    """Does jobs one after the other, in order.

    Args:
        name: of the thread.
        complain: told of what a user can cause; anything else a job raises is logged as a bug.
        gone: raised where what a job works on is no more; it ends the job, and nobody minds.
    """

    def __init__(
        self, name: str, complain: Callable[[RtvfiError], None], gone: type[Exception]
    ) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._complain = complain
        self._gone = gone
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(self, job: Callable[[], None]) -> None:
        """Run ``job`` after those before it."""
        self._jobs.put(job)

    def stop(self, deadline: float) -> None:
        """Drop jobs not begun and wait until ``deadline`` (monotonic) for the one under way."""
        self._is_stopping = True
        self._jobs.put(None)
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None and not self._is_stopping:
            try:
                job()
            except RtvfiError as error:
                if not self._is_stopping:
                    self._complain(error)
            except self._gone:
                log.debug("a job ended with the player")
            except Exception:
                if not self._is_stopping:  # the player may be gone under a job's feet
                    log.exception("a background job failed")
