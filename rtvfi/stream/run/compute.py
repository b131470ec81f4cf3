"""The work of the compute thread: from source frames to output frames.

``CutDetector`` analyses frames, ``Steering`` and ``Planner`` plan, ``Triage`` decides what there is
time for, ``ModelSlot`` holds the model, ``Outlet`` passes outputs on. The thread itself and seeks
belong to ``pipeline``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from rtvfi.core.errors import RtvfiError
from rtvfi.core.frame import EndOfStream, Kind
from rtvfi.stream.plan.batch import batches, needs, outputs_of, single
from rtvfi.stream.plan.planner import Again, Copy, Mid, Planner
from rtvfi.stream.plan.steering import Pace, Steering
from rtvfi.stream.run.backlog import Backlog
from rtvfi.stream.run.executors.pictures import Pictures
from rtvfi.stream.run.outlet import Outlet
from rtvfi.stream.run.slot import ModelSlot
from rtvfi.stream.run.triage import Triage
from rtvfi.stream.see.cuts import CutDetector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.stamp import ImageId
    from rtvfi.stream.plan.batch import Batch, Shown
    from rtvfi.stream.plan.planner import Action
    from rtvfi.stream.plan.steering import Retiming
    from rtvfi.stream.run.executors.executor import Executor
    from rtvfi.stream.run.parts import Rings, Start, Statistics
    from rtvfi.stream.run.playhead import Playhead
    from rtvfi.stream.see.cuts import Seen

    Payload = NDArray[np.uint8]


class Compute:
    """The state of the compute thread; other threads only call ``use`` and ``retime``, and read.

    Args:
        info: the stream.
        started: grid and bounds.
        playhead: where the player is, for the margin.
        cut_threshold: as in ``StreamOptions``.
        rings: the rings of source frames and of outputs.
        statistics: counts what happens.
    """

    def __init__(
        self,
        info: StreamInfo,
        started: Start,
        playhead: Playhead,
        cut_threshold: float,
        rings: Rings,
        statistics: Statistics,
    ) -> None:
        self._started = started
        self._sources = rings.sources
        self._statistics = statistics
        self._cuts = CutDetector(info, cut_threshold)
        pace = Pace(info.source_rate, 1 / started.grid.step) if started.is_governed else None
        self._steering = steering = Steering(started.plan, started.retiming, pace)
        self._planner = Planner(started.grid, started.plan, started.period or 1 / info.source_rate)
        self._pictures = pictures = Pictures()
        self._triage = Triage(info, started, playhead, steering, pictures, statistics)
        self._outlet = outlet = Outlet(
            rings.outputs, statistics, started.tap, lambda: not steering.standing.level
        )
        on_failure = outlet.fail if started.is_strict else None
        self._slot = ModelSlot(pictures, steering, statistics, on_failure)
        self._backlog = Backlog(outlet, lambda: self._slot.depth)
        self._newest: Payload | None = None

    # ---- any thread ----

    def use(self, executor: Executor | None) -> None:
        """Interpolate with this from the next frame on; None = show the nearest source frames."""
        self._slot.use(executor)

    def retime(self, retiming: Retiming) -> None:
        """Change the retiming from the next frame on."""
        self._steering.retiming = retiming

    @property
    def preroll(self) -> int:
        """Number of source frames to read before a seek's target: ``PlanOptions.preroll``."""
        return self._steering.options(_frames_of(self._slot.wanted)).preroll

    # ---- the compute thread ----

    def run_epoch(self, epoch: int, index: int) -> None:
        """Work from one seek (to grid index ``index``) until the next one, or the end.

        Raises:
            Aborted: the rings were aborted.
        """
        try:
            self._run_epoch(epoch, index)
        finally:
            self._backlog.drop()

    def _run_epoch(self, epoch: int, index: int) -> None:
        self._outlet.begin(epoch)
        self._cuts.reset()
        self._steering.reset()
        self._planner.reset(index)
        self._pictures.clear()
        self._newest = None
        self._triage.restart()
        self._slot.take(self._slot.wanted)
        while True:
            if self._backlog and not self._sources.depth:
                self._backlog.drain()  # no source frame is waiting, so there is nothing else to do
            try:
                frame = self._sources.get(epoch)
            except RtvfiError as error:
                self._push_all(self._cuts.flush())
                self._emit(self._planner.flush(None))
                self._backlog.drain()
                self._outlet.fail(error)
                return
            if frame is None:
                return
            if isinstance(frame, EndOfStream):
                is_current = self._push_all(self._cuts.flush())
                is_current = is_current and self._emit(self._planner.flush(None))
                is_current = is_current and self._backlog.drain()
                if is_current and self._show_something(index):
                    self._outlet.finish()
                return
            if not self._push_all(self._cuts.push(frame)):
                return

    def _show_something(self, index: int) -> bool:
        """After a seek past the end, show the last frame, as mpv does."""
        if self._planner.next_index > index or self._newest is None:
            return True
        return self._outlet.put_source(self._newest, index, self._started.grid.pts(index))

    def _push_all(self, frames: Iterable[Seen]) -> bool:
        """Plan and output what these frames decide; False if a newer seek has come."""
        return all(self._push(seen) for seen in frames)

    def _push(self, seen: Seen) -> bool:
        stamp, self._newest = seen.stamp, seen.payload
        steering, slot = self._steering, self._slot
        steering.variants, steering.expected = slot.variants, slot.expected
        plan = steering.push(stamp, seen.change, _frames_of(slot.executor))
        quality = steering.standing.quality
        if quality is not None:
            slot.choose(quality.variant)
        # A new executor has none of the pictures made by passes, so it begins with a new scene.
        # Read it once: another thread may change it before the actions are carried out.
        newer = slot.wanted
        is_new = newer is not slot.executor
        if is_new and self._planner.options.passes:
            stamp = replace(stamp, cut=True)
        self._planner.adjust(plan)
        actions = self._planner.push(stamp)
        self._pictures.add((0, stamp.index), seen.payload)
        go_on = self._emit(actions)
        if is_new:
            go_on = self._backlog.drain() and go_on
            slot.take(newer)
        needed = self._planner.needed()
        self._pictures.keep(needed)
        slot.keep(needed)
        self._triage.judge()
        self._statistics.plan, self._statistics.standing = plan, steering.standing
        return go_on

    def _emit(self, actions: Sequence[Action]) -> bool:
        """Carry out actions and put the results into the output ring; False if a newer seek has
        come.
        """
        first = self._started.first_index
        if first is not None:
            actions = [a for a in actions if isinstance(a, Mid) or a.index >= first]
        work = batches(actions)
        for batch, later in zip(work, self._needed_after(work), strict=True):
            if not self._outlet.is_current:
                return False
            if not all(self._emit_batch(part) for part in self._parts(batch)):
                return False
            if isinstance(batch, Mid):
                self._slot.keep(later)
        return True

    def _needed_after(self, work: Sequence[Batch]) -> list[frozenset[ImageId]]:
        """Pictures needed after each batch, so that the inputs of a pass can be freed at once."""
        needed = self._planner.needed()
        after = []
        for batch in reversed(work):
            after.append(needed)
            needed = needed.union(needs(batch))
        return after[::-1]

    def _parts(self, batch: Batch) -> list[Batch]:
        """Split a batch so that the margin is checked often."""
        cost = self._statistics.cost
        if cost is None or cost * len(outputs_of(batch)) < 0.05:
            return [batch]
        return single(batch)

    def _emit_batch(self, batch: Batch) -> bool:
        backlog, pictures = self._backlog, self._pictures
        if isinstance(batch, Mid):
            self._pass(batch)
            return True
        if isinstance(batch, Again):
            return backlog.put_again(batch)
        if isinstance(batch, Copy) and batch.image in pictures:
            return backlog.put(batch, {batch.index: pictures[batch.image]}, Kind.COPY)
        if self._slot.executor is not None and not self._triage.allows(batch):
            return backlog.put(batch, self._stand_ins(batch), Kind.CHEAP, is_final=False)
        underway = self._slot.launch(batch)
        if underway is None:
            return backlog.put(batch, self._stand_ins(batch), Kind.COPY, is_final=False)
        # Choose stand-ins now: when the work turns out to fail, their pictures may be freed
        # already.
        stand_ins = self._stand_ins(batch) if self._slot.depth else {}
        return backlog.add(batch, underway, stand_ins)

    def _pass(self, action: Mid) -> None:
        """Carry out a pass, unless there is no time or a picture that it needs was not made."""
        self._pictures.plan(action)
        if not self._triage.is_of_use(self._planner.next_index):
            return
        if self._slot.executor is not None and not self._triage.allows_pass(action):
            return
        underway = self._slot.launch(action)
        if underway is not None:
            self._pictures.mark_made(action.image)
            self._backlog.add_pass(underway)

    def _stand_ins(self, batch: Shown) -> dict[int, Payload]:
        outputs = (batch,) if isinstance(batch, Copy) else batch.outputs
        return {output.index: self._pictures.stand_in(output) for output in outputs}


def _frames_of(executor: Executor | None) -> Literal[2, 3] | None:
    return None if executor is None else executor.num_frames
