from __future__ import annotations

import pytest
import torch

from rtvfi.models.strips import enlarged_rows, fetch, in_strips, strip_rows
from rtvfi.models.warp import backwarp, enlarge


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("top", "end"), [(0, 24), (0, 8), (8, 16), (16, 24)])
def test_rows_of_an_enlarged_picture_are_those_of_the_whole(top: int, end: int) -> None:
    image = random(1, 3, 6, 5)
    whole = enlarge(image, 4)[:, :, top:end]
    torch.testing.assert_close(enlarged_rows(image, 4, top, end), whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_strip_is_fetched_as_the_whole_is(dtype: torch.dtype) -> None:
    image, flow = random(1, 40, 12, 9).to(dtype), 3 * random(1, 2, 12, 9)
    whole = backwarp(image, flow)
    torch.testing.assert_close(
        fetch(image, flow[:, :, 4:9], 4), whole[:, :, 4:9], atol=1e-3, rtol=1e-3
    )
    some = fetch(image, flow[..., ::2, ::2], step=2)
    torch.testing.assert_close(some, whole[..., ::2, ::2], atol=1e-3, rtol=1e-3)


def test_strips_put_together_are_the_picture_and_none_sees_more_than_it_may() -> None:
    picture = random(1, 2, 50, 3)
    seen = []

    def make(top: int, end: int) -> torch.Tensor:
        seen.append((top, end))
        return picture[:, :, top:end]

    assert torch.equal(in_strips(make, 50, 16, 5), picture)
    assert seen == [(0, 21), (11, 37), (27, 50), (43, 50)]


def test_a_picture_that_fits_is_made_in_one() -> None:
    picture = random(1, 2, 50, 3)
    assert in_strips(lambda top, end: picture[:, :, top:end], 50, 50, 5).data_ptr() == (
        picture.data_ptr()
    )


@pytest.mark.parametrize(("bytes_", "rows"), [(1, 64), (1 << 30, 248)])
def test_strips_hold_what_they_may_and_never_less_than_64_rows(bytes_: int, rows: int) -> None:
    assert strip_rows(1920, 562, 4, bytes_) == rows
