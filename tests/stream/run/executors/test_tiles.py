"""Where the source does not change, nothing is made up."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from fakes import stream_info
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.core.frame import plane_views
from rtvfi.models.linear.blend import Linear
from rtvfi.stream.plan.batch import Retimes, Retimes3
from rtvfi.stream.plan.planner import Copy, Mid, Retime, Retime3
from rtvfi.stream.run.executors.executor import carry_out
from rtvfi.stream.run.executors.interpolate import Interpolation
from rtvfi.stream.run.executors.pictures import Pictures
from rtvfi.stream.run.executors.tiles import StaticTiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo

    Payload = NDArray[np.uint8]

FORMATS = ["yuv420p", "yuv420p10le", "yuv444p", "yuv444p10le"]
ZERO, HALF = Fraction(0), Fraction(1, 2)


def noise(info: StreamInfo, seed: int) -> Payload:
    top = 256 if info.format.bits == 8 else 1024
    rng = np.random.default_rng(seed)
    num = info.payload_bytes // info.format.sample_bytes
    return rng.integers(16, top - 16, num, "u1" if top == 256 else "<u2").view(np.uint8)


def poke(info: StreamInfo, payload: Payload, plane: int, y: int, x: int) -> Payload:
    """A copy with one sample changed by the least there is."""
    changed = payload.copy()
    plane_views(changed, info)[plane][y, x] ^= 1
    return changed


@given(
    st.integers(1, 70), st.integers(1, 70), st.sampled_from(FORMATS), st.integers(0, 2), st.data()
)
def test_a_sample_changes_its_tile_and_no_other(
    width: int, height: int, name: str, plane: int, data: st.DataObject
) -> None:
    info = stream_info(width, height, format=name)
    source = noise(info, 0)
    rows, columns = info.format.plane_shapes(width, height)[plane]
    y = data.draw(st.integers(0, rows - 1))
    x = data.draw(st.integers(0, columns - 1))
    size = 16 >> (info.format.chroma_shift if plane else 0)
    tiles = StaticTiles(info)
    agreeing = tiles.agreeing([source, poke(info, source, plane, y, x)])
    wanted = np.ones((-(-height // 16), -(-width // 16)), bool)
    wanted[y // size, x // size] = False
    np.testing.assert_array_equal(agreeing, wanted)
    made = noise(info, 1)
    before = made.copy()
    tiles.restore(made, source, agreeing)
    for index, (to, of, was) in enumerate(
        zip(*(plane_views(p, info) for p in (made, source, before)), strict=True)
    ):
        size = 16 >> (info.format.chroma_shift if index else 0)
        mask = np.repeat(np.repeat(wanted, size, 0), size, 1)[: to.shape[0], : to.shape[1]]
        np.testing.assert_array_equal(to, np.where(mask, of, was))


def test_several_pictures_must_all_agree() -> None:
    info = stream_info(48, 16)
    source = noise(info, 0)
    others = [poke(info, source, 0, 0, x) for x in (0, 20)]
    agreeing = StaticTiles(info).agreeing([source, *others])
    assert agreeing.tolist() == [[False, False, True]]


class Rippling(Linear):
    """A model that is off by a little everywhere, as networks are."""

    def pair(self, a: Any, b: Any, ts: Sequence[Any]) -> Any:
        planes = super().pair(a, b, ts)
        return planes._replace(y=planes.y + 0.02, uv=planes.uv - 0.02)

    def link(self, a: Any, b: Any) -> None:
        return None

    def triple(self, frames: Any, links: Any, ts: Sequence[float]) -> Any:
        return self.pair(frames[0], frames[2], [t / 2 for t in ts])


@pytest.fixture(params=["yuv420p", "yuv444p10le"])
def info(request: pytest.FixtureRequest) -> StreamInfo:
    return stream_info(80, 50, format=request.param)


@pytest.fixture
def executor(info: StreamInfo) -> Interpolation:
    return Interpolation(Rippling(), info, torch.device("cpu"), torch.float32)


@pytest.fixture
def film(info: StreamInfo) -> Pictures:
    """Frame i differs from the one before in the tile row 0, column i."""
    frames = [noise(info, 0)]
    for i in range(1, 5):
        frames.append(poke(info, frames[-1], 0, 3, 16 * i + 5))
    return Pictures({(0, i): frame for i, frame in enumerate(frames)})


def moving(info: StreamInfo, made: Payload, source: Payload) -> list[tuple[int, int]]:
    """Tiles in which a picture differs from a source frame."""
    found = np.argwhere(~StaticTiles(info).agreeing([made, source]))
    return [(int(row), int(column)) for row, column in found]


def test_between_source_frames_only_what_moves_is_made(
    executor: Interpolation, info: StreamInfo, film: Pictures
) -> None:
    made = executor.run(
        Retimes(tuple(Retime(i, ZERO, (0, 0), (0, 1), Fraction(i, 3)) for i in (1, 2))), film
    )
    for payload in made.values():
        assert moving(info, payload, film[0, 0]) == [(0, 1)]


def test_a_picture_of_passes_is_static_where_all_its_frames_agree(
    executor: Interpolation, info: StreamInfo, film: Pictures
) -> None:
    for mid in (
        Mid((1, 0), (0, 0), (0, 1)),
        Mid((1, 1), (0, 1), (0, 2)),
        Mid((2, 0), (1, 0), (1, 1)),
        Mid((1, 2), (0, 2), (0, 3)),
    ):
        carry_out(executor, mid, film)
    copied = executor.run(Copy(1, ZERO, (2, 0)), film)[1]
    assert moving(info, copied, film[0, 0]) == [(0, 1), (0, 2)]
    between = executor.run(Retimes((Retime(2, ZERO, (1, 1), (1, 2), HALF),)), film)[2]
    assert moving(info, between, film[0, 1]) == [(0, 2), (0, 3)]


@pytest.mark.parametrize(("t", "column"), [(Fraction(3, 4), 1), (Fraction(5, 4), 2)])
def test_among_three_the_two_around_the_output_count(
    executor: Interpolation,
    info: StreamInfo,
    film: Pictures,
    t: Fraction,
    column: int,
) -> None:
    made = executor.run(Retimes3((Retime3(1, ZERO, (0, 0), (0, 1), (0, 2), t),)), film)[1]
    assert moving(info, made, film[0, 1]) == [(0, column)]


def test_without_all_its_frames_nothing_is_taken_for_static(
    executor: Interpolation, info: StreamInfo, film: Pictures
) -> None:
    carry_out(executor, Mid((1, 0), (0, 0), (0, 1)), film)
    later = Pictures({name: film[name] for name in ((0, 1), (0, 2))})
    later.plan(Mid((1, 0), (0, 0), (0, 1)))
    made = executor.run(Retimes((Retime(1, ZERO, (1, 0), (0, 2), HALF),)), later)[1]
    assert len(moving(info, made, film[0, 1])) == 20
