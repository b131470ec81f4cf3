"""Reading sources to their end, and comparing what came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtvfi.core.frame import END, SourceFrame
from rtvfi.stream.decode.source import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtvfi.stream.decode.source import FrameSource


def read_all(source: FrameSource) -> list[SourceFrame]:
    """All frames to the end."""
    frames = []
    while (frame := source.read()) is not END:
        assert isinstance(frame, SourceFrame)
        frames.append(frame)
    return frames


def read_on(source: FrameSource) -> tuple[list[SourceFrame], int]:
    """All frames to the end, whatever interrupts; and how often something did."""
    frames: list[SourceFrame] = []
    num_interruptions = 0
    while True:
        try:
            frame = source.read()
        except Interrupted:
            num_interruptions += 1
            continue
        if frame is END:
            return frames, num_interruptions
        assert isinstance(frame, SourceFrame)
        frames.append(frame)


def every_third_time(after: int) -> Callable[[], bool]:
    """An ``interrupted`` that says so every third time it is asked, after so many."""
    asked = 0

    def interrupted() -> bool:
        nonlocal asked
        asked += 1
        return asked > after and asked % 3 == 0

    return interrupted


def assert_same(got: object, want: SourceFrame, name: object = None) -> None:
    """The same picture at the same time, to the bit."""
    assert isinstance(got, SourceFrame)
    assert got.pts == want.pts, name
    assert got.payload.tobytes() == want.payload.tobytes(), name


def assert_seeks_agree(
    source: FrameSource, frames: Sequence[SourceFrame], numbers: Sequence[int]
) -> None:
    """After a seek to each of those frames, it and the next are those of reading on."""
    for number in numbers:
        source.seek(frames[number].pts)
        for want in frames[number : number + 2]:
            assert_same(source.read(), want, number)
