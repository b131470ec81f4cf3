"""A film whose pictures change their shape: one virtual file per stretch, and a list of these
files.

A raw picture in Matroska has the size stated in the file's header, so every shape needs a file of
its own. The list is an EDL, a format of mpv. mpv plays its files one after the other as one track.
All of them read one feed of frames, in which the first frame of a file follows the last one of the
file before.

mpv opens every file of the list at once and reads its first picture, which would restart the feed
each time. So every file but the first begins with a black *leader* just before its stretch, which
the list leaves out.
"""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rtvfi.core.frame import plane_views
from rtvfi.stream.serve.frame_stream import FrameStream
from rtvfi.stream.serve.matroska import TICKS_PER_SECOND, VirtualMkv
from rtvfi.stream.serve.records import RecordFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rtvfi.core.frame import OutputFrame, Shape, StreamInfo
    from rtvfi.stream.run.playhead import Playhead
    from rtvfi.stream.serve.frame_stream import Feed
    from rtvfi.stream.serve.records import File, RecordMap


class PartedStream(FrameStream):
    """The files of one film, and the feed that all of them read.

    Args:
        feed: the source of frames; owned by this stream from now on.
        info: the stream; it has stretches.
        records: which frame is in which record of the whole film.
        playhead: where the player is.
        title: name of the track.
    """

    def __init__(
        self, feed: Feed, info: StreamInfo, records: RecordMap, playhead: Playhead, title: str
    ) -> None:
        step, times = records.grid.step, records.times_us()
        self._begins: list[float] = []
        self._parts: list[_Part] = []
        self._num_open = 0
        starts = [stretch.start for stretch in info.stretches]
        for stretch, part in zip(info.stretches, records.parts(starts), strict=True):
            if not part:
                continue
            shape = stretch.shape
            own = replace(
                info,
                width=shape.width,
                height=shape.height,
                pixel_aspect=shape.aspect,
                stretches=(),
            )
            shown = times[part.start : part.stop]
            has_leader = bool(self._parts)
            if has_leader:
                half = round(step * TICKS_PER_SECOND / 2)
                shown = np.concatenate([shown[:1] - half, shown])
                self._begins.append(float(shown[1] - half // 2) / TICKS_PER_SECOND)
            else:
                self._begins.append(0.0)
            mkv = VirtualMkv(own, shown, step, title)
            first = records.index(part.start)
            self._parts.append(_Part(self, mkv, own, first, has_leader=has_leader))
        self._info = info
        self._end = float(times[-1]) / TICKS_PER_SECOND + float(step)
        super().__init__(feed, self._parts[0].file.mkv, records, playhead)

    def files(self, name: str) -> Mapping[str, File]:
        """The files that the player can open, by name: the list as ``name``, then the stretches."""
        names = [f"{name}-{number}" for number in range(len(self._parts))]
        ends = [*self._begins[1:], self._end]
        lines = [
            f"{part},{begin:.6f},{end - begin:.6f}"
            for part, begin, end in zip(names, self._begins, ends, strict=True)
        ]
        text = "\n".join(["# mpv EDL v0", *lines, ""])
        return {name: _Text(text.encode()), **dict(zip(names, self._parts, strict=True))}

    @property
    def num_asked(self) -> int:
        """Number of records that mpv has begun to read."""
        return sum(part.file.num_asked for part in self._parts)

    @property
    def serve_ms(self) -> Sequence[float]:
        """Newest times spent copying a picture to mpv."""
        return [value for part in self._parts for value in part.file.serve_ms]

    @property
    def is_over(self) -> bool:
        """Whether all reading has ended."""
        return self._is_cancelled.is_set()

    def corner(self, frame: OutputFrame, part: StreamInfo) -> NDArray[np.uint8]:
        """The picture of a frame in the shape of one of the files."""
        return corner(frame.payload, self._info, part.shape)

    def opened(self) -> None:
        """Count a file that the player has opened."""
        self._num_open += 1

    def closed(self) -> None:
        """Count a file that the player has closed; after the last one the feed is stopped."""
        self._num_open -= 1
        if not self._num_open:
            self.close()


class _Part:
    """A ``File``: the pictures of one stretch."""

    def __init__(
        self,
        stream: PartedStream,
        mkv: VirtualMkv,
        info: StreamInfo,
        first_index: int,
        *,
        has_leader: bool,
    ) -> None:
        self._stream = stream
        self._info = info
        self._first_index = first_index
        self._leader = _black(info) if has_leader else None
        self._newest: tuple[OutputFrame, NDArray[np.uint8]] | None = None
        self._is_open = False
        self.file = RecordFile(mkv, self._picture, stream.now)

    @property
    def size(self) -> int:
        return self.file.size

    def seek(self, offset: int) -> int:
        if not self._is_open:
            self._is_open = True
            self._stream.opened()
        self._stream.settle()
        return self.file.seek(offset)

    def read_into(self, address: int, num_bytes: int) -> int:
        return 0 if self._stream.is_over else self.file.read_into(address, num_bytes)

    def cancel(self) -> None:
        self._stream.cancel()

    def close(self) -> None:
        self._newest = None
        if self._is_open:
            self._stream.closed()

    def _picture(self, record: int, may_wait: bool) -> NDArray[np.uint8] | None:
        if self._leader is not None:
            if record == 0:
                return self._leader
            record -= 1
        frame = self._stream.frame_of(self._first_index + record, may_wait=may_wait)
        if frame is None:
            return None
        if self._newest is None or self._newest[0] is not frame:
            self._newest = frame, self._stream.corner(frame, self._info)
        return self._newest[1]


class _Text:
    """A ``File`` of a few bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    @property
    def size(self) -> int:
        return len(self._content)

    def seek(self, offset: int) -> int:
        self._position = min(max(offset, 0), self.size)
        return self._position

    def read_into(self, address: int, num_bytes: int) -> int:
        piece = self._content[self._position : self._position + num_bytes]
        ctypes.memmove(address, piece, len(piece))
        self._position += len(piece)
        return len(piece)

    def cancel(self) -> None:
        """Does nothing: reads never block."""

    def close(self) -> None:
        """Does nothing: no resources are held."""


def corner(payload: NDArray[np.uint8], info: StreamInfo, shape: Shape) -> NDArray[np.uint8]:
    """The payload of the picture at the top left of a larger one.

    Args:
        payload: a payload of ``info``.
        info: its stream.
        shape: the shape of the smaller picture.

    Returns:
        A new payload of that size; the same object if the sizes are equal.
    """
    if (shape.width, shape.height) == (info.width, info.height):
        return payload
    out = np.empty(info.format.payload_bytes(shape.width, shape.height), np.uint8)
    whole = plane_views(payload, info)
    parts = plane_views(out, replace(info, width=shape.width, height=shape.height))
    for part, plane in zip(parts, whole, strict=True):
        np.copyto(part, plane[: part.shape[0], : part.shape[1]])
    return out


def _black(info: StreamInfo) -> NDArray[np.uint8]:
    """A black payload."""
    payload = np.empty(info.payload_bytes, np.uint8)
    top = info.format.bits - 8
    luma, *chroma = plane_views(payload, info)
    luma[...] = (0 if info.color.full_range else 16) << top
    for plane in chroma:
        plane[...] = 128 << top
    return payload
