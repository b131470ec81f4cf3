"""Types of the compute thread: its parameters (``Start``), its rings, its statistics."""

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
    """Parameters of a pipeline, fixed when it is started."""

    grid: Grid
    origin: Fraction
    """The player's time 0 on the source's clock."""
    plan: PlanOptions
    """The planner's options; ``retiming``, if given, replaces its passes and pictures per
    retime.
    """
    attainable: float
    """Seconds of film a player and the output ring can be ahead of the playhead together."""
    ring_frames: int
    prime_frames: int
    """Number of frames in the ring at which playback may start."""
    retiming: Retiming | None = None
    is_governed: bool = False
    """Quality may be lowered when time is short (while playing)."""
    period: Fraction | None = None
    """Seconds per source frame, for the planner; None = from the source's rate."""
    first_index: int | None = None
    """Outputs before it are planned, because later ones depend on them, but not made."""
    is_strict: bool = False
    """A failing model ends the stream with its error, instead of being replaced by source
    frames.
    """
    tap: Callable[[OutputFrame, bool], None] | None = None
    """Called on the compute thread with every frame put into the ring, and with whether the frame
    is final: neither a stand-in nor of reduced quality.
    """


@dataclass(frozen=True, slots=True)
class Rings:
    """The rings before and after the compute thread."""

    sources: Ring[SourceFrame]
    outputs: Ring[OutputFrame]


_SAMPLES: Final = 4096
"""Number of newest times kept per stage, for percentiles."""


def _samples() -> dict[str, deque[float]]:
    stages = ("decode", "convert", "model", "download")
    return {stage: deque(maxlen=_SAMPLES) for stage in stages}


@dataclass(slots=True)
class Statistics:
    """Statistics of a pipeline, for overlay, report, bench and tests.

    The compute and decode threads write the pipeline's own object, each field only by one of them;
    everybody else gets copies (``snapshot``).
    """

    counts: Counter[Kind] = field(default_factory=Counter)
    """Frames put into the output ring, by kind."""
    num_calls: int = 0
    """Number of model calls."""
    is_interpolating: bool = False
    is_behind: bool = False
    """The margin is low: source frames replace the model's."""
    plan: PlanOptions | None = None
    """The planner's current options; None before the first frame."""
    standing: Standing = field(default_factory=Standing)
    """The current step of the quality ladder."""
    margin: float | None = None
    """Seconds by which the newest frame was ahead of the playhead when it was made."""
    cost: float | None = None
    """Seconds per interpolated frame, smoothed."""
    failure: RtvfiError | None = None
    """Why the last model failed; source frames are shown instead. None if none failed."""
    samples: dict[str, deque[float]] = field(default_factory=_samples)
    """Newest times per stage, seconds: decode per source frame; convert, model and download per
    output frame.
    """
    num_ready: int = 0
    """Frames in the output ring; in snapshots only."""
    decoder: str = ""
    """The decoder in use, which changes if a device fails; in snapshots only."""

    def add_call(self, seconds: float) -> None:
        """Count a call that took ``seconds`` per output."""
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
        """Fraction of all frames that are of this kind, 0 to 1."""
        return self.counts[kind] / max(1, self.counts.total())
