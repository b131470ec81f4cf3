"""Threads, epochs and statistics: a source in, output frames out, restartable at any frame.

Two threads: *decode* owns the source, *compute* owns cut detector, planner and executor. Rings
connect them with each other and with the reader. ``seek`` opens a new epoch; whatever carries an
older one is dropped on sight, and both threads look between two frames whether theirs is still the
newest.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from rtvfi.errors import RtvfiError, SourceError
from rtvfi.frame import END, EndOfStream, Kind, OutputFrame, SourceFrame
from rtvfi.stream.batch import batches, nearest, stand_in
from rtvfi.stream.cuts import CutDetector
from rtvfi.stream.plan import Copy, ImageId, Mid, Planner
from rtvfi.stream.ring import Aborted, Ring
from rtvfi.stream.source import FrameSource, Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.frame import StreamInfo
    from rtvfi.stream.governor import MarginGate
    from rtvfi.stream.plan import Action, PlanOptions
    from rtvfi.stream.playhead import Playhead
    from rtvfi.stream.rates import Grid

    Payload = NDArray[np.uint8]

log = logging.getLogger(__name__)

OPEN_TIMEOUT_SECONDS: Final = 20.0
_SOURCE_FRAMES: Final = 8
_SOURCE_BYTES: Final = 256 << 20
MARGIN_RISE_SECONDS: Final = 2.0
"""Time after a seek until a low margin counts in full."""
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

    def run(
        self, actions: Sequence[Action], sources: Mapping[ImageId, Payload]
    ) -> Mapping[int, Payload]:
        """Carry out one batch; payloads by grid index."""
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
    gate: MarginGate
    attainable: float
    """Seconds a player and the output ring can be ahead of the playhead together."""
    ring_frames: int
    prime_frames: int
    """Frames that make the ring primed."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """A snapshot for overlay, report, bench and tests."""

    counts: Mapping[Kind, int]
    """Frames put into the output ring, by kind."""
    num_calls: int
    """Batches given to the model."""
    is_interpolating: bool
    is_behind: bool
    """The margin is low: cheap frames stand in for the model's."""
    margin: float | None
    """Seconds the newest frame was ahead of the playhead when it was made."""
    cost_ms: float | None
    """Smoothed cost of one interpolated frame."""
    num_ready: int
    peak_ready: int
    samples_ms: Mapping[str, tuple[float, ...]]
    """Newest times per stage: decode per source frame; convert, model, download per batch's output
    frame.
    """


@dataclass(slots=True)
class _Meters:
    counts: Counter[Kind] = field(default_factory=Counter)
    num_calls: int = 0
    is_behind: bool = False
    margin: float | None = None
    cost: float | None = None
    samples: dict[str, deque[float]] = field(
        default_factory=lambda: {
            name: deque(maxlen=_SAMPLES) for name in ("decode", "convert", "model", "download")
        }
    )


@dataclass(frozen=True, slots=True)
class _Command:
    epoch: int
    index: int


class Pipeline:
    """One stream, from file to output ring. ``open``, then ``start``, then ``seek`` and ``read``
    at will.

    Args:
        opener: makes the source on the decode thread; gets a function that says "give up now".
        playhead: where the player is, for the margin.
        cut_threshold: see ``StreamOptions``.
    """

    def __init__(
        self,
        opener: Callable[[Callable[[], bool]], FrameSource],
        playhead: Playhead,
        cut_threshold: float = 0.3,
    ) -> None:
        self._opener = opener
        self._playhead = playhead
        self._cut_threshold = cut_threshold
        self._meters = _Meters()
        self._changed = threading.Condition()
        self._command = _Command(0, 0)
        self._is_stopping = False
        self._started: Start | None = None
        self._info: StreamInfo | None = None
        self._open_error: BaseException | None = None
        self._executor: Executor | None = None
        self._next_executor: Executor | None = None
        self._decode_epoch = 0
        self._sources: Ring[SourceFrame] = Ring(
            _SOURCE_FRAMES, _SOURCE_BYTES, lambda f: f.payload.nbytes
        )
        self._outputs: Ring[OutputFrame] = Ring(1, 1, lambda f: f.payload.nbytes)
        self._threads = [threading.Thread(target=self._decode, name="rtvfi-decode", daemon=True)]

    # ---- the owner's side ----

    def open(self) -> StreamInfo:
        """Open the source on its thread and wait for it; called again, it only gives the answer.

        Raises:
            SourceError: it cannot be opened, or took longer than OPEN_TIMEOUT_SECONDS.
        """
        if self._threads[0].ident is None:
            self._threads[0].start()
        with self._changed:
            self._changed.wait_for(
                lambda: self._info is not None or self._open_error is not None, OPEN_TIMEOUT_SECONDS
            )
            info, error = self._info, self._open_error
        if error is not None:
            raise error
        if info is None:
            self.stop()
            raise SourceError("the file took too long to open", "is its drive or network asleep?")
        return info

    def start(self, start: Start, ring_bytes: int) -> None:
        """Fix the grid and begin to compute; nothing happens before the first ``seek``."""
        self._started = start
        self._outputs = Ring(start.ring_frames, ring_bytes, lambda f: f.payload.nbytes)
        thread = threading.Thread(target=self._compute, name="rtvfi-compute", daemon=True)
        self._threads.append(thread)
        thread.start()

    def use(self, executor: Executor | None) -> None:
        """Interpolate with this from the next frame on; None shows nearest source frames."""
        with self._changed:
            self._next_executor = executor

    def seek(self, index: int) -> None:
        """The next frame read is ``index``; everything older is void."""
        with self._changed:
            if self._is_stopping:
                return
            epoch = self._command.epoch + 1
            self._sources.restart(epoch)
            self._outputs.restart(epoch)
            self._command = _Command(epoch, index)
            self._changed.notify_all()

    def read(self, timeout: float | None) -> OutputFrame | EndOfStream | None:
        """The next frame, END after the last, None when ``timeout`` seconds brought none.

        Raises:
            RtvfiError: what stopped the pipeline, once the frames before it are read.
        """
        try:
            return self._outputs.get(timeout=timeout)
        except Aborted:
            return END

    def wait_primed(self, timeout: float) -> bool:
        """Wait until enough frames are ready for playback to start, or no more will come."""
        started = self._started
        return started is None or self._outputs.wait_for_depth(started.prime_frames, timeout)

    def wait_until_full(self, timeout: float) -> bool:
        """Wait until the output ring is full, or no more frames will come."""
        return self._outputs.wait_for_depth(self._outputs.max_items, timeout)

    @property
    def is_running(self) -> bool:
        """Whether a thread of it is alive, or may still be started."""
        return not self._is_stopping or any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """End both threads without waiting for them."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._sources.abort()
        self._outputs.abort()

    def close(self, timeout: float = 5.0) -> None:
        """``stop``, then wait for the threads; names one that stays."""
        self.stop()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.warning("thread %s did not end in %.0f s", thread.name, timeout)

    def statistics(self) -> Statistics:
        """A snapshot of counts, margins and times."""
        meters, ring = self._meters, self._outputs.statistics()
        return Statistics(
            counts=dict(meters.counts),
            num_calls=meters.num_calls,
            is_interpolating=self._executor is not None,
            is_behind=meters.is_behind,
            margin=meters.margin,
            cost_ms=None if meters.cost is None else meters.cost * 1e3,
            num_ready=ring.depth,
            peak_ready=ring.peak,
            samples_ms={
                name: tuple(1e3 * s for s in list(values))
                for name, values in meters.samples.items()
            },
        )

    # ---- both threads ----

    def _await(self, done_epoch: int) -> _Command | None:
        """The newest command younger than ``done_epoch``; None when the pipeline stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping or self._command.epoch != done_epoch)
            return None if self._is_stopping else self._command

    # ---- decode thread ----

    def _is_interrupted(self) -> bool:
        return self._is_stopping or self._command.epoch != self._decode_epoch

    def _decode(self) -> None:
        try:
            source = self._opener(self._is_interrupted)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in open()
            with self._changed:
                self._open_error = error
                self._changed.notify_all()
            return
        try:
            with self._changed:
                self._info = source.info
                self._changed.notify_all()
            while (command := self._await(self._decode_epoch)) is not None:
                self._decode_epoch = command.epoch
                self._decode_one_epoch(source, command)
        except BaseException as error:
            log.exception("the decode thread failed")
            self._sources.fail(error)
        finally:
            source.close()

    def _decode_one_epoch(self, source: FrameSource, command: _Command) -> None:
        started = self._started
        assert started is not None, "start() comes before seek()"
        samples = self._meters.samples["decode"]
        try:
            if command.epoch > 1 or command.index > 0:
                source.seek(started.grid.pts(command.index))
            source.epoch = command.epoch
            while True:
                begin = time.perf_counter()
                frame = source.read()
                samples.append(time.perf_counter() - begin)
                if frame is END:
                    self._sources.finish(command.epoch)
                    return
                assert isinstance(frame, SourceFrame)
                if not self._sources.put(frame, command.epoch):
                    return
        except Interrupted:
            return
        except RtvfiError as error:
            self._sources.fail(error, command.epoch)

    # ---- compute thread ----

    def _compute(self) -> None:
        info, started = self._info, self._started
        assert info is not None
        assert started is not None
        try:
            worker = _Compute(self, info, started)
            done = 0
            while (command := self._await(done)) is not None:
                done = command.epoch
                worker.run_epoch(command)
        except Aborted:
            pass
        except BaseException as error:
            log.exception("the compute thread failed")
            self._outputs.fail(error)


class _Compute:
    """The compute thread's own state; nobody else touches it."""

    def __init__(self, pipeline: Pipeline, info: StreamInfo, started: Start) -> None:
        self._pipeline = pipeline
        self._started = started
        self._meters = pipeline._meters
        self._playhead = pipeline._playhead
        self._cuts = CutDetector(info, pipeline._cut_threshold)
        self._planner = Planner(started.grid, started.plan, 1 / info.source_rate)
        self._frames: dict[ImageId, Payload] = {}
        self._newest: Payload | None = None
        self._epoch = 0
        self._shown_since: float | None = None
        """Clock when the player took this epoch's first frame."""
        self._best_margin = 0.0

    def run_epoch(self, command: _Command) -> None:
        """Everything from one seek to the next, or to the end of the stream."""
        pipeline, epoch = self._pipeline, command.epoch
        self._epoch = epoch
        self._cuts.reset()
        self._planner.reset(command.index)
        self._frames.clear()
        self._newest = None
        self._shown_since = None
        self._started.gate.restart(time.monotonic())
        self._swap(force=True)
        if pipeline._executor is not None:
            pipeline._executor.reset()
        while True:
            try:
                frame = pipeline._sources.get(epoch)
            except RtvfiError as error:
                self._emit(self._planner.flush(None))
                pipeline._outputs.fail(error, epoch)
                return
            if frame is None:
                return
            if isinstance(frame, EndOfStream):
                if self._emit(self._planner.flush(None)) and self._show_something(command.index):
                    pipeline._outputs.finish(epoch)
                return
            if not self._push(frame):
                return

    def _show_something(self, index: int) -> bool:
        """A seek past the end shows the last frame, as mpv does, and not nothing."""
        if self._planner.next_index > index or self._newest is None:
            return True
        pts = self._started.grid.pts(index)
        return self._put_one(OutputFrame(self._newest, index, pts, Kind.COPY, self._epoch))

    def _push(self, frame: SourceFrame) -> bool:
        self._newest = frame.payload
        stamp = self._cuts.push(frame)
        # A new executor knows none of the pictures made by passes: it begins with a new scene.
        is_new = self._pipeline._next_executor is not self._pipeline._executor
        if is_new and self._started.plan.passes:
            stamp = replace(stamp, cut=True)
        actions = self._planner.push(stamp)
        self._frames[0, stamp.index] = frame.payload
        go_on = self._emit(actions)
        self._swap()
        needed = self._planner.needed()
        for name in [n for n in self._frames if n not in needed]:
            del self._frames[name]
        if self._pipeline._executor is not None:
            self._pipeline._executor.keep(needed)
        return go_on

    def _swap(self, *, force: bool = False) -> None:
        """Take the executor that was asked for."""
        pipeline = self._pipeline
        with pipeline._changed:
            executor = pipeline._next_executor
        if executor is not pipeline._executor or force:
            pipeline._executor = executor
            self._meters.cost = None

    def _emit(self, actions: Sequence[Action]) -> bool:
        """Carry out actions and put the results into the output ring; False when a newer seek
        overtook us.
        """
        for batch in batches(actions):
            if self._pipeline._command.epoch != self._epoch or self._pipeline._is_stopping:
                return False
            for part in self._parts(batch):
                if not self._emit_batch(part):
                    return False
        return True

    def _parts(self, batch: list[Action]) -> list[list[Action]]:
        """Pieces of a batch small enough that the margin is looked at often."""
        cost = self._meters.cost
        if cost is None or cost * len(batch) < 0.05:
            return [batch]
        return [[action] for action in batch]

    def _emit_batch(self, batch: list[Action]) -> bool:
        first = batch[0]
        if isinstance(first, Mid):
            if self._pipeline._executor is not None:
                self._run(batch)
            return True
        if isinstance(first, Copy) and first.image in self._frames:
            return self._put(batch, {first.index: self._frames[first.image]}, Kind.COPY)
        if self._pipeline._executor is None:
            return self._put(batch, self._stand_ins(batch), Kind.COPY)
        if self._is_late(batch):
            return self._put(batch, self._stand_ins(batch), Kind.CHEAP)
        return self._put(batch, self._run(batch), Kind.SYNTHETIC)

    def _stand_ins(self, batch: list[Action]) -> dict[int, Payload]:
        shown = {}
        for action in batch:
            assert not isinstance(action, Mid)
            image = nearest(action)
            shown[action.index] = self._frames.get(image)
            if shown[action.index] is None:
                shown[action.index] = stand_in(image, self._frames)
        return shown  # type: ignore[return-value]

    def _is_late(self, batch: list[Action]) -> bool:
        """Whether there is no time for the model: the margin rule."""
        started, meters = self._started, self._meters
        first = batch[0]
        assert not isinstance(first, Mid)
        clock = time.monotonic()
        now = self._playhead.now()
        if now is None or self._playhead.is_held:
            meters.margin, self._shown_since = None, None
            return False
        if self._shown_since is None:
            self._shown_since, self._best_margin = clock, 0.0
            started.gate.started()
        meters.margin = float(started.grid.pts(first.index) - started.origin) - now
        self._best_margin = max(self._best_margin, meters.margin)
        # After a seek the margin starts near 0 and a fast model builds it up: it is judged by what
        # was reached so far, and by the full measure only when it has had time.
        grown = started.attainable * (clock - self._shown_since) / MARGIN_RISE_SECONDS
        attainable = min(started.attainable, max(self._best_margin, grown))
        cost = (meters.cost or 0.0) * len(batch)
        meters.is_behind = started.gate.decide(meters.margin, cost, attainable, clock)
        return meters.is_behind

    def _run(self, batch: list[Action]) -> Mapping[int, Payload]:
        executor, meters = self._pipeline._executor, self._meters
        assert executor is not None
        begin = time.perf_counter()
        made = executor.run(batch, self._frames)
        passed = (time.perf_counter() - begin) / len(batch)
        meters.num_calls += 1
        meters.cost = passed if meters.cost is None else 0.8 * meters.cost + 0.2 * passed
        times = executor.take_times()
        for name in ("convert", "model", "download"):
            meters.samples[name].append(getattr(times, name) / len(batch))
        return made

    def _put(self, batch: list[Action], shown: Mapping[int, Payload], kind: Kind) -> bool:
        for action in batch:
            assert not isinstance(action, Mid)
            frame = OutputFrame(shown[action.index], action.index, action.pts, kind, self._epoch)
            if not self._put_one(frame):
                return False
        return True

    def _put_one(self, frame: OutputFrame) -> bool:
        is_taken = self._pipeline._outputs.put(frame, self._epoch)
        self._meters.counts[frame.kind] += is_taken
        return is_taken
