"""The report of ``--report``: numbers gathered while playing, written as JSON at the end. Pure."""

from __future__ import annotations

import json
import math
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import RtvfiError
from rtvfi.core.files import write_whole
from rtvfi.core.frame import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Fact = str | float | list[str] | None
"""Of what is live."""
_SAMPLES: Final = 100_000


def percentile(values: Iterable[float], percent: float) -> float | None:
    """Nearest-rank percentile (``percent`` 0 to 100); None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = math.ceil(percent * len(ordered) / 100)
    return ordered[max(0, rank - 1)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


@dataclass(slots=True)
class Report:
    """The content of a report. Only one thread writes at a time: the player's event thread, then
    the main thread.
    """

    counts: Counter[Kind] = field(default_factory=Counter)
    num_asked: int = 0
    drops: int = 0
    avsync_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    """Absolute values."""
    seeks: list[dict[str, float]] = field(default_factory=list)
    stages_ms: dict[str, deque[float]] = field(default_factory=dict)
    live: dict[str, Fact] = field(default_factory=dict)
    recording: Mapping[str, object] | None = None
    """What was recorded: the result of ``Recorder.close``."""
    engines: Mapping[str, object] | None = None
    """Engines in other processes: how many there were, and why some ended early."""
    first_picture_ms: float | None = None
    first_interpolated_ms: float | None = None

    def add_stage(self, name: str, values_ms: Iterable[float]) -> None:
        """Add times of a stage, milliseconds."""
        self.stages_ms.setdefault(name, deque(maxlen=_SAMPLES)).extend(values_ms)

    def add_counts(self, counts: Mapping[Kind, int], num_asked: int) -> None:
        """Add the frames of one viewing; ``num_asked`` is how many the player began to read."""
        self.counts.update(counts)
        self.num_asked += num_asked

    def copy(self) -> Report:
        """A copy of what viewings add to it, which others may read while this one is added to."""
        stages = {name: values.copy() for name, values in [*self.stages_ms.items()]}
        return replace(self, counts=self.counts.copy(), stages_ms=stages)

    def as_dict(self) -> dict[str, object]:
        """The JSON document."""
        parts = {"recording": self.recording, "engines": self.engines}
        return {
            "frames": {
                "asked": self.num_asked,
                "produced": self.counts.total(),
                "copied": self.counts[Kind.COPY],
                "interpolated": self.counts[Kind.SYNTHETIC],
                "cheap": self.counts[Kind.CHEAP],
            },
            "avsync_ms": {
                "p50": _rounded(percentile(self.avsync_ms, 50)),
                "p95": _rounded(percentile(self.avsync_ms, 95)),
                "max": _rounded(percentile(self.avsync_ms, 100)),
            },
            "drops": self.drops,
            "seeks": self.seeks,
            "stages_ms": {
                name: {"p50": _rounded(percentile(ms, 50)), "p95": _rounded(percentile(ms, 95))}
                for name, ms in self.stages_ms.items()
            },
            "live": self.live,
            "start_ms": {
                "first_picture": _rounded(self.first_picture_ms),
                "first_interpolated": _rounded(self.first_interpolated_ms),
            },
            **{name: part for name, part in parts.items() if part is not None},
        }

    def write(self, path: Path) -> None:
        """Write the document atomically.

        Raises:
            RtvfiError: the file cannot be written.
        """
        try:
            write_whole(path, json.dumps(self.as_dict(), indent=2) + "\n")
        except OSError as error:
            raise RtvfiError(f'the report "{path}" cannot be written: {error.strerror}') from error
