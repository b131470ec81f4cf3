"""Two pictures beside each other."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import stream_info

from rtvfi.core.frame import PIXEL_FORMATS, plane_views
from rtvfi.stream.write.montage import Montage


@pytest.mark.parametrize("name", PIXEL_FORMATS)
@pytest.mark.parametrize("width", [16, 17])
def test_both_pictures_are_there_to_the_last_sample(name: str, width: int) -> None:
    info = stream_info(width, 9, format=name)
    random = np.random.default_rng(0)
    left, right = (random.integers(0, 256, info.payload_bytes, np.uint8) for _ in range(2))
    montage = Montage(info)
    wide = plane_views(montage.join(left, right), montage.info)
    for plane, a, b in zip(wide, plane_views(left, info), plane_views(right, info), strict=True):
        middle = plane.shape[1] // 2
        assert np.array_equal(plane[:, : a.shape[1]], a)
        assert np.array_equal(plane[:, middle : middle + b.shape[1]], b)
        assert np.array_equal(plane[:, middle - 1], a[:, -1])
        assert np.array_equal(plane[:, -1], b[:, -1])
