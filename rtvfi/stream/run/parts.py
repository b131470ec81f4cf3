"""What the compute thread is given, and what it counts: bounds, rings, meters."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rtvfi.stream.plan.ladder import Standing

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from rtvfi.core.errors import RtvfiError
    from rtvfi.core.frame import Kind, OutputFrame, SourceFrame
    from rtvfi.core.rates import Grid
    from rtvfi.core.ring import Ring
    from rtvfi.stream.plan.planner import PlanOptions
    from rtvfi.stream.plan.steering import Retiming

_SAMPLES: Final = 4096
"""Newest times kept per stage for the percentiles."""


@dataclass(frozen=True, slots=True)
class Start:
    """What the reader fixed when it started a pipeline."""

    grid: Grid
    origin: Fraction
    """The player's time 0 on the source's clock."""
    plan: PlanOptions
    """Where ``retiming`` is given, its passes and pictures per retime do not count."""
    attainable: float
    """Seconds of film a player and the output ring can be ahead of the playhead together."""
    ring_frames: int
    prime_frames: int
    """Frames that make the ring primed."""
    retiming: Retiming | None = None
    is_governed: bool = False
    """Quality gives way to speed."""
    period: Fraction | None = None
    """See ``Planner``; None = by the source's rate."""
    first_index: int | None = None
    """Outputs before it are planned, for what later ones depend on, but neither made nor given."""
    is_strict: bool = False
    """A model that fails ends the stream with its error, instead of giving way to source frames."""
    tap: Callable[[OutputFrame, bool], None] | None = None
    """Called on the compute thread with every frame put into the ring, and whether the frame is
    final: not a source frame that stands in where a model's belongs, nor of lower quality.
    """


@dataclass(frozen=True, slots=True)
class Lines:
    """The rings a compute thread works between."""

    sources: Ring[SourceFrame]
    outputs: Ring[OutputFrame]


@dataclass(slots=True)
class Meters:
    """Counted by the compute and decode threads, read by anybody."""

    counts: Counter[Kind] = field(default_factory=Counter)
    num_calls: int = 0
    is_behind: bool = False
    plan: PlanOptions | None = None
    standing: Standing = field(default_factory=Standing)
    margin: float | None = None
    cost: float | None = None
    failure: RtvfiError | None = None
    """Why the newest model that failed was given up."""
    samples: dict[str, deque[float]] = field(
        default_factory=lambda: {
            name: deque(maxlen=_SAMPLES) for name in ("decode", "convert", "model", "download")
        }
    )
