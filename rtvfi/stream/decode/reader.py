"""Decodes the packets of one stream to PyAV frames, skipping damage.

Packets are decoded one by one, so that a damaged one loses only its own picture. The decoder is
drained before the container is closed: freeing a frame-threaded decoder that is not drained can
hang.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Protocol

from rtvfi.core.errors import DecodeError, OpenError
from rtvfi.stream.decode.container import FAILURES, Interrupted, open_container
from rtvfi.stream.decode.fields.deinterlace import Deinterlacer
from rtvfi.stream.decode.fields.ivtc import LEFT, RATES, InverseTelecine
from rtvfi.stream.decode.info import choose_stream, nominal_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import av
    from av.codec.hwaccel import HWAccel
    from av.packet import Packet

    from rtvfi.core.options import SourceOptions

log = logging.getLogger(__name__)

MAX_FAILURES_IN_A_ROW: Final = 100
_MAX_READ_ERRORS: Final = 8
_PEEKED: Final = (40, 16 << 20)
"""Number of packets, and their bytes, that are examined before the first picture."""


class Reader(Protocol):
    """Progressive frames of one stream in display order; exact times and seeking are the source's
    job.
    """

    num_damaged: int
    """Packets that could not be read or decoded since the file was first opened."""

    @property
    def lookback(self) -> int:
        """Number of frames after a seek's first key frame that are wrong for lack of neighbours."""
        ...

    def next_frame(self) -> av.VideoFrame | None:
        """The next frame; None after the last, every time.

        Raises:
            DecodeError: nothing more can be decoded.
            Interrupted: no frame is lost; the call may be repeated.
        """
        ...

    def seek(self, ticks: int) -> None:
        """Continue at or before ``ticks`` of the stream's time base, or where the seek lands.

        Raises:
            OSError or ValueError: FFmpeg's error; the position is undefined, seek again or rewind.
            DecodeError: the decoder is gone.
        """
        ...

    def rewind(self) -> None:
        """Start again at the first frame; this also works where a seek to it does not.

        Raises:
            OpenError: the file is gone.
            DecodeError: the decoder is gone.
        """
        ...

    def close(self) -> None:
        """Close decoder and file; calling it twice is fine."""
        ...


class FrameReader:
    """A ``Reader`` over the decoders inside PyAV.

    Args:
        hwaccel: the device that decodes; None = software.
    """

    stream: av.VideoStream

    def __init__(
        self,
        path: str,
        options: SourceOptions,
        interrupted: Callable[[], bool],
        hwaccel: HWAccel | None = None,
    ) -> None:
        self.num_damaged = 0
        self._path = path
        self._options = options
        self._interrupted = interrupted
        self._hwaccel = hwaccel
        self.is_software = hwaccel is None
        self._failures = 0
        self._open()

    def _open(self) -> None:
        self._container = open_container(self._path, self._hwaccel, self._options.web)
        try:
            self.stream = self._configured_stream()
        except OpenError:
            self._container.close()
            raise
        self._deinterlacer: Deinterlacer | InverseTelecine | None = None
        self._restart()
        self._deinterlacer = self._deinterlacing()

    def _deinterlacing(self) -> Deinterlacer | InverseTelecine | None:
        mode, tick = self._options.deinterlace, self.stream.time_base
        if mode == "off" or not tick:
            return None
        if mode != "ivtc":
            return Deinterlacer(mode, tick)
        rate = nominal_rate(self.stream, [p.pts for p in self.peek() if p.pts is not None])
        if rate in RATES:
            return InverseTelecine(tick, rate)
        log.warning(
            "%s: no inverse telecine: it has %.5g frames per second, not 29.97",
            self._path,
            float(rate),
        )
        return Deinterlacer("auto", tick)

    @property
    def thins_to(self) -> Fraction:
        """Fraction of the stream's pictures that is returned (below 1 with inverse telecine)."""
        return LEFT if isinstance(self._deinterlacer, InverseTelecine) else Fraction(1)

    def _configured_stream(self) -> av.VideoStream:
        stream = choose_stream(self._container, self._options.stream_index)
        if stream is None:
            raise OpenError(
                f'"{self._path}" holds no video',
                "play it with mpv: there is nothing to interpolate",
            )
        context = stream.codec_context
        if context is None:
            raise OpenError(
                f'"{self._path}" uses a video codec FFmpeg does not know', "convert it first"
            )
        if context.width * context.height > self._options.max_pixels:
            raise OpenError(
                f'pictures of {context.width}x{context.height} in "{self._path}" are too large',
                "scale the video down first",
            )
        context.options = {"max_pixels": str(self._options.max_pixels)}
        context.thread_type = "AUTO"
        context.thread_count = self._options.threads or min(4, os.cpu_count() or 1)
        return stream

    @property
    def lookback(self) -> int:
        """Number of frames after a seek's first key frame that are wrong for lack of neighbours."""
        return self._deinterlacer.lookback if self._deinterlacer is not None else 0

    def peek(self) -> list[Packet[av.VideoStream]]:
        """The first packets, for their timestamps; ``next_frame`` still decodes them."""
        size, (most, most_bytes) = 0, _PEEKED
        while not self._drained and len(self._packets) < most and size < most_bytes:
            packet = self._demux()
            if packet is None:
                break
            self._packets.append(packet)
            size += packet.size
            if not packet.size:  # the end mark
                break
        return list(self._packets)

    def next_frame(self) -> av.VideoFrame | None:
        """The next frame; None after the last, every time.

        Raises:
            DecodeError: a hundred packets in a row could not be decoded.
            Interrupted: no frame is lost; the call may be repeated.
        """
        while not self._frames:
            if self._interrupted():
                raise Interrupted
            if self._drained:
                return None
            packet = self._packets.popleft() if self._packets else self._demux()
            self._decode(packet)
        return self._frames.popleft()

    def seek(self, ticks: int) -> None:
        """Continue at the key frame at or before ``ticks``, or where the container's seek lands.

        Raises:
            OSError or ValueError: FFmpeg's error; the position is undefined, seek again or rewind.
        """
        self._generator.close()
        self._container.seek(ticks, stream=self.stream)
        self._restart()

    def rewind(self) -> None:
        """Open the file again; this also works where a seek to the beginning does not.

        Raises:
            OpenError: the file is gone.
        """
        self.close()
        self._open()

    def close(self) -> None:
        """Close decoder and file."""
        self._generator.close()
        self._packets.clear()
        self._frames.clear()
        self._drained = True
        with contextlib.suppress(*FAILURES):
            self.stream.codec_context.flush_buffers()
        self._container.close()

    def _restart(self) -> None:
        self._generator = self._packets_on()
        self._packets: deque[Packet[av.VideoStream]] = deque()
        self._frames: deque[av.VideoFrame] = deque()
        self._drained = False
        if self._deinterlacer is not None:
            self._deinterlacer.reset()

    def _packets_on(self) -> Generator[Packet[av.VideoStream]]:
        yield from self._container.demux(self.stream)

    def _demux(self) -> Packet[av.VideoStream] | None:
        """The next packet, at the end an empty one; None if the file cannot be read any further."""
        for _ in range(_MAX_READ_ERRORS):
            try:
                return next(self._generator)
            except StopIteration:
                return None
            except FAILURES:
                self.num_damaged += 1
                self._generator = self._packets_on()
        return None

    def _decode(self, packet: Packet[av.VideoStream] | None) -> None:
        self._drained = packet is None or not packet.size
        try:
            frames = self.stream.codec_context.decode(packet)
        except FAILURES as error:
            self.num_damaged += 1
            self._failures += 1
            if self._failures >= MAX_FAILURES_IN_A_ROW:
                raise DecodeError(
                    f'"{self._path}" is damaged: {self._failures} packets in a row are broken',
                    "repair or download it again",
                ) from error
            frames = []
        if frames:
            self._failures = 0
        if self._deinterlacer is None:
            self._frames.extend(frames)
            return
        for frame in (*frames, None) if self._drained else frames:
            self._frames.extend(self._deinterlacer.push(frame))
