"""The virtual file made from a feed of frames: what mpv's demuxer thread reads.

The reading thread belongs to mpv. A read returns the bytes that are available instead of waiting
for a full buffer. It waits only for the next frame, in short turns, so that ``cancel`` and ``kick``
take effect at once. A seek only stores an offset; the feed is restarted by the next read that needs
another frame, so thirty queued seeks cost one restart.

No function of mpv may be called from these methods: they run inside mpv's stream callbacks.
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
"""A frame is returned no earlier than this before it is due; otherwise a player with a huge cache
would read gigabytes.
"""


_WOBBLE_SECONDS: Final = 0.02
"""The estimated playhead may go back by this much without a seek."""


def _never() -> bool:
    return False


class Feed(Protocol):
    """The source of frames: the pipeline."""

    def seek(self, index: int) -> None:
        """Make ``index`` the next frame read; returns at once."""
        ...

    def read(self, timeout: float) -> OutputFrame | EndOfStream | None:
        """The next frame in order; END after the last one; None if none came within ``timeout``
        seconds.
        """
        ...

    def wait_primed(self, timeout: float) -> bool:
        """Wait until enough frames are ready to start playback; False after ``timeout`` seconds."""
        ...

    def stop(self) -> None:
        """Stop all work without waiting for it."""
        ...


class FrameStream:
    """One open ``rtvfi://`` file: turns frames of a feed into bytes for the player.

    Args:
        feed: the source of frames; owned by this stream from now on.
        mkv: the bytes around the pictures.
        records: which frame is in which record.
        playhead: where the player is; every restart is reported to it.
        clock: returns monotonic seconds.
    """

    turn_seconds = 0.02
    """Longest single wait, which limits the delay of ``cancel`` and ``kick``."""
    priming_seconds = 0.3
    """Longest wait for a stock of frames after a restart; mpv starts the sound with the first
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
        """The latest position of the playhead since the last restart, seconds."""
        self._next_index: int | None = None
        """Grid index of the feed's next frame; None before the first restart."""
        self._is_over = False
        """The feed has no more frames, and has not failed."""
        self._is_cancelled = threading.Event()
        self._is_kicked = threading.Event()
        self._stale_index: int | None = None
        """Grid index of the frame that the current one replaces, after a kick."""
        self.blocked_on: float | None = None
        """Time, on the player's clock, of the frame that a read is waiting for; None = none."""
        self.first_synthetic_at: float | None = None
        """Clock time at which the first frame made by a model was returned."""
        self.is_read_ahead = False
        """The reader buffers more than the current read, so it must never get a stand-in: it would
        show that picture later.
        """
        self._is_given_up: Callable[[], bool] = _never
        self._is_unpaced = False
        """A seek is waiting for the current read: frames are returned without pacing until it
        comes.
        """
        self.on_failure: Callable[[RtvfiError], None] = lambda _error: None
        """Called once, on mpv's thread, when the feed fails; for mpv the file just ends."""
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
        """The files that the player can open, by name; all names begin with ``name``."""
        return {name: self}

    def now(self) -> float:
        """Seconds, monotonic."""
        return self._clock()

    def seek(self, offset: int) -> int:
        """Set the read position, clamped to the file."""
        self.settle()
        return self._file.seek(offset)

    def settle(self) -> None:
        """Report that the player's seek has arrived, so that the kick for it is over."""
        self._is_kicked.clear()
        self._is_unpaced = False
        self._stale_index = None

    def read_into(self, address: int, num_bytes: int) -> int:
        """Write up to ``num_bytes`` available bytes to ``address``; wait only if there are none.

        Returns:
            The number of bytes written; 0 = end of file.
        """
        return 0 if self._is_cancelled.is_set() else self._file.read_into(address, num_bytes)

    def piece(self, room: int, *, is_given_up: Callable[[], bool] = _never) -> Piece:
        """The next bytes, at most ``room``; bytes of a picture share the picture's memory.

        Args:
            room: at least 1.
            is_given_up: returns True when the bytes are not needed any more; checked while waiting.

        Returns:
            Empty at the end of the file, after ``cancel``, and when waiting was given up.
        """
        self._is_given_up = is_given_up
        return b"" if self._is_cancelled.is_set() else self._file.piece(room)

    def void(self) -> bytes:
        """What to send before zeros in place of the rest of the file, if the film ended earlier
        than its container says; empty if it has not, or failed.
        """
        return self._file.void() if self._is_over else b""

    def _picture(self, record: int, may_wait: bool) -> NDArray[np.uint8] | None:
        frame = self.frame_of(self._records.index(record), may_wait=may_wait)
        return None if frame is None else frame.payload

    def frame_of(self, index: int, *, may_wait: bool) -> OutputFrame | None:
        """Frame ``index``: the current one, or the next one of the feed, which is restarted if that
        has another index. None after ``cancel``, at the end, and when waiting was given up.
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
            self._is_over = False
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
            # mpv discards the result of a kicked read, so any picture will do, but only for this
            # record: if no seek follows, the next read requests its own frame again.
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
                self._is_over = not self._has_failed
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
            failure = RtvfiError("interpolation failed: this is a bug in rtvfi")
        if not self._has_failed:
            self._has_failed = True
            self.on_failure(failure)
        return END

    def _ahead_of(self) -> float:
        """Frames that are due before this time (player's clock, seconds) may be returned.

        Between two restarts the playhead goes back only if mpv was asked to seek and waits for the
        current read; holding that read back would then wait for ever. A kick may also have come
        between two reads.
        """
        now = self._playhead.now() or 0.0
        self._furthest = max(self._furthest, now)
        return math.inf if now < self._furthest - _WOBBLE_SECONDS else now + AHEAD_SECONDS

    def kick(self, target: float) -> None:
        """End a blocked read, because mpv was asked to seek to ``target`` seconds; a read that
        waits for the frame at ``target`` is not ended.

        mpv carries out a seek only after the current read has returned. A target outside the film
        means its first or last frame.
        """
        blocked = self.blocked_on
        target = min(max(target, 0.0), self._records.last_seconds)
        if blocked is not None and not target - 0.7 <= blocked <= target + 0.1:
            if self.is_read_ahead:
                self._is_unpaced = True
            else:
                self._is_kicked.set()

    def cancel(self) -> None:
        """Make all reads return end of file, now and from now on."""
        self._is_cancelled.set()

    def close(self) -> None:
        """Stop the feed, without waiting for it."""
        self._is_cancelled.set()
        self._frame = None
        self._feed.stop()
