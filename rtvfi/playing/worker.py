"""A thread for slow work, which must not be done on the player's event thread."""

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
    """Runs jobs one after the other, in order.

    Args:
        name: name of the thread.
        complain: receives a job's ``RtvfiError``; any other exception is logged as a bug.
        gone: the exception of a player that has ended; it silently ends a job.
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
        """Queue a job."""
        self._jobs.put(job)

    def stop(self, deadline: float) -> None:
        """Drop queued jobs; wait for the current one no longer than until ``deadline``
        (monotonic).
        """
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
                if not self._is_stopping:  # else the player may have ended during the job
                    log.exception("a background job failed")
