"""From measurements to settings. Pure."""

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
    """By key of ``profile.KEYS``."""
    size: Size
    """The largest at which they hold real time; the smallest measured where they hold nowhere."""
    is_held: bool
    """Whether they hold anywhere."""


HOLDS: Final = 0.8
"""Share of real time up to which a machine keeps up: decoder, player and scenes that are harder
than others need the rest.
"""
PASSES: Final = 3
"""Times as much work where held drawings are evened out, at most."""


def choose(results: Iterable[Measured], models: Sequence[str], device: str) -> Choice | None:
    """The best settings that hold real time; None when nothing was measured.

    Args:
        results: what was measured.
        models: wanted most first: a later one is taken where those before it hold nowhere.
        device: measured on.
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
    """For every size, small ones first, the largest flow scale that holds, else the smallest."""
    chosen = {}
    for size in sorted({row.job.size for row in rows}, key=lambda size: size.pixels):
        own = sorted((r for r in rows if r.job.size == size), key=lambda r: r.job.flow_scale)
        chosen[size] = next((row for row in reversed(own) if _holds(row, 48)), own[0])
    return chosen


def _scales(by_size: dict[Size, float]) -> Value:
    """As the setting ``flow_scale`` has it; what is larger than all measured gets the last, or
    less, as where nothing was measured.
    """
    ordered = sorted(by_size.items(), key=lambda item: item[0].pixels)
    steps: list[tuple[Size, float]] = []
    for size, scale in ordered:
        # A larger picture never gets a larger scale: measurements of a busy machine jitter.
        scale = min(scale, steps[-1][1]) if steps else scale
        if steps and steps[-1][1] == scale:
            steps[-1] = (size, scale)
        else:
            steps.append((size, scale))
    largest, last = steps[-1]
    # Beyond what was measured: half, but no larger than where nothing was measured.
    beyond = max(0.25, last / 2) if largest.pixels < 3840 * 2160 else last
    if beyond == last:
        steps.pop()
    return (
        ",".join([*(f"{size}:{scale:g}" for size, scale in steps), f"{beyond:g}"])
        if steps
        else last
    )
