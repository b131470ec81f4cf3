"""A feed that fails: to mpv the file ends, and the owner is told once."""

from __future__ import annotations

import ctypes
from fractions import Fraction
from typing import TYPE_CHECKING

from fakes import FakeFeed, FakePlayhead, offset_of, stream_info

from rtvfi.core.errors import DecodeError
from rtvfi.core.rates import Grid
from rtvfi.stream.serve.frame_stream import FrameStream
from rtvfi.stream.serve.matroska import VirtualMkv
from rtvfi.stream.serve.records import RecordMap

if TYPE_CHECKING:
    from rtvfi.core.errors import RtvfiError


def test_a_failing_feed_ends_the_file_and_is_told_once() -> None:
    info = stream_info()
    records = RecordMap(Grid(Fraction(0), Fraction(1, 24)), Fraction(0), Fraction(4, 24))
    feed = FakeFeed(info, range(2))
    feed.error = DecodeError("the file is broken here")
    mkv = VirtualMkv(info, records.times_us(), Fraction(1, 24), "test")
    stream = FrameStream(feed, mkv, records, FakePlayhead())
    told: list[RtvfiError] = []
    stream.on_failure = told.append
    buffer = ctypes.create_string_buffer(mkv.size)
    content = b""
    while count := stream.read_into(ctypes.addressof(buffer), mkv.size):
        content += buffer.raw[:count]
    assert len(content) == offset_of(mkv, 2)
    assert stream.read_into(ctypes.addressof(buffer), 10) == 0
    assert told == [feed.error]
