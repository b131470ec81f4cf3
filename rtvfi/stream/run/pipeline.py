"""The pipeline: two threads that turn a source into output frames; it can be restarted at any
frame.

The *decode* thread owns the source; the *compute* thread owns cut detector, planner and executor.
Rings connect them with each other and with the reader. ``seek`` opens a new epoch: items of an
older one are dropped, and between two frames both threads check whether theirs is still the newest.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import RtvfiError, SourceError
from rtvfi.core.frame import END, EndOfStream, OutputFrame, SourceFrame, Stretch
from rtvfi.core.options import CUT_THRESHOLD
from rtvfi.core.ring import Aborted, Ring
from rtvfi.stream.decode.source import FrameSource, Interrupted
from rtvfi.stream.run.compute import Compute
from rtvfi.stream.run.parts import Rings, Statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.core.frame import StreamInfo
    from rtvfi.stream.plan.steering import Retiming
    from rtvfi.stream.run.executors.executor import Executor
    from rtvfi.stream.run.parts import Start
    from rtvfi.stream.run.playhead import Playhead

log = logging.getLogger(__name__)

OPEN_TIMEOUT_SECONDS: Final = 20.0
_SOURCE_FRAMES: Final = 8
_SOURCE_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class _Command:
    epoch: int
    index: int


class Pipeline:
    """One stream, from file to output ring. ``open``, then ``start``, then ``seek`` and ``read``
    at will.

    Args:
        opener: opens the source, on the decode thread; its argument is the source's
            ``interrupted`` function.
        playhead: where the player is, for the margin.
        cut_threshold: as in ``StreamOptions``.
    """

    def __init__(
        self,
        opener: Callable[[Callable[[], bool]], FrameSource],
        playhead: Playhead,
        cut_threshold: float = CUT_THRESHOLD,
    ) -> None:
        self._opener = opener
        self._playhead = playhead
        self._cut_threshold = cut_threshold
        self._statistics = Statistics()
        self._changed = threading.Condition()
        self._command = _Command(0, 0)
        self._is_stopping = False
        self._started: Start | None = None
        self._info: StreamInfo | None = None
        self._source: FrameSource | None = None
        self._open_error: BaseException | None = None
        self._broken: BaseException | None = None
        """The error that ended a thread for good."""
        self._worker: Compute | None = None
        self._decode_epoch = 0
        self._sources: Ring[SourceFrame] = Ring(
            _SOURCE_FRAMES, _SOURCE_BYTES, lambda f: f.payload.nbytes
        )
        self._outputs: Ring[OutputFrame] = Ring(1, 1, lambda f: f.payload.nbytes)
        self.strange: tuple[Stretch, ...] = ()
        """Unexpected changes of shape, in the order in which they were decoded."""
        self._threads = [threading.Thread(target=self._decode, name="rtvfi-decode", daemon=True)]

    # ---- the owner's side ----

    def open(self) -> StreamInfo:
        """Open the source on the decode thread and wait for it; a second call returns the same.

        Raises:
            SourceError: it cannot be opened, took longer than OPEN_TIMEOUT_SECONDS, or the pipeline
                was stopped meanwhile.
        """
        if self._threads[0].ident is None:
            self._threads[0].start()
        with self._changed:
            self._changed.wait_for(
                lambda: self._info or self._open_error or self._is_stopping, OPEN_TIMEOUT_SECONDS
            )
            info, error, is_stopping = self._info, self._open_error, self._is_stopping
        if info is None and is_stopping:
            raise SourceError("the file was closed while it was being opened")
        if error is not None:
            raise error
        if info is None:
            self.stop()
            raise SourceError("the file took too long to open", "is its drive or network asleep?")
        return info

    def start(self, start: Start, ring_bytes: int) -> None:
        """Fix the parameters and start the compute thread; it waits for the first ``seek``."""
        assert self._info is not None, "open() comes before start()"
        self._started = start
        self._outputs = Ring(start.ring_frames, ring_bytes, lambda f: f.payload.nbytes)
        rings = Rings(self._sources, self._outputs)
        self._worker = Compute(
            self._info, start, self._playhead, self._cut_threshold, rings, self._statistics
        )
        thread = threading.Thread(
            target=self._compute, args=(self._worker,), name="rtvfi-compute", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def use(self, executor: Executor | None) -> None:
        """Interpolate with this from the next frame on; None = show the nearest source frames."""
        assert self._worker is not None, "start() comes before use()"
        self._worker.use(executor)

    def retime(self, retiming: Retiming) -> None:
        """Change the retiming from the next frame on."""
        assert self._worker is not None, "start() comes before retime()"
        self._worker.retime(retiming)

    def seek(self, index: int) -> None:
        """Make output ``index`` the next frame read; older frames are dropped."""
        with self._changed:
            if self._is_stopping:
                return
            epoch = self._command.epoch + 1
            self._sources.restart(epoch)
            self._outputs.restart(epoch)
            self._command = _Command(epoch, index)
            if self._broken is not None:
                self._outputs.fail(self._broken, epoch)
            self._changed.notify_all()

    def read(self, timeout: float | None) -> OutputFrame | EndOfStream | None:
        """The next frame; END after the last one; None if none came within ``timeout`` seconds.

        Raises:
            RtvfiError: the error that stopped the pipeline, once the frames before it are read.
        """
        try:
            return self._outputs.get(timeout=timeout)
        except Aborted:
            return END

    def wait_primed(self, timeout: float) -> bool:
        """Wait until enough frames are ready to start playback, or no more will come."""
        started = self._started
        return started is None or self._outputs.wait_for_depth(started.prime_frames, timeout)

    def wait_until_full(self, timeout: float) -> bool:
        """Wait until the output ring is full, or no more frames will come."""
        return self._outputs.wait_for_depth(self._outputs.max_items, timeout)

    @property
    def is_running(self) -> bool:
        """Whether one of its threads is alive or may still be started."""
        return not self._is_stopping or any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """End both threads without waiting for them."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._sources.abort()
        self._outputs.abort()

    def close(self, timeout: float = 5.0) -> None:
        """``stop``, then wait for the threads; logs a warning if one does not end."""
        self.stop()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.warning("thread %s did not end in %.0f s", thread.name, timeout)

    @property
    def num_made(self) -> int:
        """Frames put into the output ring so far."""
        return self._statistics.counts.total()

    def statistics(self) -> Statistics:
        """A copy of the current statistics."""
        decoder = self._source.info.decoder if self._source is not None else ""
        return self._statistics.snapshot(self._outputs.depth, decoder)

    # ---- both threads ----

    def _await(self, done_epoch: int) -> _Command | None:
        """Wait for a command newer than ``done_epoch``; None when the pipeline stops."""
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
                self._info, self._source = source.info, source
                self._changed.notify_all()
            while (command := self._await(self._decode_epoch)) is not None:
                self._decode_epoch = command.epoch
                self._decode_one_epoch(source, command)
        except BaseException as error:
            log.exception("the decode thread failed")
            self._broken = error
            self._sources.fail(error)
        finally:
            source.close()

    def _decode_one_epoch(self, source: FrameSource, command: _Command) -> None:
        started = self._started
        assert started is not None, "start() comes before seek()"
        samples = self._statistics.samples["decode"]
        try:
            if command.epoch > 1 or command.index > 0:
                assert self._worker is not None
                preroll = self._worker.preroll / source.info.source_rate
                source.seek(started.grid.pts(command.index) - preroll)
            source.epoch = command.epoch
            strange = None
            while True:
                begin = time.perf_counter()
                frame = source.read()
                samples.append(time.perf_counter() - begin)
                if frame is END:
                    self._sources.finish(command.epoch)
                    return
                assert isinstance(frame, SourceFrame)
                if frame.strange not in (None, strange):
                    self.strange += (Stretch(frame.pts, frame.strange),)
                strange = frame.strange
                if not self._sources.put(frame, command.epoch):
                    return
        except Interrupted:
            return
        except RtvfiError as error:
            self._sources.fail(error, command.epoch)

    # ---- compute thread ----

    def _compute(self, worker: Compute) -> None:
        try:
            done = 0
            while (command := self._await(done)) is not None:
                done = command.epoch
                worker.run_epoch(command.epoch, command.index)
        except Aborted:
            pass
        except BaseException as error:
            log.exception("the compute thread failed")
            with self._changed:
                self._broken = error
                self._outputs.fail(error)
