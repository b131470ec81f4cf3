"""The model at work on what is shown: loaded, fitted to a stream, made smaller, sent to rest.

Everything here takes its time (importing torch, loading weights): it runs on the worker, or in the
hook of a file that is recorded, and never on mpv's event thread. One lock keeps the two apart.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from rtvfi.core.errors import OutOfMemory
from rtvfi.engine.model_host import ModelHost
from rtvfi.playing import osd

if TYPE_CHECKING:
    from rtvfi.core.errors import RtvfiError
    from rtvfi.engine.build import Viewing
    from rtvfi.playing.remarks import Remarks
    from rtvfi.playing.wanted import Choice
    from rtvfi.settings.config import PlayOptions
    from rtvfi.stream.run.executors.base import ExecutorBase


class LiveModel:
    """The model of one player.

    Args:
        options: device, and how frames are made.
        choice: which model is wanted.
        remarks: says what is given up.
    """

    def __init__(self, options: PlayOptions, choice: Choice, remarks: Remarks) -> None:
        self._choice = choice
        self._remarks = remarks
        self._models = ModelHost(options.device, options.stream, is_live=True)
        self._lock = threading.RLock()
        self._executor: ExecutorBase[Any] | None = None
        self._fitted: Viewing | None = None
        """The viewing whose size the executor is for."""
        self._is_resting = False
        self.failure: RtvfiError | None = None
        """The newest failure of a model."""

    @property
    def place(self) -> str | None:
        """Where it computes, as torch says it; None before a model was loaded."""
        return self._models.place

    @property
    def warm_up_seconds(self) -> float:
        """What the model's first call took, while source frames were shown; 0 without a network."""
        return self._models.warm_up_seconds

    def use(self, viewing: Viewing) -> None:
        """Hand the wanted model to a viewing.

        Raises:
            ModelError, DeviceError: it cannot be had; the viewing shows source frames.
        """
        with self._lock:
            wanted = self._choice.now
            if wanted.style not in wanted.styles:
                self._remarks.once(
                    f"{wanted.style} needs a model that looks at three frames: plain with "
                    f"{wanted.model}"
                )
            is_copy = wanted.model == "copy"
            self._executor = None if is_copy else self._load(wanted.model, viewing)
            self._fitted = viewing
            viewing.pipeline.use(None if self._is_resting else self._executor)
            if self._executor is not None:
                if later := osd.warm_up(self.warm_up_seconds):
                    self._remarks.once(f"{wanted.model} is ready{later}")
                self._models.add_variants(self._executor, wanted.model, viewing)

    def rest(self, viewing: Viewing | None, *, is_hidden: bool) -> None:
        """Nobody sees the picture: make none until somebody does."""
        with self._lock:
            self._is_resting = is_hidden
            if viewing is not None and viewing is self._fitted:
                viewing.pipeline.use(None if is_hidden else self._executor)

    def recover(self, viewing: Viewing, failure: RtvfiError) -> None:
        """The model was given up by the pipeline: with less memory it may go on.

        Raises:
            RtvfiError: ``failure``, when nothing can be done about it.
        """
        with self._lock:
            if not isinstance(failure, OutOfMemory):
                raise failure
            self._shrink(viewing)
            self.use(viewing)

    def _load(self, model: str, viewing: Viewing) -> ExecutorBase[Any]:
        """The model at the largest size that the device's memory holds."""
        while True:
            try:
                return self._models.executor(model, viewing)
            except OutOfMemory as error:
                self.failure = error
                self._shrink(viewing)

    def _shrink(self, viewing: Viewing) -> None:
        """Estimate motion at a smaller size from now on.

        Raises:
            OutOfMemory: it is as small as it gets.
        """
        self._executor = None
        viewing.pipeline.use(None)
        if not self._models.shrink(viewing.info):
            self.failure = OutOfMemory(
                "there is not enough memory for the model", "try a lighter --model"
            )
            raise self.failure
        scale = self._models.flow_scale(viewing.info)
        self._remarks.say(f"memory is full: motion is looked for at scale {scale:g}")
