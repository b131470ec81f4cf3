"""Colour conversion against a plain float64 reading of the standards, and there and back."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rtvfi.core.frame import PIXEL_FORMATS, ColorInfo, Siting, StreamInfo, plane_views
from rtvfi.models.base import Planes
from rtvfi.stream.run.executors.convert import Converter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Payload = NDArray[np.uint8]
    Floats = NDArray[np.float64]

CPU = torch.device("cpu")
WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}


def stream(
    size: tuple[int, int] = (9, 14), pixel_format: str = "yuv420p", **color: Any
) -> StreamInfo:
    """(rows, columns) of any colour."""
    return StreamInfo(
        width=size[1],
        height=size[0],
        format=PIXEL_FORMATS[pixel_format],
        color=ColorInfo(**{"matrix": 1} | color),
        source_rate=Fraction(24),
        start=Fraction(0),
        duration=None,
        pixel_aspect=Fraction(1),
    )


def converter(info: StreamInfo, device: torch.device = CPU) -> Converter:
    return Converter(info, device, torch.float32)


def random_payload(info: StreamInfo, seed: int = 0) -> Payload:
    """Every code there is, legal or not."""
    rng = np.random.default_rng(seed)
    payload = np.zeros(info.payload_bytes, np.uint8)
    for view in plane_views(payload, info):
        view[...] = rng.integers(0, 1 << info.format.bits, view.shape)
    return payload


def normalised(payload: Payload, info: StreamInfo) -> list[Floats]:
    """Y in [0, 1], U and V in [-0.5, 0.5] by H.273."""
    bits = info.format.bits
    y, u, v = (view.astype(np.float64) for view in plane_views(payload, info))
    if info.color.full_range:
        top = 2**bits - 1
        return [y / top, (u - 2 ** (bits - 1)) / top, (v - 2 ** (bits - 1)) / top]
    unit = 2 ** (bits - 8)
    return [
        (y / unit - 16) / 219,
        (u / unit - 128) / 224,
        (v / unit - 128) / 224,
    ]


def interpolated(plane: Floats, length: int, axis: int, offset: float) -> Floats:
    """Linear interpolation of a chroma axis; sample k lies at luma position 2 k + offset."""
    places = (np.arange(length) - offset) / 2
    known = np.arange(plane.shape[axis])
    return np.apply_along_axis(lambda line: np.interp(places, known, line), axis, plane)


def reference_rgb(payload: Payload, info: StreamInfo) -> Floats:
    """(3, H, W) by definition, one standard at a time."""
    y, u, v = normalised(payload, info)
    if info.format.chroma_shift:
        down = 0.0 if info.color.siting is Siting.TOP_LEFT else 0.5
        right = 0.5 if info.color.siting is Siting.CENTRE else 0.0
        u, v = (
            interpolated(interpolated(c, info.height, 0, down), info.width, 1, right)
            for c in (u, v)
        )
    kr, kb = WEIGHTS[info.color.matrix]
    red = y + 2 * (1 - kr) * v
    blue = y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.stack([red, green, blue])


@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
@pytest.mark.parametrize("siting", Siting)
@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("full_range", [False, True])
def test_rgb_is_that_of_the_standard(
    pixel_format: str, siting: Siting, matrix: int, full_range: bool
) -> None:
    info = stream(pixel_format=pixel_format, siting=siting, matrix=matrix, full_range=full_range)
    payload = random_payload(info)
    got = converter(info).to_rgb(payload)[0].double().numpy()
    assert np.abs(got - reference_rgb(payload, info)).max() < 1e-5


@pytest.mark.parametrize("matrix", WEIGHTS)
def test_planes_of_rgb_are_those_of_the_standard(matrix: int) -> None:
    info = stream(pixel_format="yuv444p", matrix=matrix)
    rgb = np.random.default_rng(1).random((3, 9, 14))
    kr, kb = WEIGHTS[matrix]
    y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2]
    got = converter(info).from_rgb(torch.from_numpy(rgb)[None])
    assert np.abs(got.y[0, 0].numpy() - y).max() < 1e-6
    assert np.abs(got.uv[0, 0].numpy() - (rgb[2] - y) / (2 - 2 * kb)).max() < 1e-6
    assert np.abs(got.uv[0, 1].numpy() - (rgb[0] - y) / (2 - 2 * kr)).max() < 1e-6


@pytest.mark.parametrize("siting", Siting)
def test_a_chroma_ramp_is_halved_where_it_is(siting: Siting) -> None:
    info = stream((12, 16), siting=siting)
    y, x = np.mgrid[:12, :16] / 16
    grey = np.full_like(x, 0.5)
    rgb = torch.from_numpy(np.stack([grey, grey, grey + 0.2 * x + 0.1 * y]))[None]
    uv = converter(info).from_rgb(rgb).uv[0, 0].double().numpy()
    down = 0.0 if siting is Siting.TOP_LEFT else 0.5
    right = 0.5 if siting is Siting.CENTRE else 0.0
    rows, columns = (2 * np.mgrid[:6, :8] + np.reshape([down, right], (2, 1, 1))) / 16
    wanted = (1 - 0.0722) * (0.2 * columns + 0.1 * rows) / 1.8556
    assert np.abs(uv - wanted)[1:-1, 1:-1].max() < 1e-6


sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


@st.composite
def streams(draw: st.DrawFn) -> StreamInfo:
    return stream(
        draw(sizes),
        draw(st.sampled_from(list(PIXEL_FORMATS))),
        matrix=draw(st.sampled_from(list(WEIGHTS))),
        full_range=draw(st.booleans()),
        siting=draw(st.sampled_from(Siting)),
    )


@settings(max_examples=80, deadline=None)
@given(streams(), st.integers(0, 1 << 32))
def test_planes_keep_every_code(info: StreamInfo, seed: int) -> None:
    payload = random_payload(info, seed)
    room = converter(info)
    assert np.array_equal(room.from_planes(room.to_planes(payload))[0], payload)


@settings(max_examples=80, deadline=None)
@given(streams(), st.integers(0, 1 << 32))
def test_rgb_and_back_keeps_every_code(info: StreamInfo, seed: int) -> None:
    payload = random_payload(info, seed)
    room = converter(info)
    back = room.from_planes(room.from_rgb(room.to_rgb(payload)))[0]
    for got, want in zip(plane_views(back, info), plane_views(payload, info), strict=True):
        assert np.abs(got.astype(int) - want.astype(int)).max() <= 1


def test_codes_are_rounded_and_clipped() -> None:
    info = stream((1, 4), "yuv444p", full_range=True)
    y = torch.tensor([-1.0, 100.4 / 255, 100.6 / 255, 2.0]).reshape(1, 1, 1, 4)
    uv = torch.zeros(1, 2, 1, 4)
    payload = converter(info).from_planes(Planes(y, uv))[0]
    assert payload.tolist() == [0, 100, 101, 255] + [128] * 8


def test_ten_bit_codes_are_clipped_to_ten_bits() -> None:
    info = stream((1, 2), "yuv444p10le")
    y = torch.tensor([-9.0, 9.0]).reshape(1, 1, 1, 2)
    payload = converter(info).from_planes(Planes(y, torch.zeros(1, 2, 1, 2)))[0]
    assert plane_views(payload, info)[0].tolist() == [[0, 1023]]


def test_head_and_footroom_survive_rgb() -> None:
    info = stream((2, 2))
    payload = np.array([0, 255, 235, 16, 240, 16], np.uint8)
    room = converter(info)
    assert room.from_planes(room.from_rgb(room.to_rgb(payload)))[0].tolist() == payload.tolist()


def test_a_batch_gives_a_payload_each() -> None:
    info = stream()
    room = converter(info)
    payloads = [random_payload(info, seed) for seed in range(3)]
    planes = [room.to_planes(p) for p in payloads]
    batch = Planes(torch.cat([p.y for p in planes]), torch.cat([p.uv for p in planes]))
    rgb = room.planes_to_rgb(batch)
    assert rgb.shape == (3, 3, 9, 14)
    for got, want in zip(room.from_planes(room.from_rgb(rgb)), payloads, strict=True):
        assert np.array_equal(got, want)


def test_results_outlive_later_calls() -> None:
    info = stream()
    room = converter(info)
    first = room.to_planes(random_payload(info, 1))
    rgb = room.to_rgb(random_payload(info, 1))
    back = room.from_rgb(rgb)
    payload = room.from_planes(back)[0]
    kept = [t.clone() for t in (*first, rgb, *back)]
    kept_payload = payload.copy()
    other = room.to_rgb(random_payload(info, 2))
    room.from_planes(room.from_rgb(other))
    room.to_planes(random_payload(info, 2))
    assert all(torch.equal(a, b) for a, b in zip((*first, rgb, *back), kept, strict=True))
    assert np.array_equal(payload, kept_payload)


def test_inputs_are_not_written_to() -> None:
    info = stream()
    room = converter(info)
    payload = random_payload(info)
    kept = payload.copy()
    planes = room.to_planes(payload)
    rgb = room.planes_to_rgb(planes)
    copies = [t.clone() for t in (*planes, rgb)]
    room.from_planes(planes)
    room.from_rgb(rgb)
    assert np.array_equal(payload, kept)
    assert all(torch.equal(a, b) for a, b in zip((*planes, rgb), copies, strict=True))


def test_a_converter_works_in_and_out_of_inference_mode() -> None:
    info = stream()
    room = converter(info)
    payload = random_payload(info)
    with torch.inference_mode():
        room.from_planes(room.from_rgb(room.to_rgb(payload)))
    assert np.array_equal(room.from_planes(room.from_rgb(room.to_rgb(payload)))[0], payload)


def test_half_precision_is_a_matter_of_the_result_only() -> None:
    info = stream(pixel_format="yuv420p10le")
    payload = random_payload(info)
    room = Converter(info, CPU, torch.float16)
    rgb, planes = room.to_rgb(payload), room.to_planes(payload)
    assert rgb.dtype == planes.y.dtype == planes.uv.dtype == torch.float16
    assert np.abs(rgb[0].double().numpy() - reference_rgb(payload, info)).max() < 1e-3
    back = room.from_planes(room.from_rgb(rgb))[0]
    for got, want in zip(plane_views(back, info), plane_views(payload, info), strict=True):
        assert np.abs(got.astype(int) - want.astype(int)).max() <= 3


@pytest.mark.parametrize("shape", [(1, 3, 9, 15), (1, 1, 9, 14), (3, 9, 14)])
def test_wrong_shapes_are_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"wanted \(N, 3, 9, 14\), got"):
        converter(stream()).from_rgb(torch.zeros(shape))


def test_an_unexpected_matrix_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    info = stream(matrix=13)
    payload = random_payload(info)
    got = converter(info).to_rgb(payload)
    converter(info)
    assert caplog.text.count("colour matrix 13 is treated as BT.709") == 1
    assert torch.equal(got, converter(stream()).to_rgb(payload))


@pytest.mark.gpu
@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
def test_the_gpu_agrees_with_the_cpu(pixel_format: str) -> None:
    info = stream((91, 161), pixel_format)
    payload = random_payload(info)
    here, there = converter(info), converter(info, torch.device("cuda"))
    assert (there.to_rgb(payload).cpu() - here.to_rgb(payload)).abs().max() < 1e-5
    back = there.from_planes(there.from_rgb(there.to_rgb(payload)))[0]
    assert np.array_equal(back, payload)
    assert np.array_equal(there.from_planes(there.to_planes(payload))[0], payload)
