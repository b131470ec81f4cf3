"""Jobs are done once each, by whoever is free, and their errors come out."""

from __future__ import annotations

import threading

import pytest
from fakes import raising

from rtvfi.stream.run.executors.crew import Crew


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_every_job_is_done_once(size: int, count: int) -> None:
    crew, done = Crew(size), []
    crew.spread([lambda k=k: done.append(k) for k in range(count)])  # type: ignore[misc]
    crew.close()
    assert sorted(done) == list(range(count))


def test_two_jobs_are_at_work_at_once() -> None:
    crew, meeting = Crew(2), threading.Barrier(2, timeout=20)
    crew.spread([meeting.wait, meeting.wait])  # type: ignore[list-item]
    crew.close()


@pytest.mark.parametrize("size", [1, 3])
def test_an_error_of_a_job_comes_out_after_all_have_ended(size: int) -> None:
    crew, done = Crew(size), []

    with pytest.raises(ValueError, match="no"):
        crew.spread([lambda: done.append(1), raising(ValueError("no"))])
    crew.spread([lambda: done.append(2)])
    crew.close()
    assert done[-1] == 2
