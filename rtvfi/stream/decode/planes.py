"""Converts decoded PyAV frames to payloads of the stream's fixed size and format.

Planar 4:2:0 and 4:4:4 of 8 or 10 bits is copied once, bit-exactly. Other layouts of the same
samples (nv12, p010, grey, an alpha plane) are rearranged here, also exactly; all other formats are
converted by swscale.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from av.video.reformatter import VideoReformatter

from rtvfi.core.frame import PIXEL_FORMATS, Shape, plane_views
from rtvfi.stream.decode.shapes import fitted

if TYPE_CHECKING:
    import av
    from av.video.plane import VideoPlane
    from numpy.typing import NDArray

    from rtvfi.core.frame import PixelFormat, StreamInfo

    Samples = NDArray[np.uint8 | np.uint16]

log = logging.getLogger(__name__)

FULL_RANGE: Final = 2
"""AVCOL_RANGE_JPEG."""

_SAME_PLANES: Final = {
    name: PIXEL_FORMATS[carried]
    for carried, names in {
        "yuv420p": ("yuv420p", "yuvj420p", "yuva420p"),
        "yuv420p10le": ("yuv420p10le", "yuva420p10le"),
        "yuv444p": ("yuv444p", "yuvj444p", "yuva444p"),
        "yuv444p10le": ("yuv444p10le", "yuva444p10le"),
    }.items()
    for name in names
}
_SEMI_PLANAR: Final = {
    "nv12": PIXEL_FORMATS["yuv420p"],
    "p010le": PIXEL_FORMATS["yuv420p10le"],
}
_GREY: Final = {
    "gray": PIXEL_FORMATS["yuv420p"],
    "gray10le": PIXEL_FORMATS["yuv420p10le"],
}


def carried_format(source: av.VideoFormat) -> PixelFormat:
    """The nearest of ``PIXEL_FORMATS``: more chroma rather than less, 10 bits for all above 8."""
    for table in (_SAME_PLANES, _SEMI_PLANAR, _GREY):
        if source.name in table:
            return table[source.name]
    has_chroma = source.is_rgb or source.has_palette or len(source.components) > 2
    halved = source.chroma_width(16) < 16 and source.chroma_height(16) < 16
    layout = "yuv420p" if halved or not has_chroma else "yuv444p"
    deep = not source.has_palette and max(c.bits for c in source.components) > 8
    return PIXEL_FORMATS[layout + ("10le" if deep else "")]


def whole_sampling(source: av.VideoFormat) -> str:
    """The one of ``WRITTEN_FORMATS`` that holds all chroma of 4:2:2 and 4:1:1; empty for others."""
    is_wide = source.chroma_height(16) == 16 and source.chroma_width(16) < 16
    if source.is_rgb or source.has_palette or len(source.components) < 3 or not is_wide:
        return ""
    return "yuv422p10le" if max(c.bits for c in source.components) > 8 else "yuv422p"


def is_full_range(frame: av.VideoFrame) -> bool:
    """Whether luma codes use the full range, from 0 to the highest."""
    if frame.format.name.startswith("yuvj"):
        return True
    if frame.format.name.startswith("gray"):
        return frame.color_range != 1  # FFmpeg's grey is full range unless it says otherwise
    return frame.color_range == FULL_RANGE and not frame.format.is_rgb


class Packer:
    """Turns frames of one stream into payloads.

    Args:
        size: (width, height) of every payload.
        matrix: ISO matrix code of the payloads, used when a frame is RGB.
        full_range: range of the payloads.
        aspect: pixel aspect of the payloads.
    """

    def __init__(
        self,
        pixel_format: PixelFormat,
        size: tuple[int, int],
        *,
        matrix: int,
        full_range: bool,
        aspect: Fraction = Fraction(1),
    ) -> None:
        self._format = pixel_format
        self._size = size
        self._shape = Shape(*size, aspect)
        self._matrix = matrix
        self._full_range = full_range
        self._bytes = pixel_format.payload_bytes(*size)
        self._shapes = pixel_format.plane_shapes(*size)
        self._reformatter = VideoReformatter()
        self._said: set[tuple[str, int, int]] = set()

    def pack(self, frame: av.VideoFrame, aspect: Fraction | None = None) -> NDArray[np.uint8]:
        """A new payload with the picture of ``frame``.

        Args:
            frame: a frame of any size and format.
            aspect: its pixel aspect, used to fit a picture of another shape between black bars;
                None = stretch it.
        """
        shape = Shape(frame.width, frame.height, aspect) if aspect is not None else self._shape
        if not shape.is_like(self._shape):
            return self._fit(frame, shape)
        name = frame.format.name
        fits = (frame.width, frame.height) == self._size
        fits = fits and is_full_range(frame) == self._full_range
        payload = np.empty(self._bytes, np.uint8)
        luma, *chroma = self._views(payload)
        if fits and _SAME_PLANES.get(name) == self._format:
            for view, plane in zip((luma, *chroma), frame.planes, strict=False):
                np.copyto(view, _samples(plane, view))
        elif fits and _SEMI_PLANAR.get(name) == self._format:
            self._unpack_semi_planar(frame, luma, chroma)
        elif fits and _GREY.get(name) == self._format:
            np.copyto(luma, _samples(frame.planes[0], luma))
            for view in chroma:
                view[...] = 1 << self._format.bits - 1
        elif fits and frame.format.chroma_width(16) == 8 and whole_sampling(frame.format):
            self._widen(frame, luma, chroma)
        else:
            converted = self._convert(frame)
            for view, plane in zip((luma, *chroma), converted.planes, strict=True):
                np.copyto(view, _samples(plane, view))
        return payload

    def _fit(self, frame: av.VideoFrame, shape: Shape) -> NDArray[np.uint8]:
        """A payload with the whole picture between black bars."""
        left, top, width, height = fitted(shape, self._shape)
        converted = self._convert(frame, (width, height))
        payload = np.empty(self._bytes, np.uint8)
        half = self._format.chroma_shift
        for number, (view, plane) in enumerate(
            zip(self._views(payload), converted.planes, strict=True)
        ):
            by = half if number else 0
            view[...] = (128 if number else 0 if self._full_range else 16) << self._format.bits - 8
            rows, columns = height >> by, width >> by
            inner = view[top >> by : (top >> by) + rows, left >> by : (left >> by) + columns]
            np.copyto(inner, _samples(plane, inner))
        return payload

    def _views(self, payload: NDArray[np.uint8]) -> list[Samples]:
        samples = payload if self._format.sample_bytes == 1 else payload.view("<u2")
        views, start = [], 0
        for rows, columns in self._shapes:
            views.append(samples[start : start + rows * columns].reshape(rows, columns))
            start += rows * columns
        return views

    def _unpack_semi_planar(
        self,
        frame: av.VideoFrame,
        luma: Samples,
        chroma: list[Samples],
    ) -> None:
        shift = 16 - self._format.bits if self._format.sample_bytes == 2 else 0
        np.right_shift(_samples(frame.planes[0], luma), shift, out=luma)
        rows, columns = chroma[0].shape
        pairs = _samples(frame.planes[1], np.empty((rows, 2 * columns), luma.dtype))
        for offset, view in enumerate(chroma):
            np.right_shift(pairs[:, offset::2], shift, out=view)

    def _widen(self, frame: av.VideoFrame, luma: Samples, chroma: list[Samples]) -> None:
        """4:2:2 to 4:4:4: stored chroma columns are kept, those between are means of neighbours."""
        half = whole_sampling(frame.format)
        if frame.format.name not in (half, half.replace("yuv", "yuvj")):
            # Packed formats, and those with more than 10 bits.
            frame = self._reformatter.reformat(frame, format=half)
        np.copyto(luma, _samples(frame.planes[0], luma))
        for view, plane in zip(chroma, frame.planes[1:], strict=False):
            given = view[:, ::2]
            np.copyto(given, _samples(plane, np.empty(given.shape, view.dtype)))
            between = view[:, 1::2]
            between[:, -1:] = given[:, -1:]
            left, right = given[:, :-1].astype(np.uint16), given[:, 1:]
            between[:, : left.shape[1]] = left + right + 1 >> 1

    def _convert(self, frame: av.VideoFrame, size: tuple[int, int] | None = None) -> av.VideoFrame:
        size = size or self._size
        key = (frame.format.name, frame.width, frame.height)
        if key not in self._said:
            self._said.add(key)
            log.warning(
                "%s pictures of %dx%d are converted to %s of %dx%d",
                *key,
                self._format.name,
                *size,
            )
        from_rgb = frame.format.is_rgb or frame.format.has_palette
        matrix = swscale_matrix(self._matrix)
        return self._reformatter.reformat(
            frame,
            *size,
            self._format.name,
            src_colorspace=None if from_rgb else matrix,
            dst_colorspace=matrix,
            interpolation="BICUBIC",
            src_color_range=FULL_RANGE if from_rgb or is_full_range(frame) else 1,
            dst_color_range=FULL_RANGE if self._full_range else 1,
        )


class Made(NamedTuple):
    """A payload and the shape of its picture; the fields are those of ``SourceFrame``."""

    payload: NDArray[np.uint8]
    is_start: bool = False
    strange: Shape | None = None


class Payloads:
    """Turns the frames of one stream into payloads, also when their shape changes.

    Args:
        info: the stream.
        aspect: pixel aspect of a frame that states none.
        period: seconds per frame.
    """

    def __init__(self, info: StreamInfo, aspect: Fraction, period: Fraction) -> None:
        self._info = info
        self._aspect = aspect
        self._slack = period / 4
        """Tolerance in seconds: after a seek, the time of a frame may differ by a tick."""
        self._newest: Shape | None = None
        self._packers: dict[Shape, Packer] = {}

    def reset(self) -> None:
        """Forget the previous frame, before a seek's frames are converted."""
        self._newest = None

    def make(self, frame: av.VideoFrame, pts: Fraction, aspect: Fraction | None) -> Made:
        """A new payload with the picture of ``frame``.

        Args:
            frame: a frame of any size and format.
            pts: its time, seconds.
            aspect: its pixel aspect; None = the stream's.
        """
        info, aspect = self._info, aspect or self._aspect
        if not info.stretches:
            return Made(self.pack(frame, aspect))
        own, shape = Shape(frame.width, frame.height, aspect), info.shape_at(pts + self._slack)
        newest, self._newest = self._newest, shape
        return Made(
            self._at_corner(self.pack(frame, aspect, shape), shape),
            is_start=newest is not None and newest != shape,
            strange=own if own != shape else None,
        )

    def pack(
        self, frame: av.VideoFrame, aspect: Fraction | None = None, shape: Shape | None = None
    ) -> NDArray[np.uint8]:
        """A payload of the given shape, by default that of the stream's payloads."""
        info, shape = self._info, shape or self._info.shape
        if shape not in self._packers:
            self._packers[shape] = Packer(
                info.format,
                (shape.width, shape.height),
                matrix=info.color.resolved_matrix(shape.width, shape.height),
                full_range=info.color.full_range,
                aspect=shape.aspect,
            )
        return self._packers[shape].pack(frame, aspect)

    def _at_corner(self, picture: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
        info = self._info
        if (shape.width, shape.height) == (info.width, info.height):
            return picture
        payload = np.empty(info.payload_bytes, np.uint8)
        inner = plane_views(picture, replace(info, width=shape.width, height=shape.height))
        for view, plane in zip(plane_views(payload, info), inner, strict=True):
            rows, columns = plane.shape
            view[:rows, :columns] = plane
            view[:rows, columns:] = plane[:, -1:]
            view[rows:] = view[rows - 1]
        return payload


def swscale_matrix(iso: int) -> int:
    """swscale's number (SWS_CS_*) of an ISO matrix code."""
    return {1: 1, 4: 4, 7: 7, 9: 9, 10: 9}.get(iso, 5)


def _samples(plane: VideoPlane, like: Samples) -> Samples:
    """A view of FFmpeg's memory with the shape and type of ``like``."""
    rows, columns = like.shape
    stride = plane.line_size // like.itemsize
    raw = np.asarray(memoryview(plane)).view(like.dtype)
    view: Samples = raw[: rows * stride].reshape(rows, stride)[:, :columns]
    return view
