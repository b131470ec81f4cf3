from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.train.plot import plot_log, read_log, ticks

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = [
    {"step": 500, "seconds": 9, "rate": 1e-3, "picture": 0.4, "flow": 2.0, "held": 20.0, "a": 30.0},
    {"step": 1000, "seconds": 19, "rate": 5e-4, "picture": 0.3, "flow": 1.0, "held": 22.0},
]
SVG = "{http://www.w3.org/2000/svg}"


def test_every_curve_is_drawn_and_named_with_its_last_value() -> None:
    root = ElementTree.fromstring(plot_log(ENTRIES))
    assert len(root.findall(f".//{SVG}polyline")) == 5
    texts = {node.text for node in root.iter(f"{SVG}text")}
    assert {"picture 0.3", "flow 1", "held 22", "a 30", "rate 0.0005"} <= texts


def test_curves_stay_inside_their_panel() -> None:
    root = ElementTree.fromstring(plot_log(ENTRIES))
    for line in root.findall(f".//{SVG}polyline"):
        for pair in line.attrib["points"].split():
            x, y = map(float, pair.split(","))
            assert 60 <= x <= 690
            assert 26 <= y <= 170


def test_an_empty_log_is_a_picture_too() -> None:
    assert "nothing yet" in plot_log([])


def test_a_line_cut_short_and_values_that_are_none_are_left_out(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    lines = [json.dumps(entry) for entry in [*ENTRIES, {"step": 1500, "held": float("nan")}]]
    log.write_text("\n".join([*lines, '{"step": 20']))
    assert [entry["step"] for entry in read_log(log)] == [500, 1000, 1500]
    assert "nan" not in plot_log(read_log(log))


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_hold_the_range_between_them(low: float, span: float) -> None:
    high = low + span
    marks = ticks(low, high)
    assert 2 <= len(marks) <= 10
    slack = 1e-9 * max(abs(low), abs(high), 1.0)
    assert marks[0] <= low + slack
    assert marks[-1] >= high - slack
    assert marks == sorted(set(marks))


def test_names_are_escaped() -> None:
    assert ElementTree.fromstring(plot_log([{"step": 1, "held": 1.0, "<&": 2.0}])) is not None


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
def test_a_single_value_has_a_scale(value: float) -> None:
    assert ticks(value, value)[0] < value < ticks(value, value)[-1]
