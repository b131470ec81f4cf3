"""Runs jobs one after the other on a thread, and reports their progress."""

from __future__ import annotations

import itertools
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import RtvfiError, model_failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

_KEPT: Final = 4
"""How many of the latest jobs are remembered."""


class Cancelled(Exception):  # noqa: N818
    """Raised inside a job that was cancelled."""


@dataclass(slots=True)
class Job:
    """A job and its progress; only the worker thread writes, other threads read."""

    id: int
    total: int
    """Number of pictures, including the given ones."""
    pictures: list[bytes] = field(default_factory=list)
    """The JPEG files finished so far."""
    file: Path | None = None
    """The file of a finished export."""
    error: str = ""
    hint: str = ""
    is_done: bool = False
    is_cancelled: bool = False
    num_made: int = 0

    def made(self) -> None:
        """Count one more finished picture.

        Raises:
            Cancelled: the job was cancelled.
        """
        self.num_made += 1
        if self.is_cancelled:
            raise Cancelled

    @property
    def state(self) -> dict[str, object]:
        """The progress as the page receives it."""
        return {
            "id": self.id,
            "total": self.total,
            "made": self.num_made,
            "shown": len(self.pictures),
            "done": self.is_done,
            "error": self.error,
            "hint": self.hint,
        }


class Jobs:
    """Runs one job at a time; starting a job cancels the one before."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="rtvfi-studio-work")
        self._numbers = itertools.count(1)
        self._jobs: dict[int, Job] = {}

    def start(self, total: int, work: Callable[[Job], None]) -> Job:
        """Cancel the current job and queue a new one.

        Args:
            total: number of pictures that the job will count.
            work: called with the job on the worker thread.
        """
        self.cancel()
        job = Job(next(self._numbers), total)
        self._jobs[job.id] = job
        for old in list(self._jobs)[:-_KEPT]:
            del self._jobs[old]
        self._worker.submit(self._run, job, work)
        return job

    def find(self, number: int) -> Job | None:
        """The job with that number, if it is still remembered."""
        return self._jobs.get(number)

    def cancel(self) -> None:
        """Cancel all jobs; the running one stops after its current picture."""
        for job in self._jobs.values():
            job.is_cancelled = job.is_cancelled or not job.is_done

    def close(self) -> None:
        """Cancel all jobs and wait for the worker thread to end."""
        self.cancel()
        self._worker.shutdown()

    @staticmethod
    def _run(job: Job, work: Callable[[Job], None]) -> None:
        try:
            if not job.is_cancelled:
                work(job)
        except Cancelled:
            job.error = "cancelled"
        except RtvfiError as error:
            job.error, job.hint = error.message, error.hint
        except Exception as error:  # the page must show every error
            failure = model_failure(error)
            log.debug("a job of the studio failed", exc_info=error)
            job.error, job.hint = failure.message, failure.hint
        finally:
            job.is_done = True
