"""Chooses settings from measurements. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rtvfi.bench.jobs import Measured, Size
    from rtvfi.settings.keys import Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Settings for ``rtvfi play``."""

    settings: dict[str, Value]
    """Values for ``profile.KEYS``."""
    size: Size
    """The largest size at which they keep up in real time; if there is none, the smallest size."""
    is_held: bool
    """Whether they keep up at any size."""


HOLDS: Final = 0.8
"""Seconds of computing per second of film up to which playback keeps up; the decoder, the player
and scenes that are harder than others need the rest.
"""
PASSES: Final = 3
"""The style ``smooth`` needs at most this many times the work of ``plain``."""


def choose(results: Iterable[Measured], models: Sequence[str], device: str) -> Choice | None:
    """The best settings that keep up in real time; None if nothing was measured.

    Args:
        results: the measurements.
        models: in order of preference; the first one that keeps up at any size is chosen.
        device: the value of ``--device`` that was measured.
    """
    rows = [row for row in results if row.ms]
    tables = [_by_size([row for row in rows if row.job.model == model]) for model in models]
    tables = [table for table in tables if table]
    if not tables:
        return None
    holding = [table for table in tables if any(_holds(row, 48) for row in table.values())]
    chosen = (holding or tables)[0]
    held = [size for size, row in chosen.items() if _holds(row, 48)]
    size = held[-1] if held else next(iter(chosen))
    row = chosen[size]
    rate = next((t for t in (120, 60, 48) if _holds(row, t)), 48)
    work = row.share(rate)
    settings: dict[str, Value] = {
        "model": row.job.model,
        "device": device,
        "style": "smooth" if work is not None and work * PASSES <= HOLDS else "plain",
        "fps": {120: "display", 60: "60", 48: "2x"}[rate],
        "flow_scale": _scales({s: r.job.flow_scale for s, r in chosen.items()}),
        "compile": row.job.form,
    }
    return Choice(settings=settings, size=size, is_held=bool(held))


def _holds(row: Measured, target: int) -> bool:
    share = row.share(target)
    return share is not None and share <= HOLDS


def _by_size(rows: Sequence[Measured]) -> dict[Size, Measured]:
    """For every size, ascending: the largest flow scale that keeps up, else the smallest."""
    chosen = {}
    for size in sorted({row.job.size for row in rows}, key=lambda size: size.pixels):
        own = sorted((r for r in rows if r.job.size == size), key=lambda r: r.job.flow_scale)
        chosen[size] = next((row for row in reversed(own) if _holds(row, 48)), own[0])
    return chosen


def _scales(by_size: dict[Size, float]) -> Value:
    """A value for the setting ``flow_scale``, including a scale for sizes beyond those measured."""
    ordered = sorted(by_size.items(), key=lambda item: item[0].pixels)
    steps: list[tuple[Size, float]] = []
    for size, scale in ordered:
        # A larger picture never gets a larger scale; noisy measurements could suggest that.
        scale = min(scale, steps[-1][1]) if steps else scale
        if steps and steps[-1][1] == scale:
            steps[-1] = (size, scale)
        else:
            steps.append((size, scale))
    largest, last = steps[-1]
    # Beyond the measured sizes: half the last scale, but at least 0.25.
    beyond = max(0.25, last / 2) if largest.pixels < 3840 * 2160 else last
    if beyond == last:
        steps.pop()
    return (
        ",".join([*(f"{size}:{scale:g}" for size, scale in steps), f"{beyond:g}"])
        if steps
        else last
    )
