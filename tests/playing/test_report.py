"""The report: percentiles, the document, and a file that is whole or not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.core.errors import RtvfiError
from rtvfi.core.frame import Kind
from rtvfi.playing.report import Report, percentile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1), (1, 1), (50, 5), (51, 6), (95, 10), (90, 9), (100, 10)]
)
def test_percentiles_are_by_nearest_rank(percent: float, value: float) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == value


def test_a_rank_is_not_rounded_up_by_floating_point() -> None:
    assert percentile(range(1, 101), 7) == 7  # 7 / 100 * 100 is above 7


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 50) is None


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_sample_with_that_share_at_or_below(
    values: list[int], percent: int
) -> None:
    found = percentile(values, percent)
    assert found in values
    assert 100 * sum(v <= found for v in values) >= percent * len(values)
    assert 100 * sum(v < found for v in values) < percent * len(values)


def test_an_empty_report_says_null_where_nothing_was_measured() -> None:
    document = Report().as_dict()
    frames = document["frames"]
    assert isinstance(frames, dict)
    assert frames["produced"] == 0
    assert document["avsync_ms"] == {"p50": None, "p95": None, "max": None}
    assert document["start_ms"] == {"first_picture": None, "first_interpolated": None}
    assert document["stages_ms"] == {}


def test_frames_are_counted_by_kind_over_all_viewings() -> None:
    report = Report()
    report.add_counts({Kind.COPY: 5, Kind.SYNTHETIC: 3}, 7)
    report.add_counts({Kind.COPY: 1, Kind.CHEAP: 2}, 3)
    frames = report.as_dict()["frames"]
    assert frames == {"asked": 10, "produced": 11, "copied": 6, "interpolated": 3, "cheap": 2}


def test_stages_gather_over_viewings() -> None:
    report = Report()
    report.add_stage("model", [1.0, 2.0])
    report.add_stage("model", [3.0, 4.00049])
    assert report.as_dict()["stages_ms"] == {"model": {"p50": 2.0, "p95": 4.0}}


def test_the_worst_sync_is_reported() -> None:
    report = Report()
    report.avsync_ms.extend([0.1, 40.0, 0.3])
    assert report.as_dict()["avsync_ms"] == {"p50": 0.3, "p95": 40.0, "max": 40.0}


def test_samples_do_not_grow_for_ever() -> None:
    report = Report()
    report.add_stage("model", range(300_000))
    assert len(report.stages_ms["model"]) == 100_000


def test_the_file_holds_the_document(tmp_path: Path) -> None:
    report = Report(drops=3, live={"model": "cel", "device": "cpu"})
    report.seeks.append({"target": 12.5, "latency_ms": 80.1})
    path = tmp_path / "report.json"
    report.write(path)
    assert json.loads(path.read_text()) == report.as_dict()
    assert list(tmp_path.iterdir()) == [path]


def test_an_older_report_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    Report(drops=1).write(path)
    assert json.loads(path.read_text())["drops"] == 1


def test_an_older_report_stays_whole_when_the_new_one_cannot_be_finished(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    (tmp_path / "report.json.part").mkdir()
    with pytest.raises(RtvfiError, match=r'the report ".*report\.json" cannot be written'):
        Report().write(path)
    assert path.read_text() == "old"


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RtvfiError, match="cannot be written: No such file"):
        Report().write(tmp_path / "nowhere" / "report.json")
