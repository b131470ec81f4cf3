"""A film of several shapes as virtual files, one a stretch, and the list of them."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from fakes import FakeFeed, FakePlayhead, stream_info

from rtvfi.core.frame import Shape, Stretch
from rtvfi.core.rates import Grid
from rtvfi.stream.serve.matroska import VirtualMkv
from rtvfi.stream.serve.parts import PartedStream, corner
from rtvfi.stream.serve.records import RecordMap

if TYPE_CHECKING:
    from rtvfi.stream.serve.records import File

STEP = Fraction(1, 24)
BASE = stream_info()
SMALL = Shape(BASE.width // 2, BASE.height // 2, Fraction(1))
WHOLE = Shape(BASE.width, BASE.height, Fraction(4, 3))
INFO = replace(
    BASE,
    stretches=(Stretch(Fraction(0), SMALL), Stretch(3 * STEP, WHOLE), Stretch(5 * STEP, SMALL)),
)


class Parted:
    def __init__(self, num_frames: int = 8) -> None:
        grid = Grid(Fraction(0), STEP)
        records = RecordMap(grid, Fraction(0), num_frames * STEP)
        self.feed = FakeFeed(INFO, range(num_frames))
        self.stream = PartedStream(self.feed, INFO, records, FakePlayhead(), "test")
        self.files = self.stream.files("7")

    def read(self, file: File, num_bytes: int = 1 << 16) -> bytes:
        buffer = ctypes.create_string_buffer(num_bytes)
        count = file.read_into(ctypes.addressof(buffer), num_bytes)
        return buffer.raw[:count]

    def whole(self, name: str) -> bytes:
        got, file = b"", self.files[name]
        while piece := self.read(file):
            got += piece
        return got


def test_the_list_says_what_is_played_when() -> None:
    parted = Parted()
    lines = parted.whole("7").decode().splitlines()
    assert lines[0] == "# mpv EDL v0"
    names, begins, lengths = zip(*(line.split(",") for line in lines[1:]), strict=True)
    assert names == ("7-0", "7-1", "7-2")
    starts = [float(begin) for begin in begins]
    assert starts[0] == 0
    for begin, first in zip(starts[1:], (3, 5), strict=True):
        assert (first - 1) * STEP < begin < first * STEP
    ends = [begin + float(length) for begin, length in zip(starts, lengths, strict=True)]
    assert ends == pytest.approx([*starts[1:], float(8 * STEP)], abs=1e-5)


def test_every_file_has_the_pictures_of_its_stretch_in_their_shape() -> None:
    parted = Parted()
    for name, frames, shape in (("7-0", range(3), SMALL), ("7-1", range(3, 5), WHOLE)):
        parted.files[name].seek(0)
        own = replace(BASE, width=shape.width, height=shape.height, pixel_aspect=shape.aspect)
        pictures = [corner(parted.feed.frames[n].payload, INFO, shape) for n in frames]
        whole = parted.whole(name)
        size = own.payload_bytes
        count = len(pictures) + (name != "7-0")
        assert len(whole) == VirtualMkv(own, range(count), STEP, "test").size
        for at, picture in enumerate(reversed(pictures)):
            end = len(whole) - at * (size + VirtualMkv(own, range(1), STEP, "x").prefix_bytes)
            assert whole[end - size : end] == picture.tobytes()


def test_opening_all_files_asks_for_nothing_but_the_first_frame() -> None:
    parted = Parted()
    for name in ("7-0", "7-1", "7-2"):
        file = parted.files[name]
        file.seek(0)
        parted.read(file)
    assert parted.feed.seeks in ([], [0])


def test_the_next_file_goes_on_where_the_one_before_ended() -> None:
    parted = Parted()
    for name in ("7-0", "7-1", "7-2"):
        parted.files[name].seek(0)
        assert parted.whole(name)
    assert parted.feed.seeks == [0]
    assert parted.stream.num_asked == 8 + 2


def test_the_feed_ends_with_the_last_file() -> None:
    parted = Parted()
    parted.files["7"].close()
    for name in ("7-0", "7-1", "7-2"):
        parted.files[name].seek(0)
    for name in ("7-0", "7-1"):
        parted.files[name].close()
    assert not parted.stream.is_over
    parted.files["7-2"].close()
    assert parted.stream.is_over


def test_stretches_without_a_picture_are_left_out() -> None:
    parted = Parted(num_frames=4)
    assert set(parted.files) == {"7", "7-0", "7-1"}
    assert len(parted.whole("7").splitlines()) == 3
