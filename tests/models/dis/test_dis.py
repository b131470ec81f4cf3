"""``dis``: motion it must find, and what neither bands, threads nor depth may change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from rtvfi.core.errors import UsageError
from rtvfi.models.dis import model as dis_model
from rtvfi.models.dis.blend import quartet, spread_out
from rtvfi.models.dis.flow import third
from rtvfi.models.dis.model import WAYS, Dis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Planes = list[NDArray[Any]]

SCALES = sorted(WAYS)


def texture(height: int, width: int, seed: int = 1) -> NDArray[np.float32]:
    """Smooth noise, 0 to 1."""
    noise = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    blurred: Any = cv2.GaussianBlur(noise, (0, 0), 3)
    return (blurred - blurred.min()) / (blurred.max() - blurred.min())  # type: ignore[no-any-return]


def film(
    height: int = 96, width: int = 160, bits: int = 8, *, halved: bool = True, step: int = 4
) -> list[Planes]:
    """Three pictures of a texture that moves ``step`` pixels right and half of it down each."""
    shape = (-(-height // 2), -(-width // 2)) if halved else (height, width)
    kind = np.uint8 if bits == 8 else np.uint16
    big, colour = texture(height + 64, width + 64), texture(2 * height + 64, 2 * width + 64, 2)
    every = 2 if halved else 1
    pictures = []
    for k in range(3):
        y, x = 32 - k * step // 2, 32 - k * step
        luma = big[y : y + height, x : x + width]
        chroma = colour[y : y + every * shape[0] : every, x : x + every * shape[1] : every]
        planes = (luma, chroma, 1 - chroma)
        top = (1 << bits) - 1
        pictures.append([np.ascontiguousarray(np.rint(p * top).astype(kind)) for p in planes])
    return pictures


def between(ends: list[Planes], t: float = 0.5, scale: float = 1.0, bits: int = 8) -> Planes:
    net = Dis(scale, bits)
    left, right = (net.prepare(planes) for planes in ends)
    out = [np.zeros_like(plane) for plane in ends[0]]
    net.between((left, right), net.motion(left, right), t, out)
    return out


def error(made: Planes, truth: Planes, bits: int = 8) -> float:
    """Mean difference in 8-bit codes, borders apart."""
    inner = (slice(12, -12), slice(12, -12))
    pairs = zip(made, truth, strict=True)
    return max(float(np.abs(a[inner].astype(float) - b[inner]).mean()) for a, b in pairs) / (
        1 << (bits - 8)
    )


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("halved", [True, False])
@pytest.mark.parametrize("bits", [8, 10])
def test_what_moves_evenly_is_found_half_way(scale: float, halved: bool, bits: int) -> None:
    left, truth, right = film(bits=bits, halved=halved)
    made = between([left, right], scale=scale, bits=bits)
    assert error(made, truth, bits) < 1.0
    fade = [(a.astype(float) + b) / 2 for a, b in zip(left, right, strict=True)]
    assert error(fade, truth, bits) > 4.0


def test_time_is_kept_at_every_timestep() -> None:
    ends = [film()[0], film()[2]]
    for t, step in ((0.25, 2), (0.75, 6)):
        assert error(between(ends, t), film(step=step)[1]) < 2.0


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("bits", [8, 10])
def test_equal_pictures_give_that_picture_exactly(scale: float, bits: int) -> None:
    picture = film(45, 77, bits)[0]
    for plane, same in zip(between([picture, picture], 0.3, scale, bits), picture, strict=True):
        np.testing.assert_array_equal(plane, same)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (17, 3), (33, 51), (31, 64)])
@pytest.mark.parametrize("halved", [True, False])
@pytest.mark.parametrize("scale", SCALES)
def test_every_size_is_filled(size: tuple[int, int], halved: bool, scale: float) -> None:
    picture = film(*size, halved=halved)[0]
    made = between([picture, picture], 0.5, scale)
    for plane, same in zip(made, picture, strict=True):
        np.testing.assert_array_equal(plane, same)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("height", [95, 96])
def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch, scale: float, height: int) -> None:
    ends = [film(height, 159)[0], film(height, 159)[2]]
    whole = between(ends, 0.4, scale)
    monkeypatch.setattr(dis_model, "_BAND", 7)
    for plane, same in zip(between(ends, 0.4, scale), whole, strict=True):
        np.testing.assert_array_equal(plane, same)


def test_ten_bits_never_exceed_their_codes() -> None:
    ends = [film(bits=10)[k] for k in (0, 2)]
    ends = [[np.where(p > 500, 1023, 0).astype(np.uint16) for p in planes] for planes in ends]
    assert all(plane.max() <= 1023 for plane in between(ends, 0.5, 0.5, 10))


def test_inputs_are_left_as_they_are() -> None:
    ends = [film()[0], film()[2]]
    before = [[plane.copy() for plane in planes] for planes in ends]
    between(ends)
    for planes, copies in zip(ends, before, strict=True):
        for plane, copy in zip(planes, copies, strict=True):
            np.testing.assert_array_equal(plane, copy)


def test_who_does_the_work_does_not_show() -> None:
    ends = [film(200)[0], film(200)[2]]

    def from_the_end(jobs: Sequence[Callable[[], None]]) -> None:
        for job in reversed(jobs):
            job()

    backwards = Dis(0.5, 8, from_the_end)
    left, right = (backwards.prepare(planes) for planes in ends)
    out = [np.zeros_like(plane) for plane in ends[0]]
    backwards.between((left, right), backwards.motion(left, right), 0.5, out)
    for plane, same in zip(out, between(ends, scale=0.5), strict=True):
        np.testing.assert_array_equal(plane, same)


def test_a_flow_scale_it_does_not_know_is_named() -> None:
    with pytest.raises(UsageError, match=r"does not support the flow scale 0\.125"):
        Dis(0.25, 8).at_scale(0.125)


@pytest.mark.parametrize("size", [(1, 1), (4, 6), (5, 7)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_quartets_read_at_every_second_place_are_the_plane(
    size: tuple[int, int], kind: type[np.generic]
) -> None:
    plane = np.random.default_rng(1).integers(0, 256, size).astype(kind)
    quartets = quartet(plane)
    rows, columns = quartets.shape[:2]
    assert rows % 2 == columns % 2 == 0
    back = spread_out(np.ascontiguousarray(quartets[::2, ::2]))
    below, beside = rows - size[0], columns - size[1]
    np.testing.assert_array_equal(back, np.pad(plane, ((0, below), (0, beside)), "edge"))


def test_a_quartet_between_places_is_the_plane_moved() -> None:
    plane = np.arange(48, dtype=np.uint8).reshape(6, 8)
    moved = spread_out(np.ascontiguousarray(quartet(plane)[1::2, 1::2]))
    np.testing.assert_array_equal(moved[:5, :7], plane[1:, 1:])


def test_a_third_has_whole_halves_and_repeats_the_last() -> None:
    plane = np.full((7, 12), 8, np.uint8)
    plane[-1] = 20
    small = third(plane, 8)
    np.testing.assert_array_equal(small[:, 0], [8, 8, 20, 20])
    assert small.shape == (4, 4)
    np.testing.assert_array_equal(third(plane.astype(np.uint16) * 4, 10), small)


def test_every_way_has_the_flows_that_its_guesses_read() -> None:
    for way in WAYS.values():
        assert {which for which, _, _ in way.guesses} == set(range(way.num_flows))
