"""Passes figures for the report from an engine to the window's process. Pure except for the clock.

Every line is JSON with all counts so far and the newest times of each stage, so that the last line
of an engine is enough.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from rtvfi.core.frame import Kind
from rtvfi.playing.mpv.events import process_age_ms

if TYPE_CHECKING:
    from rtvfi.core.files import Json
    from rtvfi.playing.report import Report

_KEY: Final = "rtvfi-figures"
_SAMPLES: Final = 1024
"""Largest number of newest times per stage that are passed on. Writing a line holds the interpreter
for about 4 ms with so many, and for 15 ms with four times as many.
"""


def line_of(report: Report, recording_error: str | None) -> str:
    """The line for an engine's report: the parts that the window's process cannot see itself."""
    first_ms = report.first_interpolated_ms
    age = None if first_ms is None else (process_age_ms() - first_ms) / 1e3
    figures = {
        "counts": {kind.name: count for kind, count in report.counts.items()},
        "asked": report.num_asked,
        "stages_ms": {
            name: [round(ms, 3) for ms in islice(reversed(values), _SAMPLES)]
            for name, values in report.stages_ms.items()
            if values
        },
        "live": report.live,
        "interpolated_at": None if age is None else time.monotonic() - age,
        "recording_error": recording_error,
    }
    return json.dumps({_KEY: figures})


def figures_of(line: bytes | str) -> Json:
    """The figures in a line; empty if it is not such a line, or is incomplete."""
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        return dict(json.loads(line)[_KEY])
    return {}


def add(report: Report, figures: Json) -> None:
    """Add the newest figures of one engine to the report of its window."""
    if not figures:
        return
    counts = {Kind[name]: count for name, count in figures["counts"].items()}
    report.add_counts(counts, figures["asked"])
    for name, values in figures["stages_ms"].items():
        report.add_stage(name, values)
    report.live = figures["live"] or report.live
    at = figures["interpolated_at"]
    if report.first_interpolated_ms is None and at is not None:
        report.first_interpolated_ms = process_age_ms() - (time.monotonic() - at) * 1e3
