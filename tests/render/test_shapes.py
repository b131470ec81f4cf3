"""Films that are cropped, mirrored, turned or anamorphic come out as they are shown."""

from __future__ import annotations

import zlib
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from oddities import MATRICES, picture, rgb, write_film, write_matroska

from rtvfi.cli import main as cli
from rtvfi.core.frame import NO_CROP, Crop
from rtvfi.stream.decode.ebml import facts_of
from rtvfi.stream.write.mkv_shape import ROOM, _children, _size, _tracks

if TYPE_CHECKING:
    from pathlib import Path


def render(source: Path, target: Path, *words: str) -> Path:
    told = ("--device", "cpu", "--model", "copy", "--fps", "1x", "--preset-encoder", "ultrafast")
    words = words or ("--encoder", "libx264", "--crf", "1", *told[-2:])
    assert cli.main(["render", str(source), "-o", str(target), *told[:-2], *words]) == 0
    return target


@pytest.mark.parametrize("kind", ["mkv", "mp4"])
@pytest.mark.parametrize("way", MATRICES)
def test_pictures_come_out_upright(way: str, kind: str, tmp_path: Path) -> None:
    a, b, c, d = MATRICES[way]
    film = write_film(tmp_path / "a.mp4", matrix=MATRICES[way])
    made = render(film, tmp_path / f"o.{kind}")
    stored = picture(96, 64).astype(int)
    wanted = stored.transpose(1, 0, 2) if b else stored
    wanted = wanted[:, ::-1] if a + c < 0 else wanted
    wanted = wanted[::-1] if b + d < 0 else wanted
    shown = rgb(made)[0].astype(int)
    assert shown.shape == wanted.shape
    assert np.abs(shown - wanted).mean() < 6
    with av.open(str(made)) as source:
        assert next(source.decode(video=0)).rotation == 0


@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(3, 2)])
def test_a_cropped_film_is_written_without_its_edges(aspect: Fraction, tmp_path: Path) -> None:
    crop = Crop(4, 10, 8, 12)
    film = write_matroska(tmp_path / "a.mkv", width=96, height=64, crop=crop, pixel_aspect=aspect)
    made = render(film, tmp_path / "o.mkv", "--encoder", "ffv1")
    assert np.array_equal(rgb(made)[0], rgb(film)[0][10:52, 4:88])
    told = facts_of(str(made))
    assert told is not None
    (track,) = told.tracks
    assert track is not None
    assert track.display is not None
    width, height = track.display
    assert Fraction(width, height) == Fraction(84, 42) * aspect
    assert track.crop == NO_CROP


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libsvtav1", "libvpx-vp9", "ffv1"])
@pytest.mark.parametrize("aspect", [Fraction(20, 11), Fraction(8, 9)])
def test_matroska_itself_tells_the_pixel_aspect(
    encoder: str, aspect: Fraction, tmp_path: Path
) -> None:
    """Players look there, and at the codec only where the container tells nothing."""
    film = write_film(tmp_path / "a.mp4", size=(352, 288), count=2, aspect=aspect)
    made = render(film, tmp_path / "o.mkv", "--encoder", encoder)
    told = facts_of(str(made))
    assert told is not None
    assert told.tracks[0] is not None
    width, height = told.tracks[0].display or (0, 1)
    assert Fraction(width, height) == aspect * 352 / 288
    assert ROOM.encode() not in made.read_bytes()
    assert len(rgb(made)) == 2


def test_the_checksum_of_the_header_stays_right(tmp_path: Path) -> None:
    made = render(write_film(tmp_path / "a.mp4", aspect=Fraction(4, 3)), tmp_path / "o.mkv")
    head = made.read_bytes()[: 1 << 16]
    begin, size = _tracks(head)
    checksum, *rest = _children(head[begin : begin + size])
    length = _size(head, begin + 1)[1] + len(checksum[1])
    assert checksum[0] == b"\xbf"
    assert zlib.crc32(head[length : begin + size]).to_bytes(4, "little") == checksum[1]
    assert rest


@pytest.mark.parametrize("kind", ["mp4", "mov", "webm"])
def test_other_containers_tell_the_pixel_aspect(kind: str, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", size=(352, 288), count=2, aspect=Fraction(20, 11))
    words = ("--preset-encoder", "12") if kind == "webm" else ("--encoder", "libx264")
    made = render(film, tmp_path / f"o.{kind}", *words)
    with av.open(str(made)) as source:
        assert source.streams.video[0].sample_aspect_ratio == Fraction(20, 11)


def test_a_title_survives_the_room_for_the_shape(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", tags={"title": "Die Fahrt"}, aspect=Fraction(4, 3))
    made = render(film, tmp_path / "o.mkv")
    with av.open(str(made)) as source:
        assert source.streams.video[0].metadata["title"] == "Die Fahrt"


@pytest.mark.parametrize("mode", ["left_right", "top_bottom"])
def test_pictures_in_pairs_stay_pairs(mode: str, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", tags={"stereo_mode": mode})
    made = render(film, tmp_path / "o.mkv")
    before, after = (facts_of(str(path)) for path in (film, made))
    assert before is not None
    assert after is not None
    (old,), (new,) = before.tracks, after.tracks
    assert old is not None
    assert new is not None
    assert new.stereo == old.stereo != 0
    assert Fraction(*(new.display or (0, 1))) == Fraction(*(old.display or (0, 1)))
