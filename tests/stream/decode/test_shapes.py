"""Pictures that change their size or pixel aspect on the way."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oddities import RATE
from shapes import write

from rtvfi.core.frame import Shape, SourceFrame, Stretch, plane_views
from rtvfi.core.options import SourceOptions
from rtvfi.stream.decode.shapes import Aspects, fitted, usual_of
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.serve.parts import corner

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo

SQUARE = Fraction(1)
SMALL, LARGE = Shape(96, 54, SQUARE), Shape(192, 108, SQUARE)
NARROW, WIDE = Shape(96, 72, SQUARE), Shape(96, 72, Fraction(4, 3))


def read(path: Path) -> tuple[StreamInfo, list[NDArray[np.uint8]]]:
    """The lumas."""
    source = open_source(str(path), SourceOptions(hwaccel="none"))
    frames: list[Any] = []
    while isinstance(frame := source.read(), SourceFrame):
        frames.append(plane_views(frame.payload, source.info)[0])
    source.close()
    return source.info, frames


def seen(luma: NDArray[np.uint8]) -> tuple[int, int]:
    """Width and height of what is not black."""
    bright = luma > 100
    return int(bright.any(0).sum()), int(bright.any(1).sum())


@pytest.mark.parametrize(
    ("kind", "codec"), [("webm", "libvpx-vp9"), ("webm", "libvpx"), ("ts", "mpeg2video")]
)
@pytest.mark.parametrize("parts", [[(SMALL, 60), (LARGE, 40)], [(LARGE, 25), (SMALL, 75)]])
def test_the_largest_size_is_kept(
    kind: str, codec: str, parts: list[tuple[Shape, int]], tmp_path: Path
) -> None:
    info, frames = read(write(tmp_path / f"a.{kind}", parts, codec))
    assert (info.width, info.height) == (192, 108)
    assert {seen(luma) for luma in frames} == {(192, 108)}
    assert len(frames) >= 99  # FFmpeg loses the one that MPEG-2 holds back when the size changes


@pytest.mark.parametrize(
    ("parts", "usual"),
    [
        ([(NARROW, 60), (WIDE, 60)], WIDE),
        ([(NARROW, 30), (WIDE, 90)], WIDE),
        ([(WIDE, 30), (NARROW, 90)], NARROW),
    ],
)
def test_another_aspect_lies_whole_between_bars(
    parts: list[tuple[Shape, int]], usual: Shape, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    info, frames = read(write(tmp_path / "a.ts", parts, "mpeg2video"))
    assert info.pixel_aspect == usual.aspect
    number = 0
    for shape, count in parts:
        want = {NARROW: (72, 72), WIDE: (96, 54)}[shape] if shape != usual else (96, 72)
        for luma in frames[number : number + count]:
            width, height = seen(luma)
            assert abs(width - want[0]) <= 2
            assert abs(height - want[1]) <= 2
        number += count
    assert len(frames) == number
    is_first = parts[0][0] == usual
    assert ("change their shape" in caplog.text) != is_first


def test_size_and_aspect_change_together() -> None:
    told = iter([Fraction(20, 11), Fraction(1), Fraction(4, 3)])
    aspects = Aspects(lambda: next(told))

    def frame(width: int, *, key: bool = False) -> Any:
        return SimpleNamespace(width=width, height=64, key_frame=key)

    assert aspects.of(frame(96, key=True)) == Fraction(20, 11)
    assert aspects.of(frame(96)) == Fraction(20, 11)
    assert aspects.of(frame(48)) == 1, "a picture of another size that is no key frame"
    assert aspects.of(frame(48, key=True)) == Fraction(4, 3)


def test_a_seek_gives_the_pictures_of_reading_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ts", [(NARROW, 60), (WIDE, 60)], "mpeg2video")
    _, frames = read(path)
    source = open_source(str(path), SourceOptions(hwaccel="none"))
    for number in (59, 60, 61, 10, 100, 0):
        source.seek(source.info.start + number / RATE)
        frame = source.read()
        assert isinstance(frame, SourceFrame)
        assert np.array_equal(plane_views(frame.payload, source.info)[0], frames[number])
    source.close()


def test_films_of_one_shape_are_as_they_were(tmp_path: Path) -> None:
    info, frames = read(write(tmp_path / "a.ts", [(WIDE, 40)], "mpeg2video"))
    assert (info.width, info.height, info.pixel_aspect) == (96, 72, Fraction(4, 3))
    assert seen(frames[0]) == (96, 72)


def test_sizes_that_are_rounded_are_of_one_shape() -> None:
    assert usual_of({Shape(160, 90, SQUARE): 5, Shape(854, 480, SQUARE): 1}).width == 854
    assert usual_of({Shape(640, 480, SQUARE): 2, Shape(854, 480, SQUARE): 1}).width == 640


SHAPES = st.builds(
    Shape,
    st.integers(2, 200).map(lambda n: 2 * n),
    st.integers(2, 200).map(lambda n: 2 * n),
    st.sampled_from([SQUARE, Fraction(4, 3), Fraction(8, 9)]),
)


@given(SHAPES, SHAPES)
def test_a_picture_fits_its_frame(inner: Shape, outer: Shape) -> None:
    left, top, width, height = fitted(inner, outer)
    assert 0 <= left <= left + width <= outer.width
    assert 0 <= top <= top + height <= outer.height
    assert not any(n % 2 for n in (left, top, width, height))
    assert width == outer.width or height == outer.height


def test_a_broadcast_is_rendered_in_one_shape(tmp_path: Path) -> None:
    from rtvfi.cli import main as cli

    film = write(tmp_path / "a.ts", [(NARROW, 40), (WIDE, 60)], "mpeg2video")
    target = tmp_path / "o.mp4"
    words = ["--model", "copy", "--fps", "1x", "--device", "cpu", "-o", str(target)]
    assert cli.main(["render", str(film), *words]) == 0
    with av.open(str(target)) as made:
        assert made.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        assert made.streams.video[0].frames == 100
        shown: Any = next(made.decode(video=0)).to_ndarray(format="gray")
    assert abs(seen(shown)[0] - 72) <= 2


@pytest.mark.parametrize(
    ("kind", "codec", "parts"),
    [
        ("webm", "libvpx-vp9", [(SMALL, 120), (LARGE, 90)]),
        ("webm", "libvpx", [(LARGE, 90), (NARROW, 80), (SMALL, 70)]),
        ("ts", "mpeg2video", [(NARROW, 110), (WIDE, 90), (NARROW, 60)]),
    ],
    ids=str,
)
def test_shapes_may_be_kept(
    kind: str, codec: str, parts: list[tuple[Shape, int]], tmp_path: Path
) -> None:
    film = write(tmp_path / f"a.{kind}", parts, codec)
    source = open_source(str(film), SourceOptions(hwaccel="none", keeps_shapes=True))
    info = source.info
    assert [stretch.shape for stretch in info.stretches] == [shape for shape, _ in parts]
    assert info.width == max(shape.width for shape, _ in parts)
    frames: list[SourceFrame] = []
    while isinstance(frame := source.read(), SourceFrame):
        frames.append(frame)
    source.close()
    starts = [stretch.start for stretch in info.stretches]
    assert [frame.pts for frame in frames if frame.starts_stretch] == starts[1:]
    assert {frame.strange for frame in frames} == {None}
    for frame in frames:
        shape = info.shape_at(frame.pts)
        picture = plane_views(frame.payload, info)[0]
        assert (picture > 100).all()  # the edges of a smaller picture go on
        small = corner(frame.payload, info, shape)
        assert len(small) == info.format.payload_bytes(shape.width, shape.height)


def test_what_is_known_of_shapes_is_not_looked_for(tmp_path: Path) -> None:
    film = write(tmp_path / "a.webm", [(SMALL, 30), (LARGE, 30)], "libvpx")
    known = (Stretch(Fraction(0), SMALL), Stretch(Fraction(2), NARROW))
    options = SourceOptions(hwaccel="none", keeps_shapes=True, stretches=known)
    source = open_source(str(film), options)
    assert source.info.stretches == known
    strange = {}
    while isinstance(frame := source.read(), SourceFrame):
        strange[float(frame.pts)] = frame.strange
    source.close()
    assert {time: shape for time, shape in strange.items() if time in (1.16, 1.2, 2.0)} == {
        1.16: None,
        1.2: LARGE,
        2.0: LARGE,
    }
