"""What the compute thread is given, and what is counted: bounds, rings, statistics."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
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
class Rings:
    """The rings a compute thread works between."""

    sources: Ring[SourceFrame]
    outputs: Ring[OutputFrame]


_SAMPLES: Final = 4096
"""Newest times kept per stage for the percentiles."""


def _samples() -> dict[str, deque[float]]:
    stages = ("decode", "convert", "model", "download")
    return {stage: deque(maxlen=_SAMPLES) for stage in stages}


@dataclass(slots=True)
class Statistics:
    """How a pipeline does, for overlay, report, bench and tests.

    The pipeline's own is written by the compute and decode threads, each field by one of them;
    others get copies (``snapshot``).
    """

    counts: Counter[Kind] = field(default_factory=Counter)
    """Frames put into the output ring, by kind."""
    num_calls: int = 0
    """Batches given to the model."""
    is_interpolating: bool = False
    is_behind: bool = False
    """The margin is low: cheap frames stand in for the model's."""
    plan: PlanOptions | None = None
    """How scenes are retimed now; None before the first frame."""
    standing: Standing = field(default_factory=Standing)
    """Quality given up for lack of time."""
    margin: float | None = None
    """Seconds the newest frame was ahead of the playhead when it was made."""
    cost: float | None = None
    """Smoothed seconds of one interpolated frame."""
    failure: RtvfiError | None = None
    """Why the newest model that failed was given up; source frames are shown in its place."""
    samples: dict[str, deque[float]] = field(default_factory=_samples)
    """Newest seconds per stage: decode per source frame; convert, model, download per batch's
    output frame.
    """
    num_ready: int = 0
    """Frames in the output ring; in snapshots only."""
    decoder: str = ""
    """What decodes now; another than at first where a device gave up. In snapshots only."""

    def add_call(self, seconds: float) -> None:
        """Tell what one output of a call took."""
        self.num_calls += 1
        self.cost = seconds if self.cost is None else 0.8 * self.cost + 0.2 * seconds

    def snapshot(self, num_ready: int, decoder: str) -> Statistics:
        """A copy that no thread writes to."""
        samples = {stage: values.copy() for stage, values in self.samples.items()}
        return replace(
            self, counts=self.counts.copy(), samples=samples, num_ready=num_ready, decoder=decoder
        )

    @property
    def frames(self) -> dict[str, int]:
        """``counts``, for programs."""
        return {kind.name.lower(): count for kind, count in self.counts.items()}

    @property
    def cost_ms(self) -> float | None:
        """``cost`` in milliseconds."""
        return None if self.cost is None else self.cost * 1e3

    @property
    def samples_ms(self) -> dict[str, list[float]]:
        """``samples`` in milliseconds."""
        return {stage: [1e3 * s for s in values] for stage, values in self.samples.items()}

    def share(self, kind: Kind) -> float:
        """Part of all frames that is of this kind."""
        return self.counts[kind] / max(1, self.counts.total())
