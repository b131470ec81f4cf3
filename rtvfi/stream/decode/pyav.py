"""The ``FrameSource`` for files: frames with exact times, decoded by PyAV's FFmpeg in this process.

A device's reader may take over after the first picture (``choose``); times, seeking and packing
stay the same. If that reader fails, software continues at the same frame.

One thread owns a source. Closing or seeking a container while another thread decodes from it
crashes the process.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import replace
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Final, NamedTuple

import av
import numpy as np

from rtvfi.core.errors import DecodeError, OpenError, SeekError
from rtvfi.core.frame import END, EndOfStream, SourceFrame, StreamInfo
from rtvfi.stream.decode.container import FAILURES, container_of, scan_end
from rtvfi.stream.decode.fields.pulldown import Evened, Stamped, find_pulldown
from rtvfi.stream.decode.info import describe, nominal_rate
from rtvfi.stream.decode.planes import Payloads
from rtvfi.stream.decode.pts import LONGEST_GAP, PtsRegulariser
from rtvfi.stream.decode.reader import FrameReader, Reader
from rtvfi.stream.decode.shapes import Aspects, aspect_is_inside, in_stretches, shaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.core.frame import Stretch
    from rtvfi.core.options import SourceOptions

log = logging.getLogger(__name__)

_BACK_OFF: Final = tuple(Fraction(s) for s in (0, 1, 3, 10, 30))
"""Seconds before the target at which seeks are tried in turn: transport streams land too late."""
_SCAN_SECONDS: Final = 0.3
_MISSING_SECONDS: Final = 1
_JUMP_FRAMES: Final = 8
"""Frames in a row that run backwards, or jump beyond the longest gap, before the new time is
accepted; fewer are treated as damage and dropped.
"""
_MAX_DIFFERENCE: Final = 4
"""Largest mean absolute difference, in 8-bit codes, of two pictures that count as the same."""


class _Timed(NamedTuple):
    frame: av.VideoFrame
    pts: Fraction
    aspect: Fraction | None = None
    """Pixel aspect; None = the stream's."""


class PyavSource:
    """A ``FrameSource`` (the contract is in ``decode.source``) that begins with PyAV's software
    decoders.
    """

    info: StreamInfo
    stream_index: int
    tick: Fraction
    """The stream's time base, seconds."""
    container: str
    """FFmpeg's name of the container."""
    container_start: Fraction
    """Start time stated by the container, seconds; 0 if it states none."""
    has_times: bool
    """Frame times come from the file; they are not counted or reconstructed here."""
    _payloads: Payloads
    has_shapes: bool
    """A change of size or pixel aspect was found in the stream."""

    def __init__(self, path: str, options: SourceOptions, interrupted: Callable[[], bool]) -> None:
        self.epoch = 0
        self._path = path
        self._options = options
        self._interrupted = interrupted
        first = FrameReader(path, options, interrupted)
        self._reader: Reader = first
        self._falls_back = False
        self._resume: Fraction | None = None
        self._pending: deque[_Timed] = deque()
        self._closed = False
        self._evened: Evened[av.VideoFrame] | None = None
        self._aspects: Aspects | None = None
        try:
            self._start(first)
        except BaseException:
            self.close()
            raise

    def read(self) -> SourceFrame | EndOfStream:
        """The next frame; ``END`` after the last."""
        try:
            if self._resume is not None:
                self._go_on_after(self._resume)
            item = self._pending.popleft() if self._pending else self._advance()
        except DecodeError as error:
            self._fall_back(error)
            self._resume = self._newest
            return self.read()
        if item is None:
            return END
        frame, pts, aspect = item
        payload, is_start, strange = self._payloads.make(frame, pts, aspect)
        duration = self._frame_duration(frame)
        return SourceFrame(payload, pts, duration, self.epoch, is_start, strange)

    def seek(self, target: Fraction) -> None:
        """Make the frame played at ``target`` the next one."""
        self._resume = None
        try:
            self._seek(target)
        except DecodeError as error:
            self._fall_back(error)
            self._seek(target)

    def _seek(self, target: Fraction) -> None:
        self._pending.clear()
        self._payloads.reset()
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

    # Another reader

    def why_differs(self, frame: av.VideoFrame) -> str:
        """How another reader's first frame differs from ours; empty if it does not.

        Decoders of one stream agree bit by bit, or nearly, where the standard allows differences.
        """
        own = self._pending[0].frame
        if frame.pts != own.pts:
            return "its first picture has another time"
        wide = "<u2" if self.info.format.sample_bytes == 2 else "u1"
        a, b = (self._payloads.pack(f).view(wide).astype(np.int32) for f in (own, frame))
        off = np.abs(a - b).mean() / (1 << self.info.format.bits - 8)
        return "" if off <= _MAX_DIFFERENCE else "its first picture is wrong"

    def continue_with(
        self, reader: Reader, first: av.VideoFrame, decoder: str, *, falls_back: bool
    ) -> None:
        """Let another reader continue; only the first frame may have been decoded so far.

        Args:
            reader: the reader to use from now on.
            first: its first frame, which replaces ours.
            decoder: name of the decoder, for ``info``.
            falls_back: if the reader fails, software continues; otherwise that is an error.
        """
        self._reader.close()
        self._reader = reader
        self._pending[0] = self._pending[0]._replace(frame=first)
        if self._evened is not None:
            self._evened.reset()
        self._falls_back = falls_back
        self.info = replace(self.info, decoder=decoder)

    def _fall_back(self, error: DecodeError) -> None:
        if isinstance(self._reader, FrameReader) and self._reader.is_software:
            raise error
        if not self._falls_back:
            raise DecodeError(
                f'"{self._path}": {self.info.decoder} gave up: {error.message}',
                "with --hwaccel auto, software would continue",
            ) from error
        self._falls_back = False
        log.warning(
            "%s: %s gave up, software continues: %s", self._path, self.info.decoder, error.message
        )
        self._reader.close()
        self._reader = FrameReader(self._path, self._options, self._interrupted)
        self.info = replace(self.info, decoder=f"software ({self.info.codec})")

    def _go_on_after(self, pts: Fraction) -> None:
        self._seek(pts)
        while self._pending and self._pending[0].pts <= pts:
            self._pending.popleft()
        self._resume = None

    # Opening

    def _start(self, reader: FrameReader) -> None:
        stream = reader.stream
        packets = [p for p in reader.peek() if p.size]
        ticks = [p.pts for p in packets if p.pts is not None]
        self.tick = stream.time_base or Fraction(1, 1000)
        pulldown = find_pulldown([t * self.tick for t in ticks], self.tick)
        rate = pulldown.rate if pulldown else nominal_rate(stream, ticks)
        rate *= reader.thins_to
        self.stream_index = stream.index
        self._period = 1 / rate
        self._is_counting = not ticks
        self.container = stream.container.format.name
        self._is_avi = self.container == "avi"
        self.has_shapes = False
        self.has_times = not (self._is_counting or self._is_avi)
        begin = container_of(stream).start_time
        self.container_start = Fraction(begin or 0, av.time_base)
        self._zero = None if self._is_avi else Fraction(0)
        slack = pulldown.slack if pulldown else self.tick
        self._evened = Evened(pulldown, self._read_stamped) if pulldown else None
        self._regulariser = PtsRegulariser(rate, max(self.tick, slack))
        self._last_pts: Fraction | None = None  # known after the end was reached once
        if aspect_is_inside(self.container):
            self._aspects = Aspects(self._aspect_inside)
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
            end = scan_end(self._path, stream.index, _SCAN_SECONDS, self._options.web)
            info = replace(info, duration=end - info.start if end and end > info.start else None)
        self.info = replace(info, is_seekable=not self._is_counting)
        self._payloads = Payloads(info, info.pixel_aspect, self._period)
        if self.info.is_seekable and info.duration:
            self._look_for_shapes()
        log.debug("%s: %s", self._path, self.info)

    def _aspect_inside(self) -> Fraction | None:
        if not isinstance(self._reader, FrameReader):
            return None
        return self._reader.stream.codec_context.sample_aspect_ratio

    def _look_for_shapes(self) -> None:
        """Find changes of shape: either all pictures get the most common one, or keep their own."""
        first, known = self.info, self._options.stretches
        if self._options.keeps_shapes and known:
            self.info = in_stretches(first, known)
        else:
            self.info = shaped(self._path, first, keeps_shapes=self._options.keeps_shapes)
            if self.info.stretches:
                exact = [self._settled(stretch) for stretch in self.info.stretches]
                self.info = in_stretches(first, exact)
                self._seek(first.start)
        self.has_shapes = self.info != first
        if self.has_shapes and not self.info.stretches:
            text = "%s: its pictures change their shape, all are shown as %s"
            log.warning(text, self._path, self.info.shape)
        self._payloads = Payloads(self.info, first.pixel_aspect, self._period)

    def _settled(self, stretch: Stretch) -> Stretch:
        """The stretch with the exact time of its first frame."""
        self._seek(stretch.start + self.tick)
        return replace(stretch, start=self._pending[0].pts) if self._pending else stretch

    def _no_picture(self) -> OpenError:
        return OpenError(
            f'not one picture of "{self._path}" can be decoded',
            "is the file complete? try: mpv FILE",
        )

    # Time

    def _restart_clock(self) -> None:
        self._regulariser.reset()
        self._newest: Fraction | None = None  # time of the newest frame since the last seek
        self._shift = Fraction(0)
        self._drops = 0
        self._raw: Fraction | None = -self._period if self._is_counting else None
        if self._evened is not None:
            self._evened.reset()
        if self._aspects is not None:
            self._aspects.reset()

    def _advance(self) -> _Timed | None:
        """The next frame with a valid time; None at the end."""
        read = self._read_stamped if self._evened is None else self._evened.next
        while (stamped := read()) is not None:
            frame, stamp = stamped
            if stamp is not None:
                self._raw = stamp + self._shift
            elif self._raw is not None:
                self._raw += self._period
            else:
                continue  # before time zero: players do not show these either
            is_far = self._newest is not None and self._raw - self._newest > LONGEST_GAP
            pts = None if is_far else self._regulariser.push(self._raw)
            if pts is not None:
                self._newest, self._drops = pts, 0
                return _Timed(frame, pts, self._aspects.of(frame) if self._aspects else None)
            self._drops += 1
            if self._drops == _JUMP_FRAMES and self._newest is not None:
                # Recordings that were joined carelessly: continue from the current time.
                self._shift += self._newest + self._period - self._raw
                way = "jumps far ahead" if is_far else "runs backwards"
                log.warning("%s: time %s at %.3f s", self._path, way, float(self._newest))
        if self._newest is not None and self._last_pts is None:
            self._last_pts = self._newest
            self._say_what_is_missing()
        return None

    def _read_stamped(self) -> Stamped[av.VideoFrame] | None:
        frame = self._reader.next_frame()
        return None if frame is None else Stamped(frame, self._stamp(frame))

    def _stamp(self, frame: av.VideoFrame) -> Fraction | None:
        """The time of a frame in the file; None if it has none.

        AVI stores no presentation times. The ones that FFmpeg invents for B-frames run backwards,
        but decoding times leave the decoder in display order, late by a constant. An AVI starts
        at 0.
        """
        ticks = frame.dts if self._is_avi else frame.pts
        if ticks is None or self._is_counting:
            return None
        stamp = ticks * self.tick
        if self._zero is None:
            self._zero = stamp
        return stamp - self._zero

    def _frame_duration(self, frame: av.VideoFrame) -> Fraction:
        """Seconds: the stated duration in variable-rate files, else one period of the rate."""
        stated = (frame.duration or 0) * self.tick
        is_odd = stated < self._period / 2 or abs(stated - self._period) <= self.tick
        is_even = is_odd or self._is_counting or self._evened is not None
        return self._period if is_even else stated

    def _say_what_is_missing(self) -> None:
        if self._reader.num_damaged:
            log.warning("%s: %d damaged packets", self._path, self._reader.num_damaged)
        if self.info.duration is not None and self._last_pts is not None:
            missing = self.info.start + self.info.duration - self._last_pts - self._period
            if missing > _MISSING_SECONDS:
                log.warning("%s: the last %.1f s have no pictures", self._path, float(missing))

    # Seeking

    def _seek_near(self, target: Fraction) -> bool:
        """Seek to a key frame and decode up to the frame played at ``target``; False if that
        fails.
        """
        for back in _BACK_OFF:
            aim = target - back
            if back and aim < self.info.start:
                break
            try:
                self._reader.seek(floor((aim + (self._zero or 0)) / self.tick))
            except FAILURES as error:
                log.debug("%s: no seek to %s: %s", self._path, aim, error)
                continue
            self._restart_clock()
            if self._scan(target, from_start=False):
                return True
        return False

    def _scan(self, target: Fraction, *, from_start: bool) -> bool:
        """Decode up to ``target`` and queue the frame played there.

        After a seek, pictures before the first key frame are dropped, because they depend on
        skipped ones. A seek must not land on a damaged picture: read from the start, it may be
        intact.

        Returns:
            False if decoding began after the target, or on damage.
        """
        played: _Timed | None = None
        num_clean = 0
        while (item := self._advance()) is not None and item.pts <= target:
            num_clean += 1 if num_clean or item.frame.key_frame else 0
            if from_start or num_clean > self._reader.lookback:
                played = item
        if not from_start and (played is None or played.frame.is_corrupt):
            return False
        self._pending.extend(found for found in (played, item) if found is not None)
        return True
