from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from quality_pictures import scenery, triplet

from rtvfi.quality.measure import Example
from rtvfi.quality.sheet import CELL, GAP, error_map, hardest_place, to_rgb, write_sheet
from rtvfi.quality.triplets import Picture

if TYPE_CHECKING:
    from pathlib import Path


def test_grey_stays_grey_and_colours_are_those_of_bt709() -> None:
    grey = Picture(np.full((2, 2), 90, np.uint8), np.full((2, 1, 1), 128, np.uint8))
    assert (to_rgb(grey) == 90).all()
    red = Picture(np.full((2, 2), 54, np.uint8), np.array([[[99]], [[255]]], np.uint8))
    assert np.abs(to_rgb(red)[0, 0].astype(int) - (254, 0, 0)).max() <= 2


def test_the_error_is_shown_fourfold_and_not_beyond_white() -> None:
    truth = Picture(np.array([[10, 10], [10, 200]], np.uint8), np.zeros((2, 1, 1), np.uint8))
    made = Picture(np.array([[10, 13], [5, 10]], np.uint8), truth.uv)
    assert error_map(made, truth).tolist() == [[0, 12], [20, 255]]


def test_the_part_shown_is_where_errors_add_up_to_the_most() -> None:
    one, two = np.zeros((2, 40, 60), np.uint8)
    one[30:34, 50:54] = 100
    two[5:9, 10:14] = 255
    assert hardest_place([one], 8, 8)[0] in range(46, 51)
    x, y = hardest_place([one, two], 8, 8)
    assert (x in range(6, 11), y in range(1, 6)) == (True, True)
    assert hardest_place([one], 60, 40) == (0, 0)


def test_a_sheet_has_a_column_for_everything_and_a_part_for_every_set(tmp_path: Path) -> None:
    made = {"near": scenery(2), "far": scenery(-4)}
    examples = [Example("one", triplet(0), made), Example("two", triplet(0), made)]
    write_sheet(examples[:1], tmp_path / "one.png")
    write_sheet(examples, tmp_path / "two.png")
    one, two = (np.asarray(Image.open(tmp_path / f"{n}.png")) for n in ("one", "two"))
    assert one.shape[1] == 5 * (CELL + GAP) + GAP
    assert two.shape == (2 * one.shape[0], one.shape[1], 3)
    truth_column = one[:, CELL + 2 * GAP : 2 * CELL + 2 * GAP]
    height = round(CELL * 64 / 96)
    errors = truth_column[2 * 18 + height + GAP :][:height]
    assert (errors == 0).all()  # the truth is not away from itself
