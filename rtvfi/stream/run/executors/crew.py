"""A few helper threads that share one job with the calling thread."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Crew:
    """Helper threads for one calling thread at a time. They sleep between jobs and end with the
    process.

    Args:
        size: number of working threads including the caller; at least 1.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._helpers = ThreadPoolExecutor(size - 1, "rtvfi-crew") if size > 1 else None

    def spread(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run independent jobs and wait for all of them.

        Raises:
            The exception of a job, after all jobs have ended.
        """
        todo = deque(jobs)

        def work() -> None:
            while True:
                try:
                    job = todo.popleft()
                except IndexError:
                    return
                job()

        num_helpers = min(self.size, len(jobs)) - 1
        if self._helpers is None or num_helpers < 1:
            work()
            return
        others = [self._helpers.submit(work) for _ in range(num_helpers)]
        try:
            work()
        finally:
            wait(others)
        for other in others:
            other.result()

    def close(self) -> None:
        """End the helpers."""
        if self._helpers is not None:
            self._helpers.shutdown(wait=False)
