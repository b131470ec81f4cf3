"""A virtual file over a fake feed, and what its bytes should be."""

from __future__ import annotations

import ctypes
from fractions import Fraction
from typing import TYPE_CHECKING

from fakes import FakeClock, FakeFeed, FakePlayhead, offset_of, stream_info

from rtvfi.core.rates import Grid
from rtvfi.stream.serve.frame_stream import FrameStream
from rtvfi.stream.serve.matroska import VirtualMkv
from rtvfi.stream.serve.records import RecordMap

if TYPE_CHECKING:
    from rtvfi.stream.run.playhead import Playhead

INFO = stream_info()
RATE = Fraction(24)
NUM_FRAMES = 6


class Opened:
    """A virtual file of ``num_frames`` over a fake feed, the first frame ``start`` late."""

    def __init__(
        self,
        num_frames: int = NUM_FRAMES,
        *,
        start: Fraction = Fraction(0),
        ready: int | None = None,
        playhead: Playhead | None = None,
    ) -> None:
        self.playhead = playhead or FakePlayhead()
        self.clock = FakeClock()
        grid = Grid(start, 1 / RATE)
        self.records = RecordMap(grid, Fraction(0), start + num_frames / RATE)
        first = self.records.first_index
        self.feed = FakeFeed(INFO, range(first, first + self.records.num_records), ready)
        self.mkv = VirtualMkv(INFO, self.records.times_us(), grid.step, "test")
        self.stream = FrameStream(self.feed, self.mkv, self.records, self.playhead, self.clock)

    def read(self, num_bytes: int) -> bytes:
        buffer = ctypes.create_string_buffer(num_bytes)
        count = self.stream.read_into(ctypes.addressof(buffer), num_bytes)
        return buffer.raw[:count]

    def record(self, record: int) -> bytes:
        """What a record should be."""
        frame = self.feed.frames[self.records.index(record)]
        return self.mkv.prefix(record) + frame.payload.tobytes()

    def whole(self) -> bytes:
        """What the file should be."""
        records = [self.record(i) for i in range(self.mkv.num_records)]
        return self.mkv.header + b"".join(records)

    def go_to(self, record: int) -> None:
        self.stream.seek(offset_of(self.mkv, record))

    def read_record(self) -> bytes:
        """The rest of the record at the position, in as many reads as it takes."""
        piece = self.read(self.mkv.record_bytes)
        while piece and len(piece) < self.mkv.record_bytes:
            more = self.read(self.mkv.record_bytes - len(piece))
            if not more:
                break
            piece += more
        return piece
