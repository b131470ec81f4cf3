"""The contract of executors: a model that carries out planned work for the compute thread.

``interpolate.Interpolation`` runs networks with torch; ``codes.CodesInterpolation`` runs ``dis``.
torch is not imported here.
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
    """One model for one stream. Only the compute thread calls its methods, in this order:

    ``reset`` first and after every seek; then for each source frame ``choose`` (only a variant that
    is in ``variants``), ``run`` for each piece of work, and ``keep`` when pictures may be freed.
    Any thread may read ``num_frames`` and ``variants``.
    """

    @property
    def num_frames(self) -> Literal[2, 3]:
        """Pictures that a call of its model looks at; with 2 it never gets ``Retimes3``."""
        ...

    @property
    def variants(self) -> Collection[Variant]:
        """Cheaper variants that are ready, besides ``FULL``; more may be added later."""
        ...

    @property
    def expected(self) -> Mapping[Variant, float]:
        """Seconds of a trial call of each variant; empty unless the full model is slow."""
        ...

    def choose(self, variant: Variant) -> None:
        """Change the variant from the next work on: ``FULL``, or one of ``variants``."""
        ...

    def run(self, work: Work, pictures: Pictures) -> Mapping[int, Payload]:
        """Carry out one piece of work.

        Args:
            work: a pass, whose picture is kept by its id (``Mid.image``) until ``keep`` or
                ``reset`` frees it; a copy of a picture made by a pass; or outputs between two or
                among three pictures. Pictures are source frames, found in ``pictures``, or were
                made by earlier passes.
            pictures: payloads of the source frames in use, and which source frames other pictures
                are made of. Never write to a payload: it may be on screen.

        Returns:
            Payload by grid index, one for every output of the work, in the stream's pixel format;
            empty for a pass. No later call writes to these arrays.

        Raises:
            BadPicture: this work gave no usable picture; the next may.
            RtvfiError, RuntimeError, MemoryError: the model has failed for good; the caller shows
                source frames from here on.
        """
        ...

    def keep(self, needed: Collection[ImageId]) -> None:
        """Free everything that none of these pictures needs."""
        ...

    def reset(self) -> None:
        """Free every picture: from here on, ids mean other pictures."""
        ...

    def take_times(self) -> StageTimes:
        """Seconds per stage since the last call of this method."""
        ...


class Pending(Protocol):
    """A piece of work that an executor may still be carrying out."""

    @property
    def is_done(self) -> bool:
        """Whether ``finish`` will return without waiting."""
        ...

    @property
    def busy(self) -> float:
        """Seconds for which it occupied the device; valid once it is finished."""
        ...

    def finish(self) -> Mapping[int, Payload]:
        """Wait for it; returns and raises the same as ``Executor.run``."""
        ...

    def abandon(self) -> None:
        """Release its buffers without waiting: its result is not needed any more."""
        ...


@dataclass(frozen=True, slots=True)
class Made:
    """A ``Pending`` that is finished already."""

    payloads: Mapping[int, Payload]
    is_done: bool = True
    busy: float = 0.0

    def finish(self) -> Mapping[int, Payload]:
        """The result."""
        return self.payloads

    def abandon(self) -> None:
        """Does nothing: it holds no buffers."""


@runtime_checkable
class Overlapping(Executor, Protocol):
    """An executor that accepts work while earlier work is still running.

    ``keep`` and ``choose`` do not affect running work; ``reset`` abandons it.
    """

    depth: int
    """Number of pieces of work that should be running when the next one is launched; if there are
    more, the caller waits for the oldest.
    """

    def launch(self, work: Work, pictures: Pictures) -> Pending:
        """Start a piece of work, with the arguments of ``run``; results may be taken in any order.

        Raises:
            RtvfiError, RuntimeError, MemoryError: as ``Executor.run``; ``Pending.finish`` may raise
                them instead.
        """
        ...


def carry_out(executor: Executor, batch: Batch, pictures: Pictures) -> Mapping[int, Payload]:
    """Carry out a batch and wait for it: returns payloads by grid index.

    Args:
        executor: any executor.
        batch: a batch of a plan without ``PlanOptions.beat``, so that no output is ``Again``.
        pictures: contains the source frames that the batch needs.
    """
    assert not isinstance(batch, Again), "a plan with pauses"
    if isinstance(batch, Mid):
        pictures.plan(batch)
    return executor.run(batch, pictures)
