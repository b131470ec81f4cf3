"""Playing for long leaves nothing behind: memory, threads and files stay what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from soak import Findings, soak

if TYPE_CHECKING:
    from pathlib import Path


def check(found: Findings) -> None:
    warm = found.samples[1:]
    assert found.said == []
    assert found.num_recorded == found.num_watched > 0
    assert found.peak_ring <= found.most_ring
    for threads_or_files in (2, 3):
        counts = [sample[threads_or_files] for sample in warm]
        assert max(counts) - min(counts) <= 6, "writers of pieces come and go, and no more"
        assert counts[-1] <= counts[0] + 3


def test_a_minute_with_seeks_leave_nothing_behind(tmp_path: Path) -> None:
    found = soak(tmp_path, hours=1 / 60, num_seeks=8, seed=1)
    check(found)
    assert found.samples[-1][1] - found.samples[2][1] < 40 << 20


@pytest.mark.timeout(7200)
@pytest.mark.slow
def test_two_hours_with_300_seeks_leave_nothing_behind(tmp_path: Path) -> None:
    found = soak(tmp_path, hours=2, num_seeks=300)
    check(found)
    assert found.slope < 8e6, found.report()
