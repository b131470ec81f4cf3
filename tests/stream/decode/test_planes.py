"""Frames of every layout become payloads, exactly where that is possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from rtvfi.core.frame import PIXEL_FORMATS
from rtvfi.stream.decode.planes import Packer, carried_format

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Planes = list[NDArray[Any]]


def random_planes(pixel_format: str, size: tuple[int, int]) -> Planes:
    carried = PIXEL_FORMATS[pixel_format]
    rng = np.random.default_rng(0)
    dtype = np.uint8 if carried.bits == 8 else np.uint16
    return [
        rng.integers(0, 1 << carried.bits, shape, dtype) for shape in carried.plane_shapes(*size)
    ]


def frame_of(pixel_format: str, size: tuple[int, int], planes: Planes) -> av.VideoFrame:
    """A frame with these samples, lines padded with noise."""
    frame = av.VideoFrame(*size, pixel_format)
    rng = np.random.default_rng(1)
    for plane, samples in zip(frame.planes, planes, strict=False):
        stride = plane.line_size // samples.itemsize
        padded = rng.integers(0, 200, (plane.height, stride)).astype(samples.dtype)
        padded[:, : samples.shape[1]] = samples
        plane.update(padded.tobytes())
    return frame


def joined(planes: Planes) -> bytes:
    return b"".join(p.tobytes() for p in planes)


def packer(pixel_format: str, size: tuple[int, int], *, full_range: bool = False) -> Packer:
    return Packer(PIXEL_FORMATS[pixel_format], size, matrix=1, full_range=full_range)


SIZES = [(64, 48), (161, 91), (1, 1), (2, 7), (1921, 33)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
def test_carried_formats_are_copied_exactly(pixel_format: str, size: tuple[int, int]) -> None:
    planes = random_planes(pixel_format, size)
    payload = packer(pixel_format, size).pack(frame_of(pixel_format, size, planes))
    assert payload.tobytes() == joined(planes)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("layout", "carried", "shift"), [("nv12", "yuv420p", 0), ("p010le", "yuv420p10le", 6)]
)
def test_semi_planar_layouts_are_taken_apart_exactly(
    layout: str, carried: str, shift: int, size: tuple[int, int]
) -> None:
    y, u, v = random_planes(carried, size)
    pairs = np.stack([u, v], -1).reshape(len(u), -1)
    frame = frame_of(layout, size, [y << shift, pairs << shift])
    assert carried_format(frame.format) is PIXEL_FORMATS[carried]
    assert packer(carried, size).pack(frame).tobytes() == joined([y, u, v])


@pytest.mark.parametrize(
    ("layout", "carried", "middle"), [("gray", "yuv420p", 128), ("gray10le", "yuv420p10le", 512)]
)
def test_grey_has_neutral_chroma(layout: str, carried: str, middle: int) -> None:
    y, u, v = random_planes(carried, (33, 21))
    payload = packer(carried, (33, 21), full_range=True).pack(frame_of(layout, (33, 21), [y]))
    neutral = [np.full_like(plane, middle) for plane in (u, v)]
    assert payload.tobytes() == joined([y, *neutral])


def test_full_range_formats_of_old_are_copied_exactly() -> None:
    planes = random_planes("yuv420p", (64, 48))
    frame = frame_of("yuvj420p", (64, 48), planes)
    assert packer("yuv420p", (64, 48), full_range=True).pack(frame).tobytes() == joined(planes)


def test_a_change_of_range_is_converted(caplog: pytest.LogCaptureFixture) -> None:
    planes = [np.full(s, 235, np.uint8) for s in PIXEL_FORMATS["yuv420p"].plane_shapes(64, 48)]
    planes[1][:] = planes[2][:] = 128
    frame = frame_of("yuv420p", (64, 48), planes)
    frame.color_range = 1
    payload = packer("yuv420p", (64, 48), full_range=True).pack(frame)
    assert set(payload[: 64 * 48]) == {255}
    assert set(payload[64 * 48 :]) == {128}


def test_payloads_do_not_share_memory_with_the_decoder() -> None:
    planes = random_planes("yuv420p", (64, 48))
    frame = frame_of("yuv420p", (64, 48), planes)
    payload = packer("yuv420p", (64, 48)).pack(frame)
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    assert payload.tobytes() == joined(planes)


@pytest.mark.parametrize(
    ("layout", "carried"),
    [
        ("yuv420p9le", "yuv420p10le"),
        ("yuv420p16le", "yuv420p10le"),
        ("yuv440p", "yuv444p"),
        ("yuv411p", "yuv444p"),
        ("yuv410p", "yuv420p"),
        ("nv21", "yuv420p"),
        ("nv16", "yuv444p"),
        ("yuyv422", "yuv444p"),
        ("y210le", "yuv444p10le"),
        ("rgb24", "yuv444p"),
        ("gbrp", "yuv444p"),
        ("gbrp12le", "yuv444p10le"),
        ("gbrpf32le", "yuv444p10le"),
        ("rgba64le", "yuv444p10le"),
        ("pal8", "yuv444p"),
        ("monow", "yuv420p"),
        ("ya8", "yuv420p"),
        ("gray16le", "yuv420p10le"),
    ],
)
def test_every_layout_has_a_nearest(layout: str, carried: str) -> None:
    assert carried_format(av.VideoFormat(layout, 16, 16)).name == carried
    frame = av.VideoFrame(16, 16, layout)
    payload = packer(carried, (16, 16)).pack(frame)
    assert payload.size == PIXEL_FORMATS[carried].payload_bytes(16, 16)
