"""What the compute thread does with source frames: stamps, plans, carries out, hands on.

Cut detector, planner and executor live here; threads and seeks are ``pipeline``'s. torch is not
imported: the executor comes ready made, and until there is one every output is a source frame.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from rtvfi.errors import ModelError, RtvfiError
from rtvfi.frame import EndOfStream, Kind, OutputFrame, SourceFrame
from rtvfi.stream.batch import batches, nearest, stand_in
from rtvfi.stream.cuts import CutDetector
from rtvfi.stream.plan import Copy, ImageId, Mid, Planner

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
    from rtvfi.stream.ring import Ring

    Payload = NDArray[np.uint8]

log = logging.getLogger(__name__)

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
    is_strict: bool = False
    """A model that fails ends the stream with its error, instead of giving way to source frames."""
    tap: Callable[[OutputFrame, bool], None] | None = None
    """Called on the compute thread with every frame put into the ring, and whether the frame is
    final: not a source frame that stands in where a model's belongs.
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
    margin: float | None = None
    cost: float | None = None
    samples: dict[str, deque[float]] = field(
        default_factory=lambda: {
            name: deque(maxlen=_SAMPLES) for name in ("decode", "convert", "model", "download")
        }
    )


class Compute:
    """The compute thread's own state; other threads touch nothing but ``use``.

    Args:
        info: the stream.
        started: grid and bounds.
        playhead: where the player is, for the margin.
        cut_threshold: see ``StreamOptions``.
        lines: the rings on both sides.
        meters: where to count.
    """

    def __init__(
        self,
        info: StreamInfo,
        started: Start,
        playhead: Playhead,
        cut_threshold: float,
        lines: Lines,
        meters: Meters,
    ) -> None:
        self._started = started
        self._playhead = playhead
        self._lines = lines
        self._meters = meters
        self._cuts = CutDetector(info, cut_threshold)
        self._planner = Planner(started.grid, started.plan, 1 / info.source_rate)
        self._frames: dict[ImageId, Payload] = {}
        self._newest: Payload | None = None
        self._epoch = 0
        self._shown_since: float | None = None
        """Clock when the player took this epoch's first frame."""
        self._best_margin = 0.0
        self._lock = threading.Lock()
        self._executor: Executor | None = None
        self._next_executor: Executor | None = None

    @property
    def is_interpolating(self) -> bool:
        """Whether a model is at work."""
        return self._executor is not None

    def use(self, executor: Executor | None) -> None:
        """Interpolate with this from the next frame on; None shows nearest source frames."""
        with self._lock:
            self._next_executor = executor

    def run_epoch(self, epoch: int, index: int) -> None:
        """Everything from one seek (to grid index ``index``) to the next, or to the end.

        Raises:
            Aborted: the rings were.
        """
        lines, self._epoch = self._lines, epoch
        self._cuts.reset()
        self._planner.reset(index)
        self._frames.clear()
        self._newest = None
        self._shown_since = None
        self._started.gate.restart(time.monotonic())
        self._take(self._next_executor)
        while True:
            try:
                frame = lines.sources.get(epoch)
            except RtvfiError as error:
                self._emit(self._planner.flush(None))
                lines.outputs.fail(error, epoch)
                return
            if frame is None:
                return
            if isinstance(frame, EndOfStream):
                if self._emit(self._planner.flush(None)) and self._show_something(index):
                    lines.outputs.finish(epoch)
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
        executor = self._next_executor
        is_new = executor is not self._executor
        if is_new and self._started.plan.passes:
            stamp = replace(stamp, cut=True)
        actions = self._planner.push(stamp)
        self._frames[0, stamp.index] = frame.payload
        go_on = self._emit(actions)
        if is_new:
            self._take(executor)
        needed = self._planner.needed()
        for name in [n for n in self._frames if n not in needed]:
            del self._frames[name]
        if self._executor is not None:
            self._executor.keep(needed)
        return go_on

    def _take(self, executor: Executor | None) -> None:
        """Work with this one from here on; pictures it may know are of another time."""
        self._executor = executor
        self._meters.cost = None
        if executor is not None:
            executor.reset()

    def _give_up(self, error: Exception) -> None:
        """The model failed: source frames from here on, until another executor is asked for."""
        if self._started.is_strict:
            failure = ModelError(f"the model failed: {str(error).partition(chr(10))[0]}")
            failure.__cause__ = error
            self._lines.outputs.fail(failure, self._epoch)
            return
        log.warning("interpolation ends, the model failed: %s", str(error).partition("\n")[0])
        log.debug("the model failed", exc_info=error)
        with self._lock:
            if self._next_executor is self._executor:
                self._next_executor = None
        self._take(None)

    def _emit(self, actions: Sequence[Action]) -> bool:
        """Carry out actions and put the results into the output ring; False when a newer seek
        overtook us.
        """
        for batch in batches(actions):
            if self._lines.outputs.epoch != self._epoch:
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
            self._run(batch)
            return True
        if isinstance(first, Copy) and first.image in self._frames:
            return self._put(batch, {first.index: self._frames[first.image]}, Kind.COPY)
        if self._executor is not None and self._is_late(batch):
            return self._put(batch, self._stand_ins(batch), Kind.CHEAP, is_final=False)
        made = self._run(batch)
        if made is None:
            return self._put(batch, self._stand_ins(batch), Kind.COPY, is_final=False)
        return self._put(batch, made, Kind.SYNTHETIC)

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

    def _run(self, batch: list[Action]) -> Mapping[int, Payload] | None:
        """What the model makes of a batch; None without a model, or when it fails."""
        executor, meters = self._executor, self._meters
        if executor is None:
            return None
        begin = time.perf_counter()
        try:
            made = executor.run(batch, self._frames)
        except (RtvfiError, RuntimeError) as error:  # torch's are RuntimeErrors, out of memory too
            self._give_up(error)
            return None
        passed = (time.perf_counter() - begin) / len(batch)
        meters.num_calls += 1
        meters.cost = passed if meters.cost is None else 0.8 * meters.cost + 0.2 * passed
        times = executor.take_times()
        for name in ("convert", "model", "download"):
            meters.samples[name].append(getattr(times, name) / len(batch))
        return made

    def _put(
        self,
        batch: list[Action],
        shown: Mapping[int, Payload],
        kind: Kind,
        *,
        is_final: bool = True,
    ) -> bool:
        for action in batch:
            assert not isinstance(action, Mid)
            frame = OutputFrame(shown[action.index], action.index, action.pts, kind, self._epoch)
            if not self._put_one(frame, is_final=is_final):
                return False
        return True

    def _put_one(self, frame: OutputFrame, *, is_final: bool = True) -> bool:
        is_taken = self._lines.outputs.put(frame, self._epoch)
        self._meters.counts[frame.kind] += is_taken
        if is_taken and self._started.tap is not None:
            self._started.tap(frame, is_final)
        return is_taken
