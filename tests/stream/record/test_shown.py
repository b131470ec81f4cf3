"""What is recorded is upright, cropped, and tells its pixel aspect, also after seeks."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from oddities import rgb, write_film, write_matroska
from viewing import Viewer

from rtvfi.core.frame import Crop
from rtvfi.stream.decode.ebml import facts_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("pieces", [[(0, 60)], [(0, 40), (30, 60)]])
def test_a_turned_film_is_recorded_upright(pieces: list[tuple[int, int]], tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", matrix=(0, 1, -1, 0), count=60, aspect=Fraction(4, 3))
    viewer = Viewer(film, tmp_path / "o.mkv")
    for start, stop in pieces:
        viewer.play(start, stop)
    viewer.close()
    pictures = rgb(tmp_path / "o.mkv")
    assert {picture.shape for picture in pictures} == {(96, 64, 3)}
    told = facts_of(str(tmp_path / "o.mkv"))
    assert told is not None
    assert told.tracks[0] is not None
    assert Fraction(*(told.tracks[0].display or (0, 1))) == Fraction(64, 96) * Fraction(3, 4)


def test_a_cropped_film_is_recorded_without_its_edges(tmp_path: Path) -> None:
    crop = Crop(0, 10, 0, 10)
    film = write_matroska(tmp_path / "a.mkv", 30, width=96, height=64, crop=crop)
    viewer = Viewer(film, tmp_path / "o.mkv")
    viewer.play(0, 30)
    viewer.close()
    assert {picture.shape for picture in rgb(tmp_path / "o.mkv")} == {(44, 96, 3)}
