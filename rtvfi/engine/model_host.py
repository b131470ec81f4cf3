"""Loads models and makes executors from them.

torch is not imported before ``ModelHost.executor`` is called; while playing, that is after the
first picture.
"""

from __future__ import annotations

import logging
import math
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from rtvfi.core.errors import OutOfMemory, UsageError, WeightsMismatch, model_failure
from rtvfi.core.hardware.kernels import Kernels, kept_kernels
from rtvfi.engine.budget import LEAST, budget_of
from rtvfi.engine.device import cores_for_pictures, keep_freed_memory, leave_a_core
from rtvfi.engine.trusted import Trust
from rtvfi.models.base import HasLighter, HasScales
from rtvfi.models.catalogue import find, stand_ins
from rtvfi.models.weights.store import is_available
from rtvfi.stream.plan.ladder import FULL, Variant
from rtvfi.stream.run.executors.crew import Crew

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.options import SelfTest, StreamOptions
    from rtvfi.engine.budget import Fit
    from rtvfi.engine.build import Rendering, Viewing
    from rtvfi.engine.trusted import Compute
    from rtvfi.models.base import Interpolator, ModelInfo
    from rtvfi.stream.run.executors.base import AnyExecutor


log = logging.getLogger(__name__)

Model_co = TypeVar("Model_co", covariant=True)

_SMALLEST_SCALE: Final = 0.25
_SHARES: Final = (0.5, 0.25)
"""Factors on the flow scale for when a model is too slow."""
_HOPELESS_SECONDS: Final = 2.0
"""If a call of the full model takes longer than this, a smaller flow scale will not help."""


class ModelHost:
    """Loads models, one at a time, and makes executors from them. ``executor`` is slow: never call
    it on mpv's event thread.

    Args:
        device: its name as the user gave it.
        options: for the flow scale and the form.
        is_live: a player needs a core beside torch.
        selftest: whether a GPU is tested first.
        num_threads: threads of models without torch; 0 = by the number of cores.
    """

    def __init__(
        self,
        device: str,
        options: StreamOptions,
        *,
        is_live: bool = False,
        selftest: SelfTest = "auto",
        num_threads: int = 0,
    ) -> None:
        self._num_threads = num_threads
        self._is_live = is_live
        self.trust = Trust(device, selftest, is_live=is_live)
        """The result of the device's self-test; ``executor`` runs the test if it is due."""
        self.device_name = device
        """Name of the device as the user gave it."""
        self._compute: Compute | None = None
        self._way: Kernels | None = None
        """How convolutions run; None = not measured, use the default."""
        self._forced: Kernels | None = None
        """How they run during a measurement; None otherwise."""
        self._options = options
        self._loaded: dict[tuple[str, float], Interpolator] = {}
        self._lock = threading.Lock()
        self._shrunk = 1.0
        """Factor on the flow scale: below 1 after the device ran out of memory."""
        self._crew: Crew | None = None
        self.place: str | None = None
        """torch's name of the newest executor's device: ``cpu``, ``cuda:0``."""
        self.scale: float | None = None
        """Flow scale of the newest executor if its model needs no torch; None for networks."""
        self.warm_up_seconds = 0.0
        """Seconds of the newest executor's first call, made before any picture of it was shown."""
        self.place_name = "the processor"
        """``place`` for messages: the processor, or the GPU's name."""

    def executor(self, model_id: str, viewing: Viewing | Rendering) -> AnyExecutor:
        """Make an executor of a model for a stream, and run it once to warm it up.

        Imports torch on the first use of a network.

        Raises:
            ModelError: the model is unknown, has no weights here, or is broken.
            DeviceError: the device cannot be used.
            OutOfMemory: its memory is too small; ``shrink`` may help.
        """
        with self._lock:
            try:
                if is_quick(model_id):
                    return self._torch_free(viewing)
                return self._executor(model_id, viewing)
            except (RuntimeError, MemoryError) as error:
                raise model_failure(error) from error

    @property
    def device(self) -> torch.device | None:
        """The device of networks; None before one was loaded."""
        return None if self._compute is None else self._compute.device

    @property
    def remark(self) -> str:
        """What was given up because of the device's self-test, for the user; empty if nothing."""
        return self.trust.remark

    @property
    def dtype(self) -> str:
        """Name of the dtype of a network's pictures; empty before one was loaded."""
        return "" if self._compute is None else str(self._compute.dtype).removeprefix("torch.")

    def shrink(self, info: StreamInfo) -> bool:
        """Halve the flow scale from now on, after the device ran out of memory.

        Returns:
            False if it is at its minimum already.
        """
        with self._lock:
            if self.flow_scale(info) <= _SMALLEST_SCALE:
                return False
            self._shrunk /= 2
            self._loaded.clear()
        if self.device is not None and self.device.type == "cuda":
            import torch

            torch.cuda.empty_cache()
        return True

    def _torch_free(self, viewing: Viewing | Rendering) -> AnyExecutor:
        from rtvfi.models.dis.model import Dis
        from rtvfi.stream.run.executors.codes import CodesInterpolation

        keep_freed_memory()
        self.place, self.place_name = "cpu", "the processor"
        if self._crew is None:
            self._crew = Crew(self._num_threads or cores_for_pictures(is_live=self._is_live))
        self._loaded.clear()
        info = viewing.info
        scale = min(1.0, self.flow_scale(info))
        if self._is_live:
            from rtvfi.engine.look import fitting_scale  # with PyAV

            fitting = fitting_scale(info, viewing.target_rate, self._options)
            scale = max(_SMALLEST_SCALE, fitting * self._shrunk)
        self.scale = scale
        return CodesInterpolation(Dis(scale, info.format.bits, self._crew.spread), info)

    def _executor(self, model_id: str, viewing: Viewing | Rendering) -> AnyExecutor:
        compute = self._resolved()
        self.place, self.place_name = str(compute.device), "the processor"
        self.scale = None
        if compute.device.type == "cuda":
            import torch

            self.place_name = torch.cuda.get_device_name(compute.device)
        from rtvfi.stream.run.executors.interpolate import Interpolation
        from rtvfi.stream.run.executors.lanes import CudaLanes
        from rtvfi.stream.run.executors.overlapped import Overlapped

        key = (model_id, self.flow_scale(viewing.info))
        self._set_kernels(model_id, viewing.info)
        if key not in self._loaded:
            self._loaded = {key: self._load(*key)}
        model, info, device = self._loaded[key], viewing.info, compute.device
        new = math.ceil(viewing.target_rate / viewing.info.source_rate)
        fit = self._fit(model, compute, info, new)
        executor: Interpolation
        if self._options.overlap == "on" and device.type == "cuda":
            executor = Overlapped(model, info, device, compute.dtype, CudaLanes(device))
        else:
            executor = Interpolation(model, info, device, compute.dtype)
        if not self._is_live:
            executor.complain = log.warning
        if fit is not None:
            executor.most_new, executor.most_prepared = fit
            new = min(new, fit.num_new)
        form = self._options.form
        # A graph's output is compared with the network's, bit by bit, which needs repeatable
        # results.
        is_checkable = form != "auto" or compute.is_repeatable
        executor.warm_up(form if is_checkable else "eager", new)
        self.warm_up_seconds = executor.warm_up_seconds
        return executor

    @property
    def library(self) -> str:
        """Name of the library for convolutions: MIOpen or cuDNN."""
        import torch

        return "MIOpen" if torch.version.hip else "cuDNN"

    def ways(self, model_id: str) -> list[Kernels]:
        """The ways in which convolutions can run here, the default first; empty if only one."""
        with self._lock:
            if is_quick(model_id) or self._resolved().device.type != "cuda":
                return []
            libraries = (True, False) if self._resolved().has_library else (False,)
            return [Kernels(library, last) for library in libraries for last in (False, True)]

    def use_kernels(self, way: Kernels | None) -> None:
        """Make convolutions run this way from the next executor on; None = the measured way."""
        with self._lock:
            self._forced = way

    def _set_kernels(self, model_id: str, info: StreamInfo) -> None:
        """Choose the fastest library and memory layout for a model, before it is loaded."""
        compute = self._resolved()
        if compute.device.type != "cuda":
            return
        size = info.width, info.height
        way = self._forced or kept_kernels(self.device_name, model_id, size)
        if way != self._way:
            self._loaded.clear()
        self._way = way
        apply_kernels(way, has_library=compute.has_library)

    def _fit(self, model: Interpolator, compute: Compute, info: StreamInfo, new: int) -> Fit | None:
        """What fits into the GPU's memory; None on a processor.

        Raises:
            OutOfMemory: while playing, not even one picture fits: ``shrink`` may help.
        """
        if compute.device.type != "cuda":
            return None
        budget = budget_of(compute.device)
        fit = budget.fit(model, compute.dtype, info.width * info.height, new)
        if fit is None and not self._is_live:
            return LEAST  # it is only an estimate: a rendering is tried all the same
        if fit is None:
            raise OutOfMemory(
                f"{model.info.id} needs more memory for {info.width}x{info.height} than the "
                f"{budget.bytes / 1e9:.1f} GB it may take",
                "try --scale 0.5, or a lighter --model",
            )
        return fit

    def _resolved(self) -> Compute:
        """The device and how to use it; runs its self-test first if that is due."""
        if self._compute is None:
            self._compute = found = self.trust.compute()
            if found.device.type == "cpu":
                keep_freed_memory()
                if self._is_live:
                    leave_a_core()
            if found.remark and not self._is_live:  # while playing it is shown on the screen
                log.warning(found.remark)
        return self._compute

    def add_variants(self, executor: AnyExecutor, model_id: str, viewing: Viewing) -> None:
        """Load the variants that replace a model when it is too slow.

        Args:
            executor: made by ``executor`` for this model and viewing; it may be running already.
            model_id: the model.
            viewing: the stream.
        """
        with self._lock:
            if is_quick(model_id):
                variants = _scaled(executor.model)
            else:
                is_hopeless = executor.expected.get(FULL, 0.0) > _HOPELESS_SECONDS
                scale = self.flow_scale(viewing.info)
                variants = self._variants(model_id, scale, is_hopeless=is_hopeless)
            for variant, model in variants:
                executor.offer(variant, model)

    def _variants(
        self, model_id: str, scale: float, *, is_hopeless: bool
    ) -> Iterator[tuple[Variant, Interpolator]]:
        """Cheaper variants of a loaded model: lighter networks whose weights are here, and the same
        network at smaller flow scales.

        Args:
            model_id: an id of the catalogue.
            scale: its flow scale.
            is_hopeless: skip smaller flow scales: trying each of them once would take too long.
        """
        model = self._loaded.get((model_id, scale))
        if not is_hopeless and isinstance(model, HasScales):
            yield from _scaled(model)
        yield from self._lighter(model_id, scale)

    def _lighter(self, model_id: str, scale: float) -> Iterator[tuple[Variant, Interpolator]]:
        work = find(model_id).gmac_1080p or 0.0
        rows = stand_ins(model_id, is_available)
        model = self._loaded.get((model_id, scale))
        inner = model.lighter if isinstance(model, HasLighter) else None
        if inner is not None and not any(row.family == inner.info.family for row in rows):
            yield _lite(1.0, inner.info, work), inner
        for row in rows:
            # A much lighter network leaves time to estimate motion at full size.
            share = 1.0 if len(rows) > 1 and row is rows[0] else _SHARES[0]
            key = (row.id, scale * share)
            with suppress(UsageError, WeightsMismatch):
                if key not in self._loaded:
                    self._loaded[key] = self._load(*key)
                yield _lite(share, row, work), self._loaded[key]

    def _load(self, model_id: str, scale: float) -> Interpolator:
        from rtvfi.models.load import load_model

        compute = self._resolved()
        return load_model(model_id, compute.device, compute.dtype, scale)

    def flow_scale(self, info: StreamInfo) -> float:
        """The flow scale for this stream."""
        return self._options.flow_scale_of(info.width, info.height) * self._shrunk


def is_quick(model_id: str) -> bool:
    """Whether a model needs neither torch nor weights, and so is ready at once."""
    return find(model_id).is_torch_free


def apply_kernels(way: Kernels | None, *, has_library: bool) -> None:
    """Make torch run convolutions this way.

    Args:
        way: None = with the library, in the layout that ``tune`` finds.
        has_library: whether the library may be used at all.
    """
    import torch

    from rtvfi.models.tuning import prefer_layout

    torch.backends.cudnn.enabled = has_library and (way is None or way.has_library)
    prefer_layout(None if way is None else way.channels_last)


def preload() -> None:
    """Import what models without torch need, while the player starts."""
    import rtvfi.stream.run.executors.codes  # noqa: F401


def _lite(flow_scale: float, row: ModelInfo, work: float) -> Variant:
    """The variant that replaces a network of ``work`` 10^9 multiply-adds by the one of ``row``."""
    share = row.gmac_1080p / work if row.gmac_1080p and work else Variant().share
    return Variant(flow_scale, is_lite=True, share=min(share, 0.5), network=row.id)


class _Scales(Protocol[Model_co]):
    """A model that supports several flow scales, for any kind of executor."""

    flow_scale: float

    def at_scale(self, flow_scale: float) -> Model_co: ...


def _scaled(model: _Scales[Model_co]) -> Iterator[tuple[Variant, Model_co]]:
    """Yield (variant, model) for each smaller flow scale that a model supports."""
    for share in _SHARES:
        with suppress(UsageError):
            yield Variant(share), model.at_scale(model.flow_scale * share)
