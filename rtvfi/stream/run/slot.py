"""The place of the model on the compute thread: filled and emptied from outside, and when it fails.

torch is not imported: the executor comes ready made, and without one there are source frames.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import BadPicture, RtvfiError, model_failure
from rtvfi.stream.plan.batch import outputs_of
from rtvfi.stream.plan.ladder import FULL
from rtvfi.stream.plan.planner import Copy
from rtvfi.stream.run.executors.executor import Made, Overlapping

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.core.stamp import ImageId
    from rtvfi.stream.plan.batch import Work
    from rtvfi.stream.plan.ladder import Variant
    from rtvfi.stream.plan.steering import Steering
    from rtvfi.stream.run.executors.executor import Executor, Pending
    from rtvfi.stream.run.executors.pictures import Pictures
    from rtvfi.stream.run.parts import Statistics

    Payload = NDArray[np.uint8]

log = logging.getLogger(__name__)

_OUTLIER: Final = 4
"""Times the usual cost of a call that are believed of a single one."""
_MAX_BAD: Final = 8
"""Bad pictures in a row that are passed over; a model that makes more is given up."""
_FAILURES: Final = (RtvfiError, RuntimeError, MemoryError)  # torch's are RuntimeErrors


class ModelSlot:
    """The executor at work; used by the compute thread, but ``use`` may be called by any.

    An executor asked for with ``use`` is not at work before ``take``: a scene may have to be
    finished, or begun anew, first.

    Args:
        pictures: in play.
        steering: told what the work costs.
        statistics: where to count.
        on_failure: called with the error of a model that is given up where source frames must
            not take its place; None where they may.
    """

    def __init__(
        self,
        pictures: Pictures,
        steering: Steering,
        statistics: Statistics,
        on_failure: Callable[[RtvfiError], None] | None = None,
    ) -> None:
        self._pictures = pictures
        self._steering = steering
        self._statistics = statistics
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._wanted: Executor | None = None
        self.executor: Executor | None = None
        """At work; None = source frames are shown. Written by ``take`` only."""
        self._num_bad = 0
        """Calls in a row that gave no picture."""
        self._variant = FULL
        self._overlapping: Overlapping | None = None
        """The executor at work, if it is one."""

    # ---- any thread ----

    def use(self, executor: Executor | None) -> None:
        """Want this at work; None shows source frames."""
        with self._lock:
            self._wanted = executor

    @property
    def wanted(self) -> Executor | None:
        """What should be at work; another thread may change it between two looks."""
        return self._wanted

    # ---- the compute thread ----

    @property
    def variants(self) -> Collection[Variant]:
        """Cheaper ways the model can run by now."""
        return () if self.executor is None else self.executor.variants

    @property
    def expected(self) -> Mapping[Variant, float]:
        """Seconds that a call took when it was tried out; empty unless the full model is slow."""
        return {} if self.executor is None else self.executor.expected

    def choose(self, variant: Variant) -> None:
        """Run the model like this from here on; what that costs decides what there is time for."""
        executor, statistics = self.executor, self._statistics
        if executor is None:
            return
        executor.choose(variant)
        if variant != self._variant and executor.expected:
            # What a slow network takes says nothing about one that is not: that is tried at once.
            statistics.cost = executor.expected.get(variant)
        self._variant = variant

    def take(self, executor: Executor | None) -> None:
        """Work with this one from here on; pictures it may know are of another time."""
        if executor is not self.executor:
            self._steering.renew()
            self._variant = FULL
            self._statistics.cost = None if executor is None else executor.expected.get(FULL)
        self.executor, self._num_bad = executor, 0
        self._overlapping = executor if isinstance(executor, Overlapping) else None
        self._statistics.is_interpolating = executor is not None
        self._pictures.forget_made()
        if executor is not None:
            executor.reset()  # abandons what is under way

    def keep(self, needed: Collection[ImageId]) -> None:
        """Only these pictures are needed from here on."""
        if self.executor is not None:
            self.executor.keep(needed)

    @property
    def depth(self) -> int:
        """Pieces of work that should be under way when the next one is given."""
        return 0 if self._overlapping is None else self._overlapping.depth

    def launch(self, work: Work) -> Underway | None:
        """Give the model a piece of work; None without a model, or when it fails at once."""
        executor = self.executor
        if executor is None:
            return None
        begin = time.perf_counter()
        pending: Pending
        try:
            if self._overlapping is not None:
                pending = self._overlapping.launch(work, self._pictures)
            else:
                pending = Made(executor.run(work, self._pictures))
        except _FAILURES as error:
            self._failed(error)
            return None
        return Underway(self, work, pending, time.perf_counter() - begin)

    def _failed(self, error: Exception) -> None:
        """A call gave no picture."""
        self._num_bad += 1
        is_passed = isinstance(error, BadPicture) and self._num_bad <= _MAX_BAD
        if self._on_failure is not None or not is_passed:
            self._give_up(error)

    def _note(self, work: Work, executor: Executor, seconds: float) -> None:
        """A call is done, and what it took."""
        self._num_bad = 0
        count, statistics = len(outputs_of(work)) or 1, self._statistics
        if statistics.cost is not None:  # a process that was stopped meanwhile is no slow model
            seconds = min(seconds, _OUTLIER * statistics.cost * count)
        if not isinstance(work, Copy):
            self._steering.worked(seconds, count)
        statistics.add_call(seconds / count)
        times = executor.take_times()
        for stage in ("convert", "model", "download"):
            statistics.samples[stage].append(getattr(times, stage) / count)

    def _give_up(self, error: Exception) -> None:
        """The model failed: source frames from here on, until another executor is asked for."""
        failure = model_failure(error)
        if self._on_failure is not None:
            self._on_failure(failure)
            return
        log.warning("interpolation ends, %s", failure.message)
        log.debug("the model failed", exc_info=error)
        self._statistics.failure = failure
        with self._lock:
            if self._wanted is self.executor:
                self._wanted = None
        self.take(None)


class Underway:
    """A piece of work that the model at work was given; used by the compute thread.

    Args:
        slot: its place.
        work: what was asked for.
        pending: the executor's promise.
        seconds: that giving it took.
    """

    def __init__(self, slot: ModelSlot, work: Work, pending: Pending, seconds: float) -> None:
        self._slot = slot
        self._executor = slot.executor
        self._work = work
        self._pending = pending
        self._seconds = seconds

    @property
    def has_outputs(self) -> bool:
        """Whether it gives pictures to show; a pass gives none."""
        return bool(outputs_of(self._work))

    @property
    def is_done(self) -> bool:
        """Whether ``finish`` need not wait."""
        return self._pending.is_done

    def finish(self) -> Mapping[int, Payload] | None:
        """What the model makes; None when it fails, or was given up meanwhile."""
        slot, executor = self._slot, self._executor
        if executor is None or executor is not slot.executor:
            self.abandon()
            return None
        begin = time.perf_counter()
        try:
            made = self._pending.finish()
        except _FAILURES as error:
            slot._failed(error)
            return None
        # The device may have been at it while this thread did other things.
        here = self._seconds + time.perf_counter() - begin
        slot._note(self._work, executor, max(here, self._pending.busy))
        return made

    def abandon(self) -> None:
        """It is not wanted any more."""
        self._pending.abandon()
