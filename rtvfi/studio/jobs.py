"""Work that takes its time, one piece after the other, with its progress to be asked for."""

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
"""Jobs whose results can still be asked for."""


class Cancelled(Exception):  # noqa: N818
    """Nobody wants the rest."""


@dataclass(slots=True)
class Job:
    """A piece of work; the worker writes, others read."""

    id: int
    total: int
    """Pictures, those given included."""
    pictures: list[bytes] = field(default_factory=list)
    """JPEG files, as far as they are there."""
    file: Path | None = None
    """Of an export that is done."""
    error: str = ""
    hint: str = ""
    is_done: bool = False
    is_cancelled: bool = False
    num_made: int = 0

    def made(self) -> None:
        """One more picture.

        Raises:
            Cancelled: nobody wants the rest.
        """
        self.num_made += 1
        if self.is_cancelled:
            raise Cancelled

    @property
    def state(self) -> dict[str, object]:
        """For the page."""
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
    """One worker, one piece of work at a time; a newer one takes the place of the one before."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="rtvfi-studio-work")
        self._numbers = itertools.count(1)
        self._jobs: dict[int, Job] = {}

    def start(self, total: int, work: Callable[[Job], None]) -> Job:
        """Begin, as soon as what is under way has stopped."""
        self.cancel()
        job = Job(next(self._numbers), total)
        self._jobs[job.id] = job
        for old in list(self._jobs)[:-_KEPT]:
            del self._jobs[old]
        self._worker.submit(self._run, job, work)
        return job

    def find(self, number: int) -> Job | None:
        """The job of that number, if it is among the newest."""
        return self._jobs.get(number)

    def cancel(self) -> None:
        """Stop what is under way after the picture at hand."""
        for job in self._jobs.values():
            job.is_cancelled = job.is_cancelled or not job.is_done

    def close(self) -> None:
        """Cancel, and wait for the picture at hand."""
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
        except Exception as error:  # the page must hear of it
            failure = model_failure(error)
            log.debug("a job of the studio failed", exc_info=error)
            job.error, job.hint = failure.message, failure.hint
        finally:
            job.is_done = True
