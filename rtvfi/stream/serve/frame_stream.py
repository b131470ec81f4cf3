"""The virtual file over a feed of frames: what mpv's demuxer thread reads.

The thread that reads belongs to mpv. A read returns what is at hand rather than wait for a whole
buffer; it waits for one thing only, the next frame, in short turns, so that ``cancel`` and
``kick`` are heard at once. A seek stores a number; the feed is restarted by the read that needs
another frame, so thirty queued seeks cost one restart.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from rtvfi.core.errors import RtvfiError
from rtvfi.core.frame import END, EndOfStream, Kind, OutputFrame
from rtvfi.stream.serve.records import RecordFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.stream.run.playhead import Playhead
    from rtvfi.stream.serve.matroska import VirtualMkv
    from rtvfi.stream.serve.records import File, Piece, RecordMap

log = logging.getLogger(__name__)

AHEAD_SECONDS: Final = 1.5
"""A frame is not handed out earlier than this before it is due: a player with a huge cache would
else pull gigabytes.
"""


_WOBBLE_SECONDS: Final = 0.02
"""The estimated playhead may go back that little by itself."""


def _never() -> bool:
    return False


class Feed(Protocol):
    """Where frames come from: the pipeline."""

    def seek(self, index: int) -> None:
        """The next frame wanted is ``index``; returns at once."""
        ...

    def read(self, timeout: float) -> OutputFrame | EndOfStream | None:
        """The next frame in order, END after the last, None when ``timeout`` seconds brought
        nothing.
        """
        ...

    def wait_primed(self, timeout: float) -> bool:
        """Wait for a stock of frames that lets playback start; False when the time passed first."""
        ...

    def stop(self) -> None:
        """End all work without waiting for it."""
        ...


class FrameStream:
    """One open ``rtvfi://`` file: bytes on mpv's side, frames on the feed's.

    Args:
        feed: where frames come from; owned by this stream from now on.
        mkv: the bytes around the frames.
        records: which frame stands in which record.
        playhead: where the player is; told of every restart.
        clock: seconds, monotonic.
    """

    turn_seconds = 0.02
    """Longest nap while waiting; bounds how late ``cancel`` and ``kick`` are heard."""
    priming_seconds = 0.3
    """Longest wait for a stock of frames after a restart: mpv starts the sound with the first
    frame.
    """

    def __init__(
        self,
        feed: Feed,
        mkv: VirtualMkv,
        records: RecordMap,
        playhead: Playhead,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feed = feed
        self._records = records
        self._file = RecordFile(mkv, self._picture, self.now)
        self._playhead = playhead
        self._clock = clock
        self._frame: OutputFrame | None = None
        self._furthest = -math.inf
        """Where the playhead has been since the last restart."""
        self._next_index: int | None = None
        """Grid index the feed gives next; None before the first restart."""
        self._is_cancelled = threading.Event()
        self._is_kicked = threading.Event()
        self._stale_index: int | None = None
        """Grid index that the frame in hand stands in for, after a kick."""
        self.blocked_on: float | None = None
        """Player time of the frame a read waits for right now."""
        self.first_synthetic_at: float | None = None
        """Clock when the first frame made by a model was handed over."""
        self.is_read_ahead = False
        """Whoever reads has more in store than the read under way: no picture may stand in."""
        self._is_given_up: Callable[[], bool] = _never
        self._is_unpaced = False
        """A seek waits behind what is read: no frame is held back until it comes."""
        self.on_failure: Callable[[RtvfiError], None] = lambda _error: None
        """Told once, on mpv's thread, when the feed fails; to mpv the file just ends."""
        self._has_failed = False

    @property
    def num_asked(self) -> int:
        """Records mpv began to read."""
        return self._file.num_asked

    @property
    def serve_ms(self) -> Sequence[float]:
        """Newest times spent copying a picture to mpv."""
        return self._file.serve_ms

    @property
    def size(self) -> int:
        """Bytes of the virtual file."""
        return self._file.size

    def files(self, name: str) -> Mapping[str, File]:
        """What the player opens by which name, beginning with ``name``."""
        return {name: self}

    def now(self) -> float:
        """Seconds, monotonic."""
        return self._clock()

    def seek(self, offset: int) -> int:
        """Set the read position, clamped to the file."""
        self.settle()
        return self._file.seek(offset)

    def settle(self) -> None:
        """The player goes elsewhere now: a kick has done its work."""
        self._is_kicked.clear()
        self._is_unpaced = False
        self._stale_index = None

    def read_into(self, address: int, num_bytes: int) -> int:
        """Write what is at hand, at most ``num_bytes``; waits only if nothing is. 0 = end of
        file.
        """
        return 0 if self._is_cancelled.is_set() else self._file.read_into(address, num_bytes)

    def piece(self, room: int, *, is_given_up: Callable[[], bool] = _never) -> Piece:
        """The next bytes, at most ``room``; of a picture they are the picture's own memory.

        Args:
            room: at least 1.
            is_given_up: nobody wants the bytes any more; looked at while waiting.

        Returns:
            Nothing at the end of the file, after ``cancel``, and where waiting was no use.
        """
        self._is_given_up = is_given_up
        return b"" if self._is_cancelled.is_set() else self._file.piece(room)

    def _picture(self, record: int, may_wait: bool) -> NDArray[np.uint8] | None:
        frame = self.frame_of(self._records.index(record), may_wait=may_wait)
        return None if frame is None else frame.payload

    def frame_of(self, index: int, *, may_wait: bool) -> OutputFrame | None:
        """The frame ``index``: the one in hand, or the next of the feed, restarted if it is not
        the next; None after ``cancel``, at the end, and where waiting was no use.
        """
        if self._is_cancelled.is_set():
            return None
        if self._frame is not None and index in (self._frame.index, self._stale_index):
            return self._frame
        if not may_wait:
            return None
        is_restart = index != self._next_index
        if is_restart:
            self._playhead.hold(self._records.seconds(index))
            self._feed.seek(index)
            self._next_index = index
            self._furthest = -math.inf
            self._is_unpaced = False
        self.blocked_on = self._records.seconds(index)
        try:
            frame = self._wait(index, is_restart=is_restart)
        finally:
            self.blocked_on = None
        self._stale_index = None
        if frame is not None:
            self._frame = frame
            self._next_index = index + 1
        elif self._is_kicked.is_set() and not self._is_cancelled.is_set():
            # mpv discards what a kicked read gives, so any picture will do. For this record alone:
            # should no seek follow, the next read asks for its own frame again.
            self._is_kicked.clear()
            self._stale_index = index
            return self._frame
        return frame

    def _wait(self, index: int, *, is_restart: bool) -> OutputFrame | None:
        deadline = self._clock() + self.priming_seconds if is_restart else 0.0
        due = self._records.seconds(index)
        while not (
            self._is_cancelled.is_set()
            or (self._is_kicked.is_set() and self._frame)
            or self._is_given_up()
        ):
            is_priming = is_restart and self._clock() < deadline
            if is_priming and not self._feed.wait_primed(self.turn_seconds):
                continue
            if due > self._ahead_of() and not self._is_unpaced:
                self._is_cancelled.wait(self.turn_seconds)
                continue
            frame = self._read_feed()
            if frame is END:
                return None
            if isinstance(frame, OutputFrame):
                if frame.index != index:
                    raise RuntimeError(f"wanted frame {index}, the feed gave {frame.index}")
                self._playhead.first_frame()
                if self.first_synthetic_at is None and frame.kind is Kind.SYNTHETIC:
                    self.first_synthetic_at = self._clock()
                return frame
        return None

    def _read_feed(self) -> OutputFrame | EndOfStream | None:
        try:
            return self._feed.read(self.turn_seconds)
        except RtvfiError as error:
            failure = error
        except Exception:  # noqa: BLE001 - a bug, logged where it happened; the film goes on
            failure = RtvfiError("interpolation broke down: this is a mistake in rtvfi")
        if not self._has_failed:
            self._has_failed = True
            self.on_failure(failure)
        return END

    def _ahead_of(self) -> float:
        """Frames due until this time may be handed out.

        The playhead of one run of reads only goes back when mpv was asked to seek and waits for
        this very read; holding it back then would wait for ever. A kick may have come between
        two reads.
        """
        now = self._playhead.now() or 0.0
        self._furthest = max(self._furthest, now)
        return math.inf if now < self._furthest - _WOBBLE_SECONDS else now + AHEAD_SECONDS

    def kick(self, target: float) -> None:
        """mpv was asked to go to ``target``: end a blocked read, unless it already waits for that
        very frame.

        mpv carries a seek out only after the read under way has returned. A target beyond the film
        is its first or last frame.
        """
        blocked = self.blocked_on
        target = min(max(target, 0.0), self._records.last_seconds)
        if blocked is not None and not target - 0.7 <= blocked <= target + 0.1:
            if self.is_read_ahead:
                self._is_unpaced = True
            else:
                self._is_kicked.set()

    def cancel(self) -> None:
        """Reads return the end of file from now on."""
        self._is_cancelled.set()

    def close(self) -> None:
        """Let go of the feed; nothing is waited for."""
        self._is_cancelled.set()
        self._frame = None
        self._feed.stop()
