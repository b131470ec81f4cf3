"""Holds the model of the compute thread, which other threads may exchange, and handles its
failures.

torch is not imported: the executor is passed in, and without one source frames are shown.
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
"""A single call counts as at most this many times the usual cost."""
_MAX_BAD: Final = 8
"""Bad pictures in a row that are tolerated; with one more the model is given up."""
_FAILURES: Final = (RtvfiError, RuntimeError, MemoryError)  # torch's are RuntimeErrors


class ModelSlot:
    """Holds the current executor; used by the compute thread, except ``use``, which any thread may
    call.

    An executor passed to ``use`` becomes current only with ``take``, because a scene may have to be
    finished or restarted first.

    Args:
        pictures: the pictures in use.
        steering: receives the costs of calls.
        statistics: counts calls and their times.
        on_failure: called with the error when the model fails for good and source frames must not
            replace it; None = they may.
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
        """The current executor; None = source frames are shown. Only ``take`` sets it."""
        self._num_bad = 0
        """Consecutive calls without a usable picture."""
        self._variant = FULL
        self._overlapping: Overlapping | None = None
        """The current executor, if it is an ``Overlapping`` one."""

    # ---- any thread ----

    def use(self, executor: Executor | None) -> None:
        """Request this executor; None = show source frames."""
        with self._lock:
            self._wanted = executor

    @property
    def wanted(self) -> Executor | None:
        """The requested executor; another thread may change it between two reads."""
        return self._wanted

    # ---- the compute thread ----

    @property
    def variants(self) -> Collection[Variant]:
        """Cheaper variants of the model that are ready."""
        return () if self.executor is None else self.executor.variants

    @property
    def expected(self) -> Mapping[Variant, float]:
        """Seconds of a trial call of each variant; empty unless the full model is slow."""
        return {} if self.executor is None else self.executor.expected

    def choose(self, variant: Variant) -> None:
        """Change the variant from here on; its cost is used for the margin from now on."""
        executor, statistics = self.executor, self._statistics
        if executor is None:
            return
        executor.choose(variant)
        if variant != self._variant and executor.expected:
            # The cost of a slow network says nothing about a fast one, which is tried at once.
            statistics.cost = executor.expected.get(variant)
        self._variant = variant

    def take(self, executor: Executor | None) -> None:
        """Make this the current executor; pictures that it may still hold are freed."""
        if executor is not self.executor:
            self._steering.renew()
            self._variant = FULL
            self._statistics.cost = None if executor is None else executor.expected.get(FULL)
        self.executor, self._num_bad = executor, 0
        self._overlapping = executor if isinstance(executor, Overlapping) else None
        self._statistics.is_interpolating = executor is not None
        self._pictures.forget_made()
        if executor is not None:
            executor.reset()  # abandons running work

    def keep(self, needed: Collection[ImageId]) -> None:
        """Free all pictures except these."""
        if self.executor is not None:
            self.executor.keep(needed)

    @property
    def depth(self) -> int:
        """Number of pieces of work that should be running when the next one is launched."""
        return 0 if self._overlapping is None else self._overlapping.depth

    def launch(self, work: Work) -> Underway | None:
        """Start a piece of work; None without a model, or if it fails at once."""
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
        """Handle a call that gave no picture."""
        self._num_bad += 1
        is_passed = isinstance(error, BadPicture) and self._num_bad <= _MAX_BAD
        if self._on_failure is not None or not is_passed:
            self._give_up(error)

    def _note(self, work: Work, executor: Executor, seconds: float) -> None:
        """Record the time of a finished call."""
        self._num_bad = 0
        count, statistics = len(outputs_of(work)) or 1, self._statistics
        if statistics.cost is not None:  # the process may have been stopped (Ctrl+Z) meanwhile
            seconds = min(seconds, _OUTLIER * statistics.cost * count)
        if not isinstance(work, Copy):
            self._steering.worked(seconds, count)
        statistics.add_call(seconds / count)
        times = executor.take_times()
        for stage in ("convert", "model", "download"):
            statistics.samples[stage].append(getattr(times, stage) / count)

    def _give_up(self, error: Exception) -> None:
        """Show source frames from here on, until another executor is requested."""
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
    """A running piece of work; used by the compute thread.

    Args:
        slot: the slot of the model.
        work: the work.
        pending: the executor's handle of it.
        seconds: how long launching it took.
    """

    def __init__(self, slot: ModelSlot, work: Work, pending: Pending, seconds: float) -> None:
        self._slot = slot
        self._executor = slot.executor
        self._work = work
        self._pending = pending
        self._seconds = seconds

    @property
    def has_outputs(self) -> bool:
        """Whether it returns outputs; a pass returns none."""
        return bool(outputs_of(self._work))

    @property
    def is_done(self) -> bool:
        """Whether ``finish`` will return without waiting."""
        return self._pending.is_done

    def finish(self) -> Mapping[int, Payload] | None:
        """Wait for the outputs; None if the model fails or was given up meanwhile."""
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
        # The device may have worked on it while this thread did other things.
        here = self._seconds + time.perf_counter() - begin
        slot._note(self._work, executor, max(here, self._pending.busy))
        return made

    def abandon(self) -> None:
        """Drop it: its result is not needed any more."""
        self._pending.abandon()
