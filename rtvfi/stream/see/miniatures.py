"""32x32 miniatures of host planes and their structural similarity, without torch.

A pixel of a miniature is the bilinear mean of the four source pixels around its centre, so only
4096 source pixels are read. The SSIM (Wang et al. 2004, "Image quality assessment: from error
visibility to structural similarity") is computed as in MultiPassDedup and DRBA, so that their
thresholds mean the same here: over the volume of 3 x 32 x 32 voxels, with an 11 x 11 x 11 Gaussian
of sigma 1.5.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rtvfi.core.colour import levels, rgb_from_yuv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo

    Floats = NDArray[np.float32]

SIZE: Final = 32
"""Rows and columns of a miniature."""
_SIGMA: Final = 1.5
_RADIUS: Final = 5
_C1: Final = 0.01**2
_C2: Final = 0.03**2


class Miniature(NamedTuple):
    """A 32x32 picture and its filtered moments; all (3, 32, 32)."""

    rgb: Floats
    mean: Floats
    variance: Floats


def ssim(a: Miniature, b: Miniature) -> float:
    """Structural similarity of two miniatures: 1 for equal ones, about 0 for unrelated ones."""
    product = a.mean * b.mean
    covariance = _blur(a.rgb * b.rgb) - product
    above = (2 * product + _C1) * (2 * covariance + _C2)
    below = (a.mean**2 + b.mean**2 + _C1) * (a.variance + b.variance + _C2)
    return float((above / below).mean())


def miniature(rgb: Floats) -> Miniature:
    """The miniature and moments of a small RGB picture, (3, 32, 32), [0, 1]."""
    mean = _blur(rgb)
    return Miniature(rgb, mean, _blur(rgb * rgb) - mean * mean)


class Miniatures:
    """Makes miniatures of one stream's payloads; tables for its size are computed once."""

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
        # (3, 64, 64) positions in the payload; the nearest chroma sample is used.
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
        """The miniature of one picture."""
        codes = payload.view(self._dtype).take(self._positions)
        small = self._down @ codes.astype(np.float32) @ self._right
        rgb = self._matrix @ small.reshape(3, -1) - self._offset
        return miniature(rgb.clip(0, 1).reshape(3, SIZE, SIZE))


def _taps(length: int) -> tuple[NDArray[np.intp], Floats]:
    """Positions (64,) that a bilinear resize to 32 with half-pixel centres reads, and its weights
    (32, 64).
    """
    centres = np.maximum((np.arange(SIZE) + 0.5) * length / SIZE - 0.5, 0)
    left = np.floor(centres).astype(np.intp)
    positions = np.concatenate([left, np.minimum(left + 1, length - 1)])
    part = (centres - left).astype(np.float32)
    return positions, np.concatenate([np.diag(1 - part), np.diag(part)], axis=1)


def _gaussian(length: int) -> Floats:
    """The Gaussian blur along one axis as a (length, length) matrix; the end values repeat."""
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
    """Blur a (3, 32, 32) volume along all three axes."""
    planes: Floats = np.matmul(np.matmul(_PLANE_BLUR, volume), _PLANE_BLUR.T)
    mixed: Floats = np.matmul(_DEPTH_BLUR, planes.reshape(3, -1))
    return mixed.reshape(volume.shape)
