"""What the compute thread does with source frames: stamps, plans, carries out, hands on.

Cut detector, planner and executor live here; threads and seeks are ``pipeline``'s. torch is not
imported: the executor comes ready made, and until there is one every output is a source frame.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from rtvfi.core.errors import BadPicture, RtvfiError, model_failure
from rtvfi.core.frame import EndOfStream, Kind, OutputFrame
from rtvfi.stream.plan.batch import batches, needs, outputs_of, single
from rtvfi.stream.plan.planner import Again, Copy, Mid, Planner
from rtvfi.stream.plan.steering import Pace, Steering
from rtvfi.stream.run.margin import Margin
from rtvfi.stream.run.pictures import Pictures
from rtvfi.stream.see.cuts import CutDetector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.stamp import ImageId
    from rtvfi.stream.plan.batch import Batch, Shown, Work
    from rtvfi.stream.plan.planner import Action
    from rtvfi.stream.plan.steering import Retiming
    from rtvfi.stream.run.executor import Executor
    from rtvfi.stream.run.parts import Lines, Meters, Start
    from rtvfi.stream.run.playhead import Playhead
    from rtvfi.stream.see.cuts import Seen

    Payload = NDArray[np.uint8]

log = logging.getLogger(__name__)

_REACH: Final = 12
"""Source frames: no picture is made of passes over more."""
_OUTLIER: Final = 4
"""Times the usual cost of a call that are believed of a single one."""
_MAX_BAD: Final = 8
"""Bad pictures in a row that are passed over; a model that makes more is given up."""


class Compute:
    """The compute thread's own state; other threads call ``use`` and ``retime``, and look.

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
        reach = math.ceil(_REACH / info.source_rate / started.grid.step)
        self._passes_from = (started.first_index or 0) - reach
        self._playhead = playhead
        self._margin = Margin(playhead, started.attainable)
        self._lines = lines
        self._meters = meters
        self._cuts = CutDetector(info, cut_threshold)
        pace = Pace(info.source_rate, 1 / started.grid.step) if started.is_governed else None
        self._steering = Steering(started.plan, started.retiming, pace)
        self._planner = Planner(started.grid, started.plan, started.period or 1 / info.source_rate)
        self._pictures = Pictures()
        self._pair: tuple[ImageId, ...] = ()
        self._is_odd = False
        self._newest: Payload | None = None
        self._num_bad = 0
        """Calls in a row that gave no picture."""
        self._latest: tuple[Payload, Kind, bool] | None = None
        """What the newest output showed, its kind, and whether it was final."""
        self._epoch = 0
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

    def retime(self, retiming: Retiming) -> None:
        """Plan like this from the next frame on."""
        self._steering.retiming = retiming

    @property
    def preroll(self) -> int:
        """Source frames to give before a seek's target, see ``PlanOptions.preroll``."""
        return self._steering.options(_frames_of(self._next_executor)).preroll

    def run_epoch(self, epoch: int, index: int) -> None:
        """Everything from one seek (to grid index ``index``) to the next, or to the end.

        Raises:
            Aborted: the rings were.
        """
        lines, self._epoch = self._lines, epoch
        self._cuts.reset()
        self._steering.reset()
        self._planner.reset(index)
        self._pictures.clear()
        self._newest = None
        self._margin.restart()
        self._take(self._next_executor)
        while True:
            try:
                frame = lines.sources.get(epoch)
            except RtvfiError as error:
                self._push_all(self._cuts.flush())
                self._emit(self._planner.flush(None))
                lines.outputs.fail(error, epoch)
                return
            if frame is None:
                return
            if isinstance(frame, EndOfStream):
                is_current = self._push_all(self._cuts.flush())
                is_current = is_current and self._emit(self._planner.flush(None))
                if is_current and self._show_something(index):
                    lines.outputs.finish(epoch)
                return
            if not self._push_all(self._cuts.push(frame)):
                return

    def _show_something(self, index: int) -> bool:
        """A seek past the end shows the last frame, as mpv does, and not nothing."""
        if self._planner.next_index > index or self._newest is None:
            return True
        pts = self._started.grid.pts(index)
        return self._put_one(OutputFrame(self._newest, index, pts, Kind.COPY, self._epoch))

    def _push_all(self, frames: Iterable[Seen]) -> bool:
        """Plan and show what these decide; False when a newer seek overtook us."""
        return all(self._push(seen) for seen in frames)

    def _push(self, seen: Seen) -> bool:
        stamp, self._newest = seen.stamp, seen.payload
        steering, executor = self._steering, self._executor
        steering.variants = () if executor is None else executor.variants
        plan = steering.push(stamp, seen.change, _frames_of(executor))
        quality = steering.standing.quality
        if executor is not None and quality is not None:
            executor.choose(quality.variant)
        # A new executor knows none of the pictures made by passes: it begins with a new scene.
        newer = self._next_executor
        is_new = newer is not executor
        if is_new and self._planner.options.passes:
            stamp = replace(stamp, cut=True)
        self._planner.adjust(plan)
        actions = self._planner.push(stamp)
        self._pictures.add((0, stamp.index), seen.payload)
        go_on = self._emit(actions)
        if is_new:
            self._take(newer)
        self._forget(self._planner.needed())
        steering.judge(time.monotonic(), self._margin.settled_share, self._playhead.speed)
        self._meters.plan, self._meters.standing = plan, steering.standing
        return go_on

    def _forget(self, needed: frozenset[ImageId]) -> None:
        """Let go of all pictures but these and the source frames they are made of."""
        self._pictures.keep(needed)
        if self._executor is not None:
            self._executor.keep(needed)

    def _take(self, executor: Executor | None) -> None:
        """Work with this one from here on; pictures it may know are of another time."""
        if executor is not self._executor:
            self._steering.renew()
            self._meters.cost = None
        self._executor, self._num_bad = executor, 0
        self._pictures.forget_made()
        if executor is not None:
            executor.reset()

    def _give_up(self, error: Exception) -> None:
        """The model failed: source frames from here on, until another executor is asked for."""
        failure = model_failure(error)
        if self._started.is_strict:
            self._lines.outputs.fail(failure, self._epoch)
            return
        log.warning("interpolation ends, %s", failure.message)
        log.debug("the model failed", exc_info=error)
        self._meters.failure = failure
        with self._lock:
            if self._next_executor is self._executor:
                self._next_executor = None
        self._take(None)

    def _emit(self, actions: Sequence[Action]) -> bool:
        """Carry out actions and put the results into the output ring; False when a newer seek
        overtook us.
        """
        first = self._started.first_index
        if first is not None:
            actions = [a for a in actions if isinstance(a, Mid) or a.index >= first]
        work = batches(actions)
        for batch, later in zip(work, self._needed_after(work), strict=True):
            if self._lines.outputs.epoch != self._epoch:
                return False
            for part in self._parts(batch):
                if not self._emit_batch(part):
                    return False
            if isinstance(batch, Mid) and self._executor is not None:
                self._executor.keep(later)
        return True

    def _needed_after(self, work: Sequence[Batch]) -> list[frozenset[ImageId]]:
        """Pictures that must be kept after each batch, so that a pass's parents can go at once."""
        needed = self._planner.needed()
        after = []
        for batch in reversed(work):
            after.append(needed)
            needed = needed.union(needs(batch))
        return after[::-1]

    def _parts(self, batch: Batch) -> list[Batch]:
        """Pieces of a batch small enough that the margin is looked at often."""
        cost = self._meters.cost
        if cost is None or cost * len(outputs_of(batch)) < 0.05:
            return [batch]
        return single(batch)

    def _emit_batch(self, batch: Batch) -> bool:
        if isinstance(batch, Mid):
            self._pass(batch)
            return True
        if isinstance(batch, Again):
            assert self._latest is not None, "there is nothing to show again"
            payload, kind, is_final = self._latest
            return self._put(batch, {batch.index: payload}, kind, is_final=is_final)
        if isinstance(batch, Copy) and batch.image in self._pictures:
            return self._put(batch, {batch.index: self._pictures[batch.image]}, Kind.COPY)
        if self._executor is not None and self._is_out_of_reach(batch):
            return self._put(batch, self._stand_ins(batch), Kind.CHEAP, is_final=False)
        made = self._run(batch)
        if made is None:
            return self._put(batch, self._stand_ins(batch), Kind.COPY, is_final=False)
        return self._put(batch, made, Kind.SYNTHETIC)

    def _pass(self, action: Mid) -> None:
        """Carry out a pass, unless time is short or something it needs was not made."""
        pictures = self._pictures
        pictures.plan(action)
        if self._planner.next_index < self._passes_from:
            return
        is_possible = pictures.are_there(needs(action))
        if self._executor is not None and (self._margin.is_low or not is_possible):
            self._steering.skipped(1)
        elif self._run(action) is not None:
            pictures.mark_made(action.image)

    def _is_out_of_reach(self, batch: Shown) -> bool:
        """Whether a batch is left to source frames: no time, or what it needs was not made."""
        if self._is_late(batch) or not self._pictures.are_there(needs(batch)):
            self._steering.skipped(len(outputs_of(batch)))
            return True
        return self._is_spared(batch)

    def _is_spared(self, batch: Shown) -> bool:
        """Whether the quality in force does without these outputs."""
        quality = self._steering.standing.quality
        if quality is None or not (quality.is_sparse or quality.is_bypass):
            return False
        names = needs(batch)
        if names != self._pair:
            self._pair, self._is_odd = names, not self._is_odd
        return quality.is_bypass or self._is_odd

    def _stand_ins(self, batch: Shown) -> dict[int, Payload]:
        outputs = (batch,) if isinstance(batch, Copy) else batch.outputs
        return {output.index: self._pictures.stand_in(output) for output in outputs}

    def _is_late(self, batch: Shown) -> bool:
        """Whether there is no time for the model: the margin rule."""
        started, meters, margin = self._started, self._meters, self._margin
        outputs = outputs_of(batch)
        position = float(outputs[0].pts - started.origin)
        quality = self._steering.standing.quality
        is_bypass = quality is not None and quality.is_bypass
        cost = 0.0 if is_bypass or meters.cost is None else meters.cost * len(outputs)
        meters.is_behind = margin.look(position, cost)
        meters.margin = margin.seconds
        if margin.is_missed:
            self._steering.missed(time.monotonic())
        return meters.is_behind

    def _run(self, work: Work) -> Mapping[int, Payload] | None:
        """What the model makes; None without a model, or when it fails."""
        executor, meters = self._executor, self._meters
        if executor is None:
            return None
        begin = time.perf_counter()
        try:
            made = executor.run(work, self._pictures)
        except (RtvfiError, RuntimeError, MemoryError) as error:  # torch's are RuntimeErrors
            self._num_bad += 1
            is_passed = isinstance(error, BadPicture) and self._num_bad <= _MAX_BAD
            if self._started.is_strict or not is_passed:
                self._give_up(error)
            return None
        self._num_bad = 0
        seconds, count = time.perf_counter() - begin, len(outputs_of(work)) or 1
        if meters.cost is not None:  # a process that was stopped meanwhile is no slow model
            seconds = min(seconds, _OUTLIER * meters.cost * count)
        passed = seconds / count
        if not isinstance(work, Copy):
            self._steering.worked(seconds, count)
        meters.num_calls += 1
        meters.cost = passed if meters.cost is None else 0.8 * meters.cost + 0.2 * passed
        times = executor.take_times()
        for name in ("convert", "model", "download"):
            meters.samples[name].append(getattr(times, name) / count)
        return made

    def _put(
        self, batch: Batch, shown: Mapping[int, Payload], kind: Kind, *, is_final: bool = True
    ) -> bool:
        for output in outputs_of(batch):
            payload = shown[output.index]
            self._latest = payload, kind, is_final
            frame = OutputFrame(payload, output.index, output.pts, kind, self._epoch)
            if not self._put_one(frame, is_final=is_final):
                return False
        return True

    def _put_one(self, frame: OutputFrame, *, is_final: bool = True) -> bool:
        is_taken = self._lines.outputs.put(frame, self._epoch)
        self._meters.counts[frame.kind] += is_taken
        if is_taken and self._started.tap is not None:
            self._started.tap(frame, is_final and not self._steering.standing.level)
        return is_taken


def _frames_of(executor: Executor | None) -> Literal[2, 3] | None:
    return None if executor is None else executor.num_frames
