"""A few threads that do parts of one job together with the thread that asks."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Crew:
    """A few helping threads for one thread at a time: asleep between jobs, gone with the process.

    Args:
        size: threads that work, the asking one among them; at least 1.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._helpers = ThreadPoolExecutor(size - 1, "rtvfi-crew") if size > 1 else None

    def spread(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run jobs that do not depend on each other, and wait for all.

        Raises:
            What a job raises, once none is at work any more.
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
