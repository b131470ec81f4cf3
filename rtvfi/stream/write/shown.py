"""Crops, mirrors and rotates pictures to the way they are shown, so that a file needs no such
instructions. Pure.

Players disagree about these instructions: mpv before 0.38 does not crop, mpv 0.35 does not rotate
Matroska files written by FFmpeg, and no version mirrors.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rtvfi.core.frame import NO_CROP, Siting, Turn, plane_views

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.core.frame import ColorInfo, StreamInfo


def _color(info: StreamInfo, size: tuple[int, int]) -> ColorInfo:
    """The colour description after turning, and at another size."""
    turn, color = info.turn, info.color
    is_moved = turn.flips_x or turn.swaps or (turn.flips_y and color.siting is Siting.TOP_LEFT)
    matrix = color.resolved_matrix(info.width, info.height)
    if color.resolved_matrix(*size) != matrix:  # players guess it by the size
        color = replace(color, matrix=matrix)
    return replace(color, siting=Siting.CENTRE) if is_moved else color


class Shown:
    """Turns payloads of one stream into those of a file.

    Args:
        info: the stream.
    """

    def __init__(self, info: StreamInfo) -> None:
        self._stored = info
        crop, unit = info.crop, 1 << info.format.chroma_shift
        # A crop may not split chroma samples: rather lose a line of the picture than keep a black
        # one.
        self._left, self._top = (-(-edge // unit) * unit for edge in (crop.left, crop.top))
        width = max(1, info.width - crop.right - self._left)
        height = max(1, info.height - crop.bottom - self._top)
        self._size = width, height
        self.is_same = not info.crop and not info.turn
        turn, aspect = info.turn, info.pixel_aspect
        self.info = replace(
            info,
            width=height if turn.swaps else width,
            height=width if turn.swaps else height,
            pixel_aspect=1 / aspect if turn.swaps else aspect,
            color=_color(info, (width, height)),
            sampling="" if turn.swaps else info.sampling,
            rotation=0,
            turn=Turn(),
            crop=NO_CROP,
        )
        """The stream of the returned payloads."""

    def __call__(self, payload: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Convert a payload to one of ``info``; the same object if there is nothing to do."""
        if self.is_same:
            return payload
        made = np.empty(self.info.payload_bytes, np.uint8)
        targets = plane_views(made, self.info)
        shift, turn = self._stored.format.chroma_shift, self._stored.turn
        for number, (plane, target) in enumerate(
            zip(plane_views(payload, self._stored), targets, strict=True)
        ):
            by = shift if number else 0
            rows, columns = target.shape[::-1] if turn.swaps else target.shape
            top, left = self._top >> by, self._left >> by
            cut = plane[top : top + rows, left : left + columns]
            cut = cut.T if turn.swaps else cut
            cut = cut[:, ::-1] if turn.flips_x else cut
            np.copyto(target, cut[::-1] if turn.flips_y else cut)
        return made
