"""Software decoding in this process, with the FFmpeg that comes with PyAV.

One thread owns a source: closing or seeking a container while another thread decodes from it
crashes the process.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import replace
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Final, NamedTuple

from rtvfi.errors import DecodeError, OpenError, SeekError
from rtvfi.frame import END, EndOfStream, SourceFrame, StreamInfo
from rtvfi.stream.decode_info import describe, nominal_rate
from rtvfi.stream.decode_open import FAILURES, scan_end
from rtvfi.stream.decode_planes import Packer
from rtvfi.stream.decode_reader import FrameReader
from rtvfi.stream.pts import PtsRegulariser

if TYPE_CHECKING:
    from collections.abc import Callable

    import av

    from rtvfi.stream.options import SourceOptions

log = logging.getLogger(__name__)

_BACK_OFF: Final = tuple(Fraction(s) for s in (0, 1, 3, 10, 30))
"""Seconds before the target at which seeks are tried: transport streams land behind their aim."""
_SCAN_SECONDS: Final = 0.3
_MISSING_SECONDS: Final = 1
_JUMP_FRAMES: Final = 8
"""Frames in a row that lie in the past until that is taken for the new time; fewer are damage."""


class _Timed(NamedTuple):
    frame: av.VideoFrame
    pts: Fraction


class PyavSource:
    """A ``FrameSource`` over PyAV's software decoders; see ``stream.source`` for the contract."""

    info: StreamInfo

    def __init__(self, path: str, options: SourceOptions, interrupted: Callable[[], bool]) -> None:
        self.epoch = 0
        self._path = path
        self._reader = FrameReader(path, options, interrupted)
        self._pending: deque[_Timed] = deque()
        self._closed = False
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def read(self) -> SourceFrame | EndOfStream:
        """The next frame; ``END`` after the last."""
        item = self._pending.popleft() if self._pending else self._advance()
        if item is None:
            return END
        frame, pts = item
        return SourceFrame(self._packer.pack(frame), pts, self._frame_duration(frame), self.epoch)

    def seek(self, target: Fraction) -> None:
        """Make the frame played at ``target`` the next one."""
        self._pending.clear()
        target = max(target, self.info.start)
        if self._last_pts is not None:
            target = min(target, self._last_pts)
        elif self.info.duration is not None:
            target = min(target, self.info.start + self.info.duration)
        if self.info.is_seekable and self._seek_near(target):
            return
        try:
            self._reader.rewind()
        except OpenError as error:
            raise SeekError(
                f'"{self._path}" can no longer be opened', "is it still there?"
            ) from error
        self._restart_clock()
        self._scan(target, from_start=True)

    def close(self) -> None:
        """Let go of the file."""
        if not self._closed:
            self._closed = True
            self._pending.clear()
            self._reader.close()

    # Opening

    def _start(self) -> None:
        stream = self._reader.stream
        packets = [p for p in self._reader.peek() if p.size]
        ticks = [p.pts for p in packets if p.pts is not None]
        rate = nominal_rate(stream, ticks)
        self._tick = stream.time_base or Fraction(1, 1000)
        self._period = 1 / rate
        self._is_counting = not ticks
        self._is_avi = stream.container.format.name == "avi"
        self._zero = None if self._is_avi else Fraction(0)
        self._regulariser = PtsRegulariser(rate, self._tick)
        self._last_pts: Fraction | None = None  # known once the end was reached
        self._restart_clock()
        try:
            first = self._advance()
        except DecodeError as error:
            raise self._no_picture() from error
        if first is None:
            raise self._no_picture()
        self._pending.append(first)
        info = describe(stream, first.frame, rate, first.pts)
        if info.duration is None and not self._is_counting:
            end = scan_end(self._path, stream.index, _SCAN_SECONDS)
            info = replace(info, duration=end - info.start if end and end > info.start else None)
        self.info = replace(info, is_seekable=not self._is_counting)
        self._packer = Packer(
            info.format,
            (info.width, info.height),
            matrix=info.color.resolved_matrix(info.width, info.height),
            full_range=info.color.full_range,
        )
        log.debug("%s: %s", self._path, self.info)

    def _no_picture(self) -> OpenError:
        return OpenError(
            f'not one picture of "{self._path}" can be decoded',
            "is the file complete? try: mpv FILE",
        )

    # Time

    def _restart_clock(self) -> None:
        self._regulariser.reset()
        self._newest: Fraction | None = None  # since the last seek
        self._shift = Fraction(0)
        self._drops = 0
        self._raw: Fraction | None = -self._period if self._is_counting else None

    def _advance(self) -> _Timed | None:
        """The next frame that has a time of its own; None at the end."""
        while (frame := self._reader.next_frame()) is not None:
            if (stamp := self._stamp(frame)) is not None:
                self._raw = stamp + self._shift
            elif self._raw is not None:
                self._raw += self._period
            else:
                continue  # before time zero: players do not show these either
            pts = self._regulariser.push(self._raw)
            if pts is not None:
                self._newest, self._drops = pts, 0
                return _Timed(frame, pts)
            self._drops += 1
            if self._drops == _JUMP_FRAMES and self._newest is not None:
                # Recordings joined without care: go on from where we are.
                self._shift += self._newest + self._period - self._raw
                log.warning("%s: time runs backwards at %.3f s", self._path, float(self._newest))
        if self._newest is not None and self._last_pts is None:
            self._last_pts = self._newest
            self._say_what_is_missing()
        return None

    def _stamp(self, frame: av.VideoFrame) -> Fraction | None:
        """The file's time of a frame; None if it has none.

        AVI stores no presentation times. What FFmpeg makes up for B frames runs backwards, but
        decoding times leave the decoder in display order, late by a constant. An AVI starts at 0.
        """
        ticks = frame.dts if self._is_avi else frame.pts
        if ticks is None or self._is_counting:
            return None
        stamp = ticks * self._tick
        if self._zero is None:
            self._zero = stamp
        return stamp - self._zero

    def _frame_duration(self, frame: av.VideoFrame) -> Fraction:
        """The stated duration where it says more than the rate does: in variable-rate files."""
        stated = (frame.duration or 0) * self._tick
        is_odd = stated < self._period / 2 or abs(stated - self._period) <= self._tick
        return self._period if is_odd or self._is_counting else stated

    def _say_what_is_missing(self) -> None:
        if self._reader.num_damaged:
            log.warning("%s: %d damaged packets", self._path, self._reader.num_damaged)
        if self.info.duration is not None and self._last_pts is not None:
            missing = self.info.start + self.info.duration - self._last_pts - self._period
            if missing > _MISSING_SECONDS:
                log.warning("%s: the last %.1f s have no pictures", self._path, float(missing))

    # Seeking

    def _seek_near(self, target: Fraction) -> bool:
        """Land on the frame played at ``target`` by way of a key frame; False if none was found."""
        for back in _BACK_OFF:
            aim = target - back
            if back and aim < self.info.start:
                break
            try:
                self._reader.seek(floor((aim + (self._zero or 0)) / self._tick))
            except FAILURES as error:
                log.debug("%s: no seek to %s: %s", self._path, aim, error)
                continue
            self._restart_clock()
            if self._scan(target, from_start=False):
                return True
        return False

    def _scan(self, target: Fraction, *, from_start: bool) -> bool:
        """Decode up to ``target`` and queue the frame played there.

        After a seek nothing before the first key picture counts: it leans on pictures that were
        skipped. Damaged pictures are no landing place: read from the start they may be whole.

        Returns:
            False: the decoder came in too late, or on damage.
        """
        played: _Timed | None = None
        is_clean = from_start
        while (item := self._advance()) is not None and item.pts <= target:
            is_clean = is_clean or bool(item.frame.key_frame)
            if is_clean:
                played = item
        if not from_start and (played is None or played.frame.is_corrupt):
            return False
        self._pending.extend(found for found in (played, item) if found is not None)
        return True
