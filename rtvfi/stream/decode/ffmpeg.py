"""Decoding with VA-API in a child process: raw pictures come back in NUT over a pipe.

The child demuxes the file itself and returns only pictures and their times; colour, rotation and
the like were read in this process before. NUT carries yuv420p and yuv420p10le exactly, but not
p010le, whose tag means something else to other versions of FFmpeg.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av

from rtvfi.core.errors import DecodeError
from rtvfi.core.ffmpeg import QUIET, Child, explain
from rtvfi.core.frame import END
from rtvfi.core.ring import Ring
from rtvfi.stream.decode.container import FAILURES, Interrupted, ffmpeg_name, is_url
from rtvfi.stream.decode.fields.deinterlace import bwdif

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.options import Deinterlace

log = logging.getLogger(__name__)

HARDWARE_FORMATS: Final = ("nv12", "p010le")
"""Pixel formats of pictures downloaded from a device; software decoders produce neither."""
STALL_SECONDS: Final = 10.0
"""A child that returns no picture for this long hangs."""
_NETWORK_STALL_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05
_JOIN_SECONDS: Final = 5.0
_RING: Final = (4, 128 << 20)
"""Capacity in frames and in bytes of the ring between the child's thread and the reader."""
_EARLY: Final = Fraction(1, 8)
"""Seconds before a seek's target from which the child sends pictures, because the picture played at
the target may start earlier. If it starts earlier still, the source seeks again, further back."""
_LEAD: Final = {True: Fraction(1, 8), False: Fraction(10)}
"""Seconds before those at which the child's own seek aims, by whether the file has an index.
Without one a seek may land late and between key frames, and needs whole GOPs to recover.
"""
_INDEXED: Final = ("matroska", "mov")


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a child decodes."""

    path: str
    container: str
    """FFmpeg's name of the container format."""
    stream_index: int
    tick: Fraction
    """The stream's time base, seconds."""
    container_start: Fraction
    """Start time stated by the container, seconds; FFmpeg's ``-ss`` counts from it."""
    info: StreamInfo
    device: str
    deinterlace: Deinterlace

    def command(self, start: Fraction | None) -> list[str]:
        """The arguments of ffmpeg.

        Args:
            start: time of the first picture wanted, on the file's clock; None = from the beginning.
        """
        seek: list[str] = []
        info = self.info
        shown = "full" if info.color.full_range else "limited"
        # The size is fixed: pictures of another size are scaled to the first one's.
        filters = [
            f"scale={info.width}:{info.height}:in_range={shown}:out_range={shown}",
            f"format={info.format.name}",
        ]
        if self.deinterlace != "off":
            filters.append("bwdif=" + bwdif(self.deinterlace))
        if start is not None:
            lead = _LEAD[any(name in self.container for name in _INDEXED)]
            aim = start - lead - self.container_start
            if aim > 0:
                seek = ["-noaccurate_seek", "-ss", f"{float(aim):.6f}"]
            filters.append(rf"select=gte(t\,{float(start):.6f})")
        return [
            *(*QUIET, "-nostdin", *seek, "-noautorotate", "-threads", "1"),
            *("-hwaccel", "vaapi", "-hwaccel_device", self.device),
            *("-i", ffmpeg_name(self.path), "-map", f"0:{self.stream_index}"),
            *("-an", "-sn", "-dn", "-vf", ",".join(filters)),
            *("-fps_mode", "passthrough", "-copyts", "-enc_time_base", "-1"),
            *("-c:v", "rawvideo", "-f", "nut", "pipe:1"),
        ]


class VaapiReader:
    """A ``Reader`` whose frames come from a child; every seek starts a new child."""

    def __init__(self, task: Task, interrupted: Callable[[], bool]) -> None:
        self.num_damaged = 0
        self.lookback = 0  # the child itself decodes enough frames before the first it returns
        self._task = task
        self._interrupted = interrupted
        self._range = 2 if task.info.color.full_range else 1
        self._patience = _NETWORK_STALL_SECONDS if is_url(task.path) else STALL_SECONDS
        self._run: _Run | None = _Run(task.command(None))

    @property
    def pixel_format(self) -> str:
        """Pixel format of its decoder, known after the first frame; empty if unknown."""
        return (self._run is not None and self._run.child.pixel_format) or ""

    def next_frame(self) -> av.VideoFrame | None:
        """The next frame; None after the last, every time."""
        if self._run is None:
            return None
        asked = time.monotonic()
        while True:
            if self._interrupted():
                raise Interrupted
            frame = self._run.frames.get(0, _LOOK_SECONDS)
            if frame is END:
                return None
            if isinstance(frame, av.VideoFrame):
                return self._as_decoded(frame)
            if time.monotonic() - asked > self._patience:
                raise DecodeError(f"ffmpeg gave no picture for {self._patience:.0f} s")

    def _as_decoded(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Add the properties that a decoder in this process would have set."""
        assert frame.time_base is not None
        if frame.pts is not None:
            frame.pts = round(frame.pts * frame.time_base / self._task.tick)
        frame.time_base = self._task.tick
        frame.duration = 0
        frame.color_range = self._range
        return frame

    def seek(self, ticks: int) -> None:
        """Continue at or before ``ticks`` of the stream's time base, or where the seek lands."""
        self.close()
        self._run = _Run(self._task.command(ticks * self._task.tick - _EARLY))

    def rewind(self) -> None:
        """Start again at the first frame; this also works where a seek to it does not."""
        self.close()
        self._run = _Run(self._task.command(None))

    def close(self) -> None:
        """End the child and its thread."""
        run, self._run = self._run, None
        if run is not None:
            run.close()


class _Run:
    """One child and the thread that reads it."""

    def __init__(self, command: list[str]) -> None:
        log.debug("ffmpeg %s", " ".join(command))
        self.frames: Ring[av.VideoFrame] = Ring(*_RING, lambda f: 2 * f.width * f.height)
        try:
            self.child = Child(command)
        except OSError as error:
            raise DecodeError(f"ffmpeg cannot be started: {error.strerror}") from error
        self._thread = threading.Thread(target=self._read, name="rtvfi-vaapi", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the child and the thread."""
        self.frames.abort()
        self.child.stop()
        self._thread.join(_JOIN_SECONDS)
        if self._thread.is_alive():
            log.warning("thread %s did not end in %.0f s", self._thread.name, _JOIN_SECONDS)
            return  # its pipes are still in use
        self.child.end()

    def _read(self) -> None:
        try:
            self._pass_on()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that asks for frames
            self.frames.fail(error)

    def _pass_on(self) -> None:
        child = self.child
        broken: Exception | None = None
        try:
            with av.open(
                child,
                "r",
                format="nut",
                options={"probesize": "32", "analyzeduration": "0"},
                buffer_size=1 << 20,
            ) as container:
                for packet in container.demux(video=0):
                    for frame in packet.decode():
                        child.listen()
                        if child.is_broken:
                            raise DecodeError(explain(child.lines))
                        if not self.frames.put(frame, 0):
                            return
        except FAILURES as error:
            broken = error
        code = child.wait()
        if code or broken is not None or child.is_broken:
            raise DecodeError(explain(child.lines, code)) from broken
        self.frames.finish()
