"""The only place that builds: options in, a running pipeline and a loaded model out. Reads like a
parts list.

Nothing here imports torch until ``ModelHost.load`` is called, which is after the first picture.
"""

from __future__ import annotations

import ctypes
import logging
import math
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import DeviceError, UsageError, WeightsMismatch, model_failure
from rtvfi.core.rates import Grid, RateChoice, resolve
from rtvfi.models.catalogue import lighter
from rtvfi.models.weights.store import is_available
from rtvfi.settings.keys import SETTINGS, checked
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.plan.ladder import Variant
from rtvfi.stream.plan.planner import PlanOptions
from rtvfi.stream.plan.steering import Retiming
from rtvfi.stream.run.parts import Start
from rtvfi.stream.run.pipeline import Pipeline
from rtvfi.stream.serve.frame_stream import FrameStream, RecordMap
from rtvfi.stream.serve.matroska import VirtualMkv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from rtvfi.core.frame import OutputFrame, StreamInfo
    from rtvfi.core.options import SourceOptions, StreamOptions
    from rtvfi.models.base import Interpolator
    from rtvfi.stream.run.interpolate import Interpolation
    from rtvfi.stream.run.playhead import Playhead

log = logging.getLogger(__name__)

PLAYER_READAHEAD_SECONDS: Final = 1.0
PLAYER_READAHEAD_BYTES: Final = 150 << 20
"""What mpv keeps of one stream by default; sets how far ahead of the playhead we can get."""

_PRIME_FRAMES: Final = 8
_NEAR: Final = Fraction(1, 64)
"""Of the way between two pictures: an output this near to one is it, which nobody sees and which
saves the call where the rates do not quite divide.
"""
_SMALLEST_SCALE: Final = 0.25
_SHARES: Final = (0.5, 0.25)
"""Sizes at which motion is estimated when a model is too slow, as shares of the one wanted."""
_LONGEST_MOTION: Final = Fraction(1, 4)
"""Seconds between two frames, where their own times are kept, up to which something moves; longer,
and the first is held for a while.
"""
_GAP: Final = Fraction(3, 2)
"""Periods up to which the planner takes an interval as motion."""
_SNAP: Final = Fraction(1, 1000)
"""A first frame this close to the player's time 0 is at 0: the player rounds its clock."""


def pipeline_for(
    path: str, source: SourceOptions, stream: StreamOptions, playhead: Playhead
) -> Pipeline:
    """A pipeline that will read ``path``; its threads start with ``open``."""
    return Pipeline(
        lambda interrupted: open_source(path, source, interrupted), playhead, stream.cut_threshold
    )


@dataclass(frozen=True, slots=True, eq=False)
class Viewing:
    """One file on one output grid, ready to be served."""

    path: str
    pipeline: Pipeline
    info: StreamInfo
    target_rate: Fraction
    stream: FrameStream

    def close(self) -> None:
        """Stop and wait for the threads."""
        self.stream.cancel()
        self.pipeline.close()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream stands on the player's clock."""

    target_rate: Fraction
    origin: Fraction
    """The player's time 0 on the source's clock."""
    duration: Fraction
    """Seconds of picture from the stream's first frame on."""
    tap: Callable[[OutputFrame, bool], None] | None = None
    """See ``Start.tap``."""


def view(
    pipeline: Pipeline,
    path: str,
    info: StreamInfo,
    options: StreamOptions,
    place: Place,
    playhead: Playhead,
) -> Viewing:
    """Put an opened pipeline on an output grid and wrap it as a virtual file."""
    grid = Grid(info.start, 1 / place.target_rate)
    origin = info.start if abs(info.start - place.origin) < _SNAP else place.origin
    records = RecordMap(grid, origin, info.start + place.duration)
    payload_seconds = 1 / (info.payload_bytes * float(place.target_rate))
    ring_seconds = min(options.ring_seconds, options.ring_bytes * payload_seconds)
    readahead = min(PLAYER_READAHEAD_SECONDS, PLAYER_READAHEAD_BYTES * payload_seconds)
    ring_frames = max(2, round(ring_seconds * place.target_rate))
    start = Start(
        grid=grid,
        origin=origin,
        # What is recorded is what render makes.
        plan=PlanOptions(tail=options.tail, snap=Fraction(0) if place.tap else _NEAR),
        retiming=Retiming(style=options.style, passes=options.passes),
        is_governed=True,
        attainable=min(1.0, readahead + ring_seconds),
        ring_frames=ring_frames,
        prime_frames=min(_PRIME_FRAMES, ring_frames, records.num_records),
        tap=place.tap,
    )
    pipeline.start(start, options.ring_bytes)
    title = f"Interpolated {float(place.target_rate):.5g} fps"
    mkv = VirtualMkv(info, records.times_us(), grid.step, title)
    stream = FrameStream(pipeline, mkv, records, playhead)
    return Viewing(path, pipeline, info, place.target_rate, stream)


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """One file on one output grid, every frame of it made by the model."""

    pipeline: Pipeline
    info: StreamInfo
    grid: Grid

    @property
    def target_rate(self) -> Fraction:
        """Pictures per second."""
        return 1 / self.grid.step


def rendering(
    pipeline: Pipeline, info: StreamInfo, options: StreamOptions, grid: Grid, first_index: int = 0
) -> Rendering:
    """Put an opened pipeline on an output grid; nothing hurries it, so no frame is a stand-in.

    Args:
        pipeline: opened.
        info: its stream.
        options: how frames are made.
        grid: the output clock.
        first_index: the first frame wanted; those before it are not made.
    """
    ring_frames = max(8, round(options.ring_seconds / grid.step))
    start = Start(
        grid=grid,
        origin=info.start,
        plan=PlanOptions(tail=options.tail),
        retiming=Retiming(style=options.style, passes=options.passes),
        attainable=1.0,
        ring_frames=ring_frames,
        prime_frames=1,
        first_index=first_index,
        is_strict=True,
        period=None if grid.is_steady else max(1 / info.source_rate, _LONGEST_MOTION / _GAP),
    )
    pipeline.start(start, options.ring_bytes)
    return Rendering(pipeline, info, grid)


def target_rate(choice: RateChoice, info: StreamInfo, display_rate: float | None) -> Fraction:
    """Output rate for a stream; equal to the source's when there is nothing to do.

    Args:
        choice: what was asked for.
        info: the stream.
        display_rate: what mpv says: None, 0 and NaN (X11 without a monitor) are unknown.
    """
    display = None
    if display_rate is not None and math.isfinite(display_rate) and display_rate > 1:
        display = Fraction(display_rate).limit_denominator(1001)
    return resolve(choice, info.source_rate, display)


def keep_freed_memory() -> None:
    """Tell glibc to reuse freed pictures instead of returning them: fresh pages cost more than the
    work on them.

    A frame of `cel` at half flow scale on two cores: 39 ms without, 29 ms with this at 854x480, 160
    and 121 ms at 1920x1080. Elsewhere than on glibc this does nothing.
    """
    m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(m_mmap_threshold, 32 << 20)  # the largest glibc takes
    mallopt(m_trim_threshold, 1 << 30)
    mallopt(m_top_pad, 64 << 20)


def leave_a_core() -> None:
    """Let torch compute on all cores but one: decoder and player need it.

    A frame of `cel` while playing 854x480 on two cores: 35 ms with two threads, 30 ms with one.
    ``OMP_NUM_THREADS`` decides otherwise.
    """
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) - 1))


def take_every_core() -> None:
    """The player is gone: torch gets back the core that ``leave_a_core`` left."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(len(os.sched_getaffinity(0)))


def resolve_device(name: str) -> torch.device:
    """``auto``, ``cpu``, ``cuda[:N]`` or ``rocm[:N]`` to a device that is there; imports torch.

    Raises:
        UsageError: no such device is known.
        DeviceError: a named device cannot be used.
    """
    checked(SETTINGS["device"], name, "--device")
    # Threads that spin while they wait take the core that decoder and player need.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import torch

    family, _, number = name.partition(":")
    if family == "cpu":
        return torch.device("cpu")
    is_rocm = torch.version.hip is not None
    if family == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not torch.cuda.is_available() or is_rocm != (family == "rocm"):
        built = f"ROCm {torch.version.hip}" if is_rocm else f"CUDA {torch.version.cuda}"
        what = built if is_rocm or torch.version.cuda else "the CPU only"
        raise DeviceError(
            f'device "{name}" cannot be used: this torch is built for {what} and sees '
            f"{torch.cuda.device_count()} such devices",
            "use --device auto, or set RTVFI_TORCH=rocm or cuda and run again",
        )
    if number and int(number) >= torch.cuda.device_count():
        raise DeviceError(
            f'device "{name}" is not there, there are {torch.cuda.device_count()}',
            f"use {family}:0",
        )
    return torch.device("cuda", int(number or 0))


class ModelHost:
    """Loads models, one at a time, and makes executors of them. ``load`` is slow: never on an
    event thread.

    Args:
        device: name as the user gave it.
        options: for the flow scale and the form.
        is_live: whether a player needs a core beside torch.
    """

    def __init__(self, device: str, options: StreamOptions, *, is_live: bool = False) -> None:
        self._is_live = is_live
        self._device_name = device
        self._options = options
        self._loaded: dict[tuple[str, float], Interpolator] = {}
        self._lock = threading.Lock()
        self._shrunk = 1.0
        """Share of the flow scale left after the device's memory was full."""
        self.device: torch.device | None = None

    def executor(self, model_id: str, viewing: Viewing | Rendering) -> Interpolation:
        """A warm executor of the model for a stream; imports torch on first use.

        Raises:
            ModelError: unknown, without weights, or broken.
            DeviceError: the device cannot be used; OutOfMemory: ``shrink`` may help.
        """
        with self._lock:
            try:
                return self._executor(model_id, viewing)
            except (RuntimeError, MemoryError) as error:
                raise model_failure(error) from error

    def shrink(self, info: StreamInfo) -> bool:
        """The device's memory is full: estimate motion at half the size from now on.

        Returns:
            False when it is as small as it gets.
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

    def _executor(self, model_id: str, viewing: Viewing | Rendering) -> Interpolation:
        if self.device is None:
            self.device = resolve_device(self._device_name)
            if self.device.type == "cpu":
                keep_freed_memory()
                if self._is_live:
                    leave_a_core()
        import torch

        from rtvfi.stream.run.interpolate import Interpolation

        dtype = torch.float16 if self.device.type == "cuda" else torch.float32
        key = (model_id, self.flow_scale(viewing.info))
        if key not in self._loaded:
            self._loaded = {key: self._load(*key)}
        executor = Interpolation(self._loaded[key], viewing.info, self.device, dtype)
        new = math.ceil(viewing.target_rate / viewing.info.source_rate)
        executor.warm_up(self._options.form, new)
        return executor

    def add_variants(self, executor: Interpolation, model_id: str, viewing: Viewing) -> None:
        """Make ready what stands in for a model while it is too slow.

        Args:
            executor: made for this model and viewing; may be at work already.
            model_id: see there.
            viewing: see there.
        """
        with self._lock:
            for variant, model in self._variants(model_id, self.flow_scale(viewing.info)):
                executor.offer(variant, model)

    def _variants(self, model_id: str, scale: float) -> Iterator[tuple[Variant, Interpolator]]:
        """Cheaper ways to run a model that is loaded: the same network on smaller pictures of
        motion, then a lighter one, if its weights are here.
        """
        from rtvfi.models.base import HasScales

        model = self._loaded.get((model_id, scale))
        if isinstance(model, HasScales):
            for share in _SHARES:
                with suppress(UsageError):  # not every network knows every size
                    yield Variant(share), model.at_scale(scale * share)
        light = next((row.id for row in lighter(model_id) if is_available(row)), None)
        if light is not None:
            key = (light, scale * _SHARES[0])
            with suppress(UsageError, WeightsMismatch):
                if key not in self._loaded:
                    self._loaded[key] = self._load(*key)
                yield Variant(_SHARES[0], is_lite=True), self._loaded[key]

    def _load(self, model_id: str, scale: float) -> Interpolator:
        import torch

        from rtvfi.models.load import load_model

        assert self.device is not None
        dtype = torch.float16 if self.device.type == "cuda" else torch.float32
        return load_model(model_id, self.device, dtype, scale)

    def flow_scale(self, info: StreamInfo) -> float:
        """The size at which motion is estimated for this stream."""
        return self._options.flow_scale_of(info.width, info.height) * self._shrunk
