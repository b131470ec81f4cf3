"""Pictures cropped, mirrored and turned, plane by plane."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fakes import stream_info

from rtvfi.core.frame import PIXEL_FORMATS, ColorInfo, Crop, Siting, Turn, plane_views
from rtvfi.stream.write.shown import Shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo

FORMATS = tuple(PIXEL_FORMATS)


def noise(info: StreamInfo) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 4, info.payload_bytes).astype(np.uint8)


def test_upright_pictures_are_passed_on_untouched() -> None:
    info = stream_info(width=32, height=16)
    payload = np.zeros(info.payload_bytes, np.uint8)
    shown = Shown(info)
    assert shown(payload) is payload
    assert shown.info == info


@pytest.mark.parametrize("pixels", FORMATS)
@pytest.mark.parametrize(
    "turn", [Turn(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)]
)
def test_a_turn_moves_every_sample_where_it_belongs(turn: Turn, pixels: str) -> None:
    info = stream_info(width=34, height=18, format=pixels, turn=turn)
    shown = Shown(info)
    payload = noise(info)
    for given, made in zip(
        plane_views(payload, info), plane_views(shown(payload), shown.info), strict=True
    ):
        wanted = given.T if turn.swaps else given
        wanted = wanted[:, ::-1] if turn.flips_x else wanted
        assert np.array_equal(made, wanted[::-1] if turn.flips_y else wanted)


def test_a_crop_takes_its_edges_away() -> None:
    info = stream_info(width=40, height=24, crop=Crop(4, 2, 6, 8))
    shown = Shown(info)
    payload = noise(info)
    assert (shown.info.width, shown.info.height) == (30, 14)
    (luma, u, _), (cut, cut_u, _) = (
        plane_views(p, i) for p, i in ((payload, info), (shown(payload), shown.info))
    )
    assert np.array_equal(cut, luma[2:16, 4:34])
    assert np.array_equal(cut_u, u[1:8, 2:17])


def test_a_crop_through_a_chroma_sample_leaves_no_bar() -> None:
    info = stream_info(width=40, height=24, crop=Crop(0, 3, 0, 3))
    shown = Shown(info)
    payload = noise(info)
    assert (shown.info.width, shown.info.height) == (40, 17)
    luma = plane_views(payload, info)[0]
    assert np.array_equal(plane_views(shown(payload), shown.info)[0], luma[4:21])


def test_a_crop_that_leaves_nothing_leaves_a_sample() -> None:
    shown = Shown(stream_info(width=8, height=8, crop=Crop(8, 8, 0, 0)))
    assert (shown.info.width, shown.info.height) == (1, 1)


def test_pixels_on_their_side_have_the_other_aspect() -> None:
    info = stream_info(pixel_aspect=Fraction(4, 3), turn=Turn(swaps=True, flips_x=True))
    assert Shown(info).info.pixel_aspect == Fraction(3, 4)
    assert Shown(replace(info, turn=Turn(flips_y=True))).info.pixel_aspect == Fraction(4, 3)


def test_chroma_that_moved_is_told_in_the_middle() -> None:
    left = stream_info(turn=Turn(flips_x=True))
    assert Shown(left).info.color.siting is Siting.CENTRE
    assert Shown(replace(left, turn=Turn(flips_y=True))).info.color.siting is Siting.LEFT


def test_a_matrix_guessed_by_the_size_is_said_when_the_size_changes_the_guess() -> None:
    tall = stream_info(width=1280, height=530, color=ColorInfo(), crop=Crop(320, 0, 320, 0))
    assert Shown(tall).info.color.matrix == 1
