"""What the compute thread asks of an executor: a model that carries out planned work.

``interpolate.Interpolation`` is the one that runs networks with torch. Anything else that can make
pictures may take its place; torch is not imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from rtvfi.stream.plan.planner import Again, Mid

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.core.stamp import ImageId
    from rtvfi.stream.plan.batch import Batch, Work
    from rtvfi.stream.plan.ladder import Variant
    from rtvfi.stream.run.executors.pictures import Pictures

    Payload = NDArray[np.uint8]


@dataclass(slots=True)
class StageTimes:
    """Wall seconds spent per stage."""

    convert: float = 0.0
    model: float = 0.0
    download: float = 0.0


class Executor(Protocol):
    """One model, one stream. All methods are called by the compute thread only, in this order:

    ``reset`` first and after every seek, then for each source frame ``choose`` (only a variant
    that ``variants`` named), ``run`` for each piece of work and ``keep`` when pictures may go.
    ``num_frames`` and ``variants`` may be read by any thread.
    """

    @property
    def num_frames(self) -> Literal[2, 3]:
        """Pictures a call of its model looks at; with 2 it is never given ``Retimes3``."""
        ...

    @property
    def variants(self) -> Collection[Variant]:
        """Cheaper ways it can run by now, beside ``FULL``; more may come. Empty: it has none."""
        ...

    @property
    def expected(self) -> Mapping[Variant, float]:
        """Seconds that a call took when it was tried out; empty unless the full model is slow."""
        ...

    def choose(self, variant: Variant) -> None:
        """Run like this from the next work on: ``FULL``, or one of ``variants``."""
        ...

    def run(self, work: Work, pictures: Pictures) -> Mapping[int, Payload]:
        """Carry out one piece of work.

        Args:
            work: a pass, whose picture is kept under its name (``Mid.image``) until ``keep``
                or ``reset`` lets it go; a copy of a picture made by a pass; or outputs between two
                or among three pictures. Pictures are source frames, found in ``pictures``, or were
                made by passes before.
            pictures: payloads of source frames in play, and which of them others are made of.
                Payloads are read-only: they are shown as they are.

        Returns:
            Payload by grid index, one for every output of the work, in the stream's pixel format;
            empty for a pass. Arrays of their own: no later call writes to them.

        Raises:
            BadPicture: this work gave no usable picture; the next may.
            RtvfiError, RuntimeError, MemoryError: the model is given up, and source frames are
                shown from here on.
        """
        ...

    def keep(self, needed: Collection[ImageId]) -> None:
        """Free whatever belongs to other pictures only."""
        ...

    def reset(self) -> None:
        """Forget every picture: the names that come next are those of others."""
        ...

    def take_times(self) -> StageTimes:
        """Seconds spent per stage since the last call."""
        ...


class Pending(Protocol):
    """A piece of work that was given to an executor and may be under way."""

    @property
    def is_done(self) -> bool:
        """Whether ``finish`` need not wait."""
        ...

    @property
    def busy(self) -> float:
        """Seconds that the device was kept from other work; once it is finished."""
        ...

    def finish(self) -> Mapping[int, Payload]:
        """Wait for it; what ``Executor.run`` returns and raises."""
        ...

    def abandon(self) -> None:
        """It is not wanted any more: let go of its buffers without waiting."""
        ...


@dataclass(frozen=True, slots=True)
class Made:
    """A ``Pending`` for which there is nothing to wait."""

    payloads: Mapping[int, Payload]
    is_done: bool = True
    busy: float = 0.0

    def finish(self) -> Mapping[int, Payload]:
        """What there is."""
        return self.payloads

    def abandon(self) -> None:
        """It holds nothing."""


@runtime_checkable
class Overlapping(Executor, Protocol):
    """An executor that takes work while other work is under way.

    ``keep`` and ``choose`` leave that alone; ``reset`` abandons it.
    """

    depth: int
    """Pieces of work that should be under way when the next one is given; with more, the oldest is
    waited for there.
    """

    def launch(self, work: Work, pictures: Pictures) -> Pending:
        """Begin a piece of work, for ``run``'s arguments; it may be finished in any order.

        Raises:
            RtvfiError, RuntimeError, MemoryError: see ``Executor.run``; or they come from
                ``Pending.finish``.
        """
        ...


def carry_out(executor: Executor, batch: Batch, pictures: Pictures) -> Mapping[int, Payload]:
    """What a batch gives where time does not matter: payloads by grid index.

    Args:
        executor: any.
        batch: of a plan in which no output repeats the one before (``PlanOptions.beat``).
        pictures: with the source frames that the batch needs.
    """
    assert not isinstance(batch, Again), "a plan with pauses"
    if isinstance(batch, Mid):
        pictures.plan(batch)
    return executor.run(batch, pictures)
