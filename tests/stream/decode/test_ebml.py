"""What FFmpeg does not tell of a Matroska header."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oddities import write_film, write_matroska

from rtvfi.core.frame import Crop
from rtvfi.core.options import SourceOptions
from rtvfi.stream.decode.ebml import facts_of
from rtvfi.stream.decode.source import open_source

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.core.frame import StreamInfo


def info_of(path: Path) -> StreamInfo:
    source = open_source(str(path), SourceOptions(hwaccel="none"))
    source.close()
    return source.info


def element(ident: str, data: bytes) -> bytes:
    return bytes.fromhex(ident) + struct.pack(">Q", len(data) | 1 << 56) + data


def with_chapters(path: Path, ordered: int, *, links: bool) -> Path:
    atom = element("B6", element("91", b"\0") + (element("6E67", b"x" * 16) if links else b""))
    edition = element("45B9", element("45DB", b"\1") + element("45DD", bytes([ordered])) + atom)
    head = element("1A45DFA3", element("4282", b"matroska"))
    path.write_bytes(head + element("18538067", element("1043A770", edition)))
    return path


CROPS = [
    Crop(0, 10, 0, 10),
    Crop(8, 0, 4, 0),
    Crop(1, 3, 5, 7),
]


@pytest.mark.parametrize("crop", CROPS)
def test_what_is_to_be_cut_off_is_known(crop: Crop, tmp_path: Path) -> None:
    assert info_of(write_matroska(tmp_path / "a.mkv", width=96, height=64, crop=crop)).crop == crop


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(3, 2)])
def test_the_pixel_aspect_is_that_of_the_whole_picture(
    crop: Crop, aspect: Fraction, tmp_path: Path
) -> None:
    """As mpv takes it, 0.35 to 0.41: FFmpeg's is that of what is left."""
    path = write_matroska(tmp_path / "a.mkv", width=96, height=64, crop=crop, pixel_aspect=aspect)
    assert info_of(path).pixel_aspect == aspect


@pytest.mark.parametrize(
    ("mode", "code", "aspect"), [("left_right", 1, Fraction(1, 2)), ("bottom_top", 2, Fraction(2))]
)
def test_pictures_in_pairs_are_known(
    mode: str, code: int, aspect: Fraction, tmp_path: Path
) -> None:
    """mpv takes the display size, which FFmpeg halves, for that of both."""
    info = info_of(write_film(tmp_path / "a.mkv", tags={"stereo_mode": mode}))
    assert (info.stereo, info.pixel_aspect) == (code, aspect)


def test_other_files_have_no_such_header(tmp_path: Path) -> None:
    assert facts_of(str(write_film(tmp_path / "a.mp4"))) is None
    assert facts_of(str(tmp_path / "none.mkv")) is None


@pytest.mark.parametrize("ordered", [0, 1])
@pytest.mark.parametrize("links", [False, True])
def test_ordered_chapters_are_known(ordered: int, links: bool, tmp_path: Path) -> None:
    facts = facts_of(str(with_chapters(tmp_path / "a.mkv", ordered, links=links)))
    assert facts is not None
    assert (facts.is_ordered, facts.links) == (bool(ordered), bool(ordered and links))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_no_reason_to_fail(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.mkv"
    write_matroska(path, 1, width=16, height=16, crop=Crop(2, 2, 2, 2))
    whole = bytearray(path.read_bytes()[:400])
    for place in data.draw(st.lists(st.integers(4, 399), max_size=8)):
        whole[place] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(0, 400))])
    facts_of(str(path))
