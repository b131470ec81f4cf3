"""Scene cuts and repeated pictures, measured on the host planes without torch.

A cut is a pair of frames whose 32x32 RGB miniatures have an SSIM below a threshold. A miniature
pixel is a bilinear mean of the four source pixels around its centre, so only 4096 of them are ever
looked at. The SSIM (Wang et al. 2004, "Image quality assessment: from error visibility to
structural similarity") is that of MultiPassDedup and DRBA, so that their thresholds mean the same
here: taken over the volume of 3 x 32 x 32 voxels, with an 11 x 11 x 11 Gaussian of sigma 1.5.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rtvfi.stream.matrix import levels, rgb_from_yuv
from rtvfi.stream.plan import Stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.frame import SourceFrame, StreamInfo

    Floats = NDArray[np.float32]

SIZE: Final = 32
"""Rows and columns of a miniature."""
_SIGMA: Final = 1.5
_RADIUS: Final = 5
_C1: Final = 0.01**2
_C2: Final = 0.03**2
_COMPARED_WORDS: Final = 1 << 15
"""Compared at a time, 256 KiB: stays in the cache, and a difference ends it early."""


class Miniature(NamedTuple):
    """A 32x32 picture and its filtered moments; all (3, 32, 32)."""

    rgb: Floats
    mean: Floats
    variance: Floats


class CutDetector:
    """Stamps the frames of one stream; used by one thread.

    Args:
        threshold: a pair with a lower SSIM is a cut; higher finds more.
    """

    def __init__(self, info: StreamInfo, threshold: float = 0.3) -> None:
        self._threshold = threshold
        self._miniatures = _Miniatures(info)
        self.reset()

    def reset(self) -> None:
        """After a seek: the next frame starts a scene and is number 0."""
        self._index = 0
        self._payload: NDArray[np.uint8] | None = None
        self._miniature: Miniature | None = None

    def push(self, frame: SourceFrame) -> Stamp:
        """What the planner must know of the next frame."""
        miniature = self._miniatures.make(frame.payload)
        is_same = self._is_same(miniature, frame.payload)
        is_cut = self._miniature is None or (
            not is_same and ssim(self._miniature, miniature) < self._threshold
        )
        stamp = Stamp(
            index=self._index,
            pts=frame.pts,
            end=frame.pts + frame.duration,
            cut=is_cut,
            same=is_same,
        )
        self._index += 1
        self._payload, self._miniature = frame.payload, miniature
        return stamp

    def _is_same(self, miniature: Miniature, payload: NDArray[np.uint8]) -> bool:
        if self._payload is None or self._miniature is None:
            return False
        if payload is self._payload:
            return True
        if not np.array_equal(miniature.rgb, self._miniature.rgb):
            return False
        return _equal_bytes(payload, self._payload)


def ssim(a: Miniature, b: Miniature) -> float:
    """Structural similarity of two miniatures: 1 for equal ones, about 0 for unrelated ones."""
    product = a.mean * b.mean
    covariance = _blur(a.rgb * b.rgb) - product
    above = (2 * product + _C1) * (2 * covariance + _C2)
    below = (a.mean**2 + b.mean**2 + _C1) * (a.variance + b.variance + _C2)
    return float((above / below).mean())


def miniature(rgb: Floats) -> Miniature:
    """The moments of a small picture, (3, 32, 32), 0..1."""
    mean = _blur(rgb)
    return Miniature(rgb, mean, _blur(rgb * rgb) - mean * mean)


class _Miniatures:
    """Payloads of one stream -> miniatures; what depends on the size is computed once."""

    def __init__(self, info: StreamInfo) -> None:
        self._dtype = np.dtype("u1" if info.format.bits == 8 else "<u2")
        height, width = info.height, info.width
        rows, row_weights = _taps(height)
        columns, column_weights = _taps(width)
        (_, chroma, _) = info.format.plane_shapes(width, height)
        shift = info.format.chroma_shift
        in_chroma = (rows[:, None] >> shift) * chroma[1] + (columns >> shift)
        u_start = height * width
        v_start = u_start + chroma[0] * chroma[1]
        # (3, 64, 64) positions in the payload; chroma is that of the block the pixel lies in.
        self._positions = np.stack(
            [rows[:, None] * width + columns, u_start + in_chroma, v_start + in_chroma]
        )
        self._down = row_weights
        self._right = np.ascontiguousarray(column_weights.T)
        scale = levels(info)
        spans = np.array([scale.y_span, scale.uv_span, scale.uv_span])
        zeros = np.array([scale.y_zero, scale.uv_zero, scale.uv_zero])
        matrix = np.array(rgb_from_yuv(info)) / spans
        self._matrix = matrix.astype(np.float32)
        self._offset = (matrix @ zeros).astype(np.float32).reshape(3, 1)

    def make(self, payload: NDArray[np.uint8]) -> Miniature:
        codes = payload.view(self._dtype).take(self._positions)
        small = self._down @ codes.astype(np.float32) @ self._right
        rgb = self._matrix @ small.reshape(3, -1) - self._offset
        return miniature(rgb.clip(0, 1).reshape(3, SIZE, SIZE))


def _taps(length: int) -> tuple[NDArray[np.intp], Floats]:
    """Positions (64) a bilinear resize to 32 reads, half-pixel centres, and weights (32, 64)."""
    centres = np.maximum((np.arange(SIZE) + 0.5) * length / SIZE - 0.5, 0)
    left = np.floor(centres).astype(np.intp)
    positions = np.concatenate([left, np.minimum(left + 1, length - 1)])
    part = (centres - left).astype(np.float32)
    return positions, np.concatenate([np.diag(1 - part), np.diag(part)], axis=1)


def _gaussian(length: int) -> Floats:
    """The blur along one axis as a matrix; beyond the ends the last value repeats."""
    offsets = range(-_RADIUS, _RADIUS + 1)
    taps = [math.exp(-(x**2) / (2 * _SIGMA**2)) for x in offsets]
    matrix = np.zeros((length, length), np.float64)
    for row in range(length):
        for offset, tap in zip(offsets, taps, strict=True):
            matrix[row, min(max(row + offset, 0), length - 1)] += tap
    return (matrix / sum(taps)).astype(np.float32)


_PLANE_BLUR: Final = _gaussian(SIZE)
_DEPTH_BLUR: Final = _gaussian(3)


def _blur(volume: Floats) -> Floats:
    """The Gaussian over all three axes of (3, 32, 32)."""
    planes: Floats = np.matmul(np.matmul(_PLANE_BLUR, volume), _PLANE_BLUR.T)
    mixed: Floats = np.matmul(_DEPTH_BLUR, planes.reshape(3, -1))
    return mixed.reshape(volume.shape)


def _equal_bytes(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
    if len(a) != len(b):
        return False
    whole = len(a) & ~7
    words_a, words_b = a[:whole].view(np.uint64), b[:whole].view(np.uint64)
    for start in range(0, len(words_a), _COMPARED_WORDS):
        part = slice(start, start + _COMPARED_WORDS)
        if not np.array_equal(words_a[part], words_b[part]):
            return False
    return np.array_equal(a[whole:], b[whole:])
