"""What the compute thread is given, and what it counts: executor, bounds, rings, meters."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

from rtvfi.stream.plan.ladder import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.core.errors import RtvfiError
    from rtvfi.core.frame import Kind, OutputFrame, SourceFrame
    from rtvfi.core.rates import Grid
    from rtvfi.core.ring import Ring
    from rtvfi.core.stamp import ImageId
    from rtvfi.stream.plan.ladder import Variant
    from rtvfi.stream.plan.planner import Action, PlanOptions
    from rtvfi.stream.plan.steering import Retiming

    Payload = NDArray[np.uint8]

_SAMPLES: Final = 4096
"""Newest times kept per stage for the percentiles."""


class StageClock(Protocol):
    """Wall seconds per stage; see ``interpolate.StageTimes``."""

    convert: float
    model: float
    download: float


class Executor(Protocol):
    """What the compute thread needs of ``interpolate.Interpolation``; a protocol, so that torch is
    not imported here.
    """

    @property
    def num_frames(self) -> Literal[2, 3]:
        """Pictures a call of its model looks at."""
        ...

    def run(
        self, actions: Sequence[Action], sources: Mapping[ImageId, Payload]
    ) -> Mapping[int, Payload]:
        """Carry out one batch; payloads by grid index."""
        ...

    @property
    def variants(self) -> Collection[Variant]:
        """Cheaper ways it can run by now; more may come."""
        ...

    def choose(self, variant: Variant) -> None:
        """Run like this from the next batch on: the full model, or one of ``variants``."""
        ...

    def keep(self, needed: Collection[ImageId]) -> None:
        """Free all other pictures."""
        ...

    def reset(self) -> None:
        """Forget every picture."""
        ...

    def take_times(self) -> StageClock:
        """Stage times since the last call."""
        ...


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
