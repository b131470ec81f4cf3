"""Puts two pictures of a stream side by side into one, for comparison. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rtvfi.core.frame import plane_views

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo


class Montage:
    """Puts payloads of one stream side by side.

    Args:
        info: the stream. If its chroma is subsampled and its width is odd, the last column of each
            picture is repeated, so that no chroma sample belongs to both pictures.
    """

    def __init__(self, info: StreamInfo) -> None:
        unit = 1 << info.format.chroma_shift
        self._single = info
        self._half = -(-info.width // unit) * unit
        self.info = replace(info, width=2 * self._half)
        """The stream of the combined payloads."""

    def join(self, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Combine two payloads to one of ``info``; samples are not changed."""
        payload = np.empty(self.info.payload_bytes, np.uint8)
        singles = (plane_views(single, self._single) for single in (left, right))
        for wide, *halves in zip(plane_views(payload, self.info), *singles, strict=True):
            middle = wide.shape[1] // 2
            for target, plane in zip((wide[:, :middle], wide[:, middle:]), halves, strict=True):
                columns = plane.shape[1]
                target[:, :columns] = plane
                target[:, columns:] = plane[:, -1:]
        return payload
