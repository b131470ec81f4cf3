from __future__ import annotations

import pytest

from rtvfi.bench.cores import cores_needed, thread_counts


@pytest.mark.parametrize(
    ("cores", "counts"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 4]), (6, [1, 2, 4, 6])]
)
def test_threads_double_up_to_all_cores(cores: int, counts: list[int]) -> None:
    assert thread_counts(cores) == counts


def test_the_fewest_threads_that_were_seen_to_hold_are_enough() -> None:
    assert cores_needed({1: 1.2, 2: 0.7, 4: 0.4}, 0.8) == 2


def test_more_cores_than_were_tried_share_what_can_be_shared() -> None:
    # 0.2 alone and 2.0 by all: 1.2 with two threads, 0.8 needs 2 / 0.6 of them
    assert cores_needed({1: 2.2, 2: 1.2}, 0.8) == 4


@pytest.mark.parametrize(
    "shares", [{1: 2.0}, {1: 2.0, 2: 2.1}, {1: 2.0, 2: 1.5}, {1: 200.0, 2: 100.35}]
)
def test_what_no_number_of_cores_holds_has_none(shares: dict[int, float]) -> None:
    assert cores_needed(shares, 0.8) is None
