"""Numbered pictures read as a film."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from barcode import read_code
from pictures import ENCODERS, folder_of, write_picture

from rtvfi.core.errors import DecodeError, OpenError
from rtvfi.core.frame import END, SourceFrame, plane_views
from rtvfi.core.options import SourceOptions
from rtvfi.stream.decode.source import FrameSource, open_source

if TYPE_CHECKING:
    from pathlib import Path

    from clips import Clips

RATE = Fraction(24000, 1001)


def opened(folder: Path, rate: Fraction = RATE) -> FrameSource:
    return open_source(str(folder), SourceOptions(picture_rate=rate))


def frames_of(source: FrameSource) -> list[SourceFrame]:
    found = []
    while isinstance(frame := source.read(), SourceFrame):
        found.append(frame)
    assert source.read() is END
    return found


@pytest.mark.parametrize("extension", ENCODERS)
def test_pictures_come_in_natural_order_at_exact_times(
    extension: str, clips: Clips, tmp_path: Path
) -> None:
    source = opened(folder_of(clips, tmp_path / "in", extension))
    frames = frames_of(source)
    assert [read_code(plane_views(f.payload, source.info)[0]) for f in frames] == list(range(12))
    assert [f.pts for f in frames] == [k / RATE for k in range(12)]
    assert (source.info.source_rate, source.info.duration) == (RATE, 12 / RATE)


def test_a_seek_lands_on_the_picture_shown_then(clips: Clips, tmp_path: Path) -> None:
    source = opened(folder_of(clips, tmp_path / "in"))
    frames = frames_of(source)
    near = 6 / RATE - Fraction(1, 999)
    for target, index in [(Fraction(-1), 0), (Fraction(0), 0), (5 / RATE, 5), (near, 5)]:
        source.seek(target)
        found = source.read()
        assert isinstance(found, SourceFrame)
        assert found.pts == frames[index].pts
        assert np.array_equal(found.payload, frames[index].payload)
    source.seek(Fraction(1000))
    assert len(frames_of(source)) == 1


def test_another_size_becomes_the_first_ones_and_is_said_once(
    clips: Clips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = folder_of(clips, tmp_path / "in")
    other = av.VideoFrame.from_ndarray(np.full((90, 200, 3), 128, np.uint8), format="rgb24")
    for number in (4, 5):
        write_picture(folder / f"{number}.png", other)
    source = opened(folder)
    assert len({f.payload.size for f in frames_of(source)}) == 1
    assert caplog.text.count("200x90 are converted to yuv444p of 320x180") == 1


def test_what_is_no_picture_is_passed_over(clips: Clips, tmp_path: Path) -> None:
    folder = folder_of(clips, tmp_path / "in")
    (folder / "notes.txt").write_text("shot 4")
    (folder / "._1.png").write_bytes(b"")
    assert len(frames_of(opened(folder))) == 12


def test_a_folder_without_pictures_and_a_damaged_picture_are_named(
    clips: Clips, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(OpenError, match="there is no picture in the folder"):
        opened(tmp_path / "empty")
    folder = folder_of(clips, tmp_path / "in")
    (folder / "3.png").write_bytes(b"no picture at all")
    source = opened(folder)
    source.read(), source.read()
    with pytest.raises(DecodeError, match=r"3\.png"):
        source.read()
    (folder / "1.png").write_bytes(b"nor this")
    with pytest.raises(OpenError, match=r"1\.png"):
        opened(folder)
