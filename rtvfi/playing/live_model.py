"""The model of the current viewing: loads it, fits it to a stream, shrinks it, suspends it.

All of this is slow (importing torch, loading weights): it runs on the worker, or in the hook of a
file that is recorded, and never on mpv's event thread. A lock keeps the two threads apart.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import DeviceError, OutOfMemory
from rtvfi.core.hardware.sensors import Reading, Sensors, folder_of
from rtvfi.engine.model_host import ModelHost, is_quick
from rtvfi.models.weights.auto import PROCESSOR
from rtvfi.playing import osd
from rtvfi.playing.mpv.screen import PlayerGone
from rtvfi.playing.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.core.errors import RtvfiError
    from rtvfi.engine.build import Viewing
    from rtvfi.playing.remarks import Remarks
    from rtvfi.playing.wanted import Choice
    from rtvfi.settings.config import PlayOptions
    from rtvfi.stream.run.executors.base import AnyExecutor
    from rtvfi.stream.run.parts import Statistics

_LOOK_SECONDS: Final = 1.0
"""Seconds between two readings of the GPU's sensors."""


class LiveModel:
    """The model of one player.

    Args:
        options: device, and how frames are made.
        choice: the user's live choices, among them the model.
        remarks: shows messages about what is given up.
        ready: called with a viewing when the GPU was tested and its model may be loaded.
    """

    def __init__(
        self,
        options: PlayOptions,
        choice: Choice,
        remarks: Remarks,
        ready: Callable[[Viewing], None],
    ) -> None:
        self._choice = choice
        self._remarks = remarks
        self._is_model_ours = options.is_model_ours
        self._ready = ready
        self._models = ModelHost(
            options.device, options.stream, is_live=True, selftest=options.selftest
        )
        self._tester: Worker | None = None
        """The thread that tests the GPU while the film plays, if a test is due."""
        self._lock = threading.RLock()
        self._executor: AnyExecutor | None = None
        self._fitted: Viewing | None = None
        """The viewing that the executor was made for."""
        folder = folder_of()
        self._sensors = None if folder is None else Sensors(folder)
        self._looked_at = 0.0
        self._reading = Reading()
        """The newest reading of the sensors."""
        self._is_resting = False
        self.failure: RtvfiError | None = None
        """The newest failure of a model."""

    @property
    def host(self) -> ModelHost:
        """The host that loads models, with what is known about its device."""
        return self._models

    def use(self, viewing: Viewing) -> None:
        """Give the chosen model to a viewing.

        If the GPU must be tested first, the viewing shows source frames until then, and ``ready``
        is called afterwards.

        Raises:
            ModelError, DeviceError: the model cannot be used; the viewing shows source frames.
        """
        with self._lock:
            wanted = self._choice.now
            if wanted.style not in wanted.styles:
                self._remarks.once(
                    f"{wanted.style} needs a model that looks at three frames: plain with "
                    f"{wanted.model}"
                )
            if not is_quick(wanted.model) and self._models.trust.is_due:
                self._fitted, self._executor = viewing, None
                viewing.pipeline.use(None)
                self._test(viewing)
                return
            if self._is_model_ours and self._models.trust.fails and not is_quick(wanted.model):
                wanted = replace(wanted, model=PROCESSOR)
                self._choice.take(wanted)
            is_copy = wanted.model == "copy"
            self._executor = None if is_copy else self._load(wanted.model, viewing)
            self._fitted = viewing
            viewing.pipeline.use(None if self._is_resting else self._executor)
            if self._models.remark:
                self._remarks.once(self._models.remark)
            if self._executor is not None:
                if later := osd.warm_up(self._models.warm_up_seconds):
                    self._remarks.once(f"{wanted.model} is ready{later}")
                self._models.add_variants(self._executor, wanted.model, viewing)

    def _test(self, viewing: Viewing) -> None:
        """Test the GPU on a thread of its own; several calls start only one test."""
        if self._tester is None:
            self._remarks.once("the GPU is tested before its first use; the film plays meanwhile")
            self._tester = Worker("rtvfi-selftest", self._fail, PlayerGone)

        def job() -> None:
            self._models.trust.prove()
            self._ready(viewing)

        self._tester.do(job)

    def _fail(self, failure: RtvfiError) -> None:
        self.failure = failure
        self._remarks.say(failure.message)

    def stop(self, deadline: float) -> None:
        """Abandon a running test; wait no longer than until ``deadline`` (monotonic)."""
        self._models.trust.abandon()
        if self._tester is not None:
            self._tester.stop(deadline)

    def watch(self, viewing: Viewing, statistics: Statistics, now: float) -> None:
        """Show messages about what is in use and whether it keeps up; called periodically.

        Args:
            viewing: the viewing that is shown.
            statistics: its statistics.
            now: monotonic seconds.
        """
        self.look(now)
        self._remarks.look(statistics, self._choice.now.model, now)
        if statistics.is_interpolating:
            self._remarks.live(osd.live(viewing, self._choice.now, self._models.place_name))

    def look(self, now: float) -> None:
        """Show messages about what the executor gave up by itself, and about a GPU at low clocks.

        Args:
            now: monotonic seconds; called periodically.
        """
        executor = self._executor
        if executor is not None and executor.remark:
            self._remarks.once(executor.remark)
        if self._sensors is not None and self._is_on_gpu and now - self._looked_at > _LOOK_SECONDS:
            self._looked_at = now
            self._reading = self._sensors.read()
            if said := self._sensors.remark(self._reading):
                self._remarks.once(said)

    @property
    def _is_on_gpu(self) -> bool:
        return (self._models.place or "").startswith("cuda")

    @property
    def load(self) -> str:
        """The GPU's sensors in one line; empty on a processor, or if there are none."""
        return self._reading.text if self._is_on_gpu else ""

    def rest(self, viewing: Viewing | None, *, is_hidden: bool) -> None:
        """Suspend the model while the window is hidden, and resume it afterwards."""
        with self._lock:
            self._is_resting = is_hidden
            if viewing is not None and viewing is self._fitted:
                viewing.pipeline.use(None if is_hidden else self._executor)

    def recover(self, viewing: Viewing, failure: RtvfiError) -> None:
        """Try to run a failed model again with less memory.

        Raises:
            RtvfiError: ``failure``, if nothing can be done.
        """
        with self._lock:
            if not isinstance(failure, OutOfMemory):
                raise failure
            self._shrink(viewing)
            self.use(viewing)

    def _load(self, model: str, viewing: Viewing) -> AnyExecutor:
        """Load the model with the largest flow scale that fits into the device's memory."""
        while True:
            try:
                return self._models.executor(model, viewing)
            except OutOfMemory as error:
                self.failure = error
                self._shrink(viewing)
            except DeviceError as error:
                self.failure = error
                raise

    def _shrink(self, viewing: Viewing) -> None:
        """Reduce the flow scale from now on.

        Raises:
            OutOfMemory: it is at its minimum already.
        """
        self._executor = None
        viewing.pipeline.use(None)
        if not self._models.shrink(viewing.info):
            self.failure = OutOfMemory(
                "there is not enough memory for the model", "try a lighter --model"
            )
            raise self.failure
        scale = self._models.flow_scale(viewing.info)
        self._remarks.say(f"out of memory: motion is now estimated at scale {scale:g}")
