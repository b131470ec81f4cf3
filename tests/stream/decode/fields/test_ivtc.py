"""Films woven into 30 pictures a second for good, and back."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from interlaced import SIZE, combing, field_at
from reading import assert_seeks_agree

from rtvfi.core.errors import UsageError
from rtvfi.core.frame import SourceFrame, plane_views
from rtvfi.core.options import EncodeOptions, SourceOptions, StreamOptions
from rtvfi.render.render import render
from rtvfi.settings.config import RenderOptions
from rtvfi.stream.decode.source import open_source

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo

RATE = Fraction(30000, 1001)
FILM = Fraction(24000, 1001)
WANTED = SourceOptions(hwaccel="none", deinterlace="ivtc")


def drawing(number: int) -> NDArray[np.uint8]:
    return field_at(2 * number)


def woven(number: int) -> NDArray[np.uint8]:
    """Picture ``number`` of 3:2 pulldown: in each five, two show fields of two drawings."""
    base, place = divmod(number, 5)
    top, bottom = [(0, 0), (0, 1), (1, 2), (2, 2), (3, 3)][place]
    made = drawing(4 * base + top).copy()
    made[1::2] = drawing(4 * base + bottom)[1::2]
    return made


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("woven") / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.gop_size = 1
        for number in range(60):
            grey = np.full((SIZE[1] // 2, SIZE[0]), 128, np.uint8)
            planes = np.concatenate([woven(number), grey])
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, 1 / RATE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def read(path: Path, options: SourceOptions = WANTED) -> tuple[StreamInfo, list[SourceFrame]]:
    source = open_source(str(path), options)
    frames = []
    while isinstance(frame := source.read(), SourceFrame):
        frames.append(frame)
    source.close()
    return source.info, frames


def test_four_of_five_pictures_come_back_at_even_times(film: Path) -> None:
    info, frames = read(film)
    assert info.source_rate == FILM
    assert [f.pts for f in frames] == [k / FILM for k in range(48)]


def test_they_are_the_drawings(film: Path) -> None:
    info, frames = read(film)
    assert max(combing(info, f) for f in read(film, SourceOptions(hwaccel="none"))[1]) > 3
    assert max(combing(info, f) for f in frames) < 1
    for number in range(4, 44):
        luma = plane_views(frames[number].payload, info)[0]
        assert np.abs(luma.astype(int) - drawing(number)).mean() < 1, number


def test_a_seek_gives_the_pictures_of_reading_on(film: Path) -> None:
    _, frames = read(film)
    source = open_source(str(film), WANTED)
    assert_seeks_agree(source, frames, (20, 7, 40, 33, 0, 46))
    source.close()


def test_other_rates_are_left_alone_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from oddities import write_film

    info, frames = read(write_film(tmp_path / "a.mkv", count=12))
    assert (info.source_rate, len(frames)) == (Fraction(25), 12)
    assert "no inverse telecine" in caplog.text


def test_it_does_not_go_with_the_films_own_times(film: Path, tmp_path: Path) -> None:
    options = RenderOptions(
        files=(str(film),),
        output=tmp_path / "o.mkv",
        model="copy",
        device="cpu",
        fps="2x",
        source=WANTED,
        stream=StreamOptions(),
        encode=EncodeOptions(),
        keeps_times=True,
    )
    with pytest.raises(UsageError, match="ivtc"):
        render(options)
