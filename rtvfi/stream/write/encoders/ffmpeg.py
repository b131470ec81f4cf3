"""Encoding with VA-API in a child process: raw pictures go in, packets come back in NUT.

The headers that a container needs before its first packet come from another child, which encodes
one grey picture with the same settings. That also shows whether the device can do it.
"""

from __future__ import annotations

import io
import logging
import threading
from typing import TYPE_CHECKING, Final

import av
import numpy as np

from rtvfi.core.errors import EncodeError, first_line
from rtvfi.core.ffmpeg import QUIET, Child, explain, run
from rtvfi.core.frame import plane_views
from rtvfi.stream.decode.hardware import probe_vaapi
from rtvfi.stream.write.encoders.pyav import FAILURES
from rtvfi.stream.write.pieces import copied_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import OutputContainer
    from numpy.typing import NDArray

    from rtvfi.stream.decode.container import Packet
    from rtvfi.stream.write.encoders.setup import Setup

log = logging.getLogger(__name__)

STALL_SECONDS: Final = 20.0
"""An encoder that takes no picture, or does not end, for this long hangs."""
_HEADER_SECONDS: Final = 10.0


class Unusable(EncodeError):  # noqa: N818 - with auto it is no error
    """The device cannot encode this; another encoder may.

    Args:
        name: FFmpeg's name of the encoder.
        reason: a clause that completes "NAME cannot be used: ...".
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be used: {reason}", "--encoder auto")
        self.reason = reason


class VaapiEncoder:
    """An ``Encoder`` that runs in a child process, started with the first picture.

    Raises:
        Unusable: the device cannot encode this.
    """

    def __init__(self, container: OutputContainer, setup: Setup) -> None:
        self.name = setup.codec.name
        self.reorder = setup.codec.reorder
        self._setup = setup
        self._info = setup.info
        self._size = setup.size
        self._rate = setup.rate
        self._command = _command(setup)
        self._num_put = self._num_taken = 0
        self._packets: list[Packet] = []  # appended to by the thread, taken by the owner
        self._error = ""
        self._child: Child | None = None
        self._thread = threading.Thread(
            target=self._collect, name="rtvfi-vaapi-encode", daemon=True
        )
        self.stream = self._add_stream(container)

    def _add_stream(self, container: OutputContainer) -> av.VideoStream:
        grey = np.full(self._info.payload_bytes, 128, np.uint8)
        if self._info.format.sample_bytes == 2:
            grey.view("<u2")[:] = 512
        code, made, messages = run(self._command, _HEADER_SECONDS, self._padded(grey))
        if code:
            raise Unusable(self.name, explain(messages.splitlines(), code))
        try:
            with av.open(io.BytesIO(made), "r", format="nut") as source:
                stream = copied_stream(container, source.streams.video[0])
        except (*FAILURES, IndexError) as error:
            raise Unusable(self.name, first_line(error)) from error
        return stream

    def encode(self, payload: NDArray[np.uint8], tick: int) -> list[Packet]:
        """Take the picture with number ``tick`` (0, 1, 2, ...)."""
        if tick != self._num_put:
            raise ValueError(f"picture {self._num_put} was expected, not {tick}")
        self._num_put += 1  # even if the child has ended and it is lost: the next call raises
        child = self._child or self._start()
        try:
            is_taken = child.write(self._padded(payload), STALL_SECONDS)
        except (OSError, ValueError):  # the child has ended; ValueError: its input is closed
            child.close_input()
            self._thread.join(STALL_SECONDS)
            if packets := self._take():
                return packets  # packets it made before; the next call raises
            raise self._stopped() from None
        if not is_taken:
            reason = f"it took no picture for {STALL_SECONDS:.0f} s"
            raise EncodeError(f"{self.name} stopped: {reason}{self._lost()}")
        return self._take()

    def flush(self) -> Iterator[Packet]:
        """The packets still inside; nothing can be encoded afterwards."""
        if self._child is None:
            return
        self._child.close_input()
        self._thread.join(STALL_SECONDS)
        is_hanging = self._thread.is_alive()
        yield from self._take()
        if is_hanging:
            raise EncodeError(f"{self.name} stopped: it does not end{self._lost()}")
        if self._error:
            raise self._stopped()

    def close(self) -> None:
        """Release everything, flushed or not; calling it twice is fine."""
        child, self._child = self._child, None
        if child is not None:
            child.stop()
            self._thread.join()
            child.end()

    def _start(self) -> Child:
        try:
            self._child = Child(self._command, has_input=True)
        except OSError as error:
            raise EncodeError(f"{self.name} cannot be started: {error.strerror}") from error
        self._thread.start()
        return self._child

    def _stopped(self) -> EncodeError:
        return EncodeError(f"{self.name} stopped: {self._error or 'ffmpeg ended'}{self._lost()}")

    def _lost(self) -> str:
        """A clause about the pictures that were put in and did not come out; empty if none."""
        count = self._num_put - self._num_taken - len(self._packets)
        return f"; the last {count} pictures are lost" if count else ""

    def _take(self) -> list[Packet]:
        taken = self._packets[:]
        del self._packets[: len(taken)]
        self._num_taken += len(taken)
        return taken

    def _padded(self, payload: NDArray[np.uint8]) -> bytes:
        """The picture, with its last column or row repeated if the encoder needs even sizes."""
        info, (width, height) = self._info, self._size
        if (width, height) == (info.width, info.height):
            return payload.tobytes()
        shapes = info.format.plane_shapes(width, height)
        planes = plane_views(payload, info)
        return b"".join(
            np.pad(p, [(0, h - p.shape[0]), (0, w - p.shape[1])], "edge").tobytes()
            for p, (h, w) in zip(planes, shapes, strict=True)
        )

    # ---- the thread ----

    def _collect(self) -> None:
        child = self._child
        assert child is not None
        try:
            self._read(child)
        except FAILURES as error:
            log.debug("%s: %s", self.name, error)
            self._error = explain(child.lines, child.wait() or None)
        else:
            code = child.wait()
            if code:
                self._error = explain(child.lines, code)

    def _read(self, child: Child) -> None:
        with av.open(
            child,
            "r",
            format="nut",
            options={"probesize": "32", "analyzeduration": "0"},
        ) as source:
            for packet in source.demux(video=0):
                if not packet.size:
                    continue
                assert packet.pts is not None
                assert packet.time_base is not None
                number = round(packet.pts * packet.time_base * self._rate)
                # A copy, because a packet must not outlive its container in another thread.
                made: Packet = av.Packet(bytes(packet))
                made.pts = made.dts = number
                made.time_base = 1 / self._rate
                made.is_keyframe = packet.is_keyframe
                made.stream = self.stream
                self._packets.append(made)


def _command(setup: Setup) -> tuple[str, ...]:
    """The arguments of ffmpeg.

    Raises:
        Unusable: there is no device.
    """
    found = probe_vaapi(setup.options.vaapi_device)
    if found.device is None:
        raise Unusable(setup.codec.name, found.reason)
    info, (width, height) = setup.info, setup.size
    rate, color = setup.rate, info.color
    shown = "full" if color.full_range else "limited"
    filters = (
        f"scale=in_range={shown}:out_range={shown}",
        f"format={setup.target}",
        f"setparams=range={shown}:color_primaries={color.primaries}"
        f":color_trc={color.transfer}:colorspace={color.matrix}",
        f"setsar={info.pixel_aspect.numerator}/{info.pixel_aspect.denominator}",
        "hwupload",
    )
    return (
        *(*QUIET, "-nostdin"),
        *("-init_hw_device", f"vaapi=va:{found.device}", "-filter_hw_device", "va"),
        *("-f", "rawvideo", "-pix_fmt", info.format.name, "-s", f"{width}x{height}"),
        *("-framerate", f"{rate.numerator}/{rate.denominator}", "-i", "pipe:0"),
        *("-vf", ",".join(filters), "-c:v", setup.codec.name),
        *(word for name, value in setup.encoder_options.items() for word in (f"-{name}", value)),
        *("-g", str(setup.gop), "-fps_mode", "passthrough"),
        *("-flush_packets", "1", "-f", "nut", "pipe:1"),
    )
