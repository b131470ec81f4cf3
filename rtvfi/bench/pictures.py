"""Test pictures for measuring: a moving drawing with grain, generated without torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from rtvfi.bench.jobs import FILM_RATE
from rtvfi.core.frame import PIXEL_FORMATS, ColorInfo, StreamInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.bench.jobs import Size
    from rtvfi.engine.build import Viewing

_STEP: Final = 6
"""Pixels that the drawing moves from frame to frame."""


@dataclass(frozen=True, slots=True)
class _Sized:
    """The fields of a ``Viewing`` that are needed to create an executor."""

    info: StreamInfo
    target_rate: Fraction


def viewing_of(info: StreamInfo, target_rate: Fraction) -> Viewing:
    """A stand-in for such a film interpolated to a rate, for ``ModelHost``; it has no frames."""
    return cast("Viewing", _Sized(info, target_rate))


def film_info(size: Size) -> StreamInfo:
    """The properties of a typical film of that size: 8-bit 4:2:0, BT.709."""
    return StreamInfo(
        width=size.width,
        height=size.height,
        format=PIXEL_FORMATS["yuv420p"],
        color=ColorInfo(matrix=1, primaries=1, transfer=1),
        source_rate=Fraction(FILM_RATE),
        start=Fraction(0),
        duration=Fraction(60),
        pixel_aspect=Fraction(1),
    )


def film(info: StreamInfo, count: int) -> list[NDArray[np.uint8]]:
    """The payloads of ``count`` different frames: a pan over flat areas with edges and grain."""
    rng = np.random.default_rng(7)
    margin = _STEP * count
    rows, columns = info.height, info.width + margin
    y = np.arange(rows, dtype=np.float32)[:, None]
    x = np.arange(columns, dtype=np.float32)
    waves = np.sin(x / 37) + np.cos((y + x / 3) / 29) + np.sin((x - y) / 91)
    drawing = 40 + 24 * np.floor(waves * 1.5 + 4.5)
    drawing += 2.5 * rng.standard_normal(drawing.shape, np.float32)
    luma = np.clip(drawing, 16, 235).astype(np.uint8)
    (_, (h, w), _) = info.format.plane_shapes(info.width, info.height)
    u = np.clip(128 + (luma[::2, ::2].astype(int) - 128) // 3, 16, 240).astype(np.uint8)
    frames = []
    for k in range(count):
        left = _STEP * k
        parts = [luma[:, left : left + info.width]]
        chroma = u[:h, left // 2 : left // 2 + w]
        parts += [chroma, 255 - chroma]
        frames.append(np.concatenate([part.ravel() for part in parts]))
    return frames
