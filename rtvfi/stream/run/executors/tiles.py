"""Static tiles: where the source frames of an output are identical, the output gets their samples.

Static text, burnt-in subtitles and backgrounds beside moving characters then stay bit-exact,
whatever the network returns for them. A tile is 16 x 16 luma samples and their chroma; every sample
must be identical.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from rtvfi.core.frame import plane_views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo

    Payload = NDArray[np.uint8]
    Tiles = NDArray[np.bool_]

SIZE: Final = 16
"""Luma rows and columns of a tile; tiles at the right and bottom edge may have fewer."""


class StaticTiles:
    """Finds the static tiles of one stream's pictures and copies them; used by one thread."""

    def __init__(self, info: StreamInfo) -> None:
        self._info = info
        chroma = SIZE >> info.format.chroma_shift
        self._sizes = (SIZE, chroma, chroma)

    def agreeing(self, payloads: Sequence[Payload]) -> Tiles:
        """Find the tiles in which all pictures are identical.

        Args:
            payloads: at least two.

        Returns:
            (tile rows, tile columns) bool, True = identical.
        """
        changed = None
        for a, b in pairwise(payloads):
            for one, other, size in zip(self._planes(a), self._planes(b), self._sizes, strict=True):
                differs = _any_in_tiles(one ^ other, size)
                changed = differs if changed is None else changed | differs
        assert changed is not None, "one picture agrees with nothing"
        return ~changed

    def restore(self, made: Payload, source: Payload, tiles: Tiles) -> None:
        """Copy tiles from a source frame.

        Args:
            made: the payload that is written to.
            source: one of the source frames.
            tiles: the result of ``agreeing``.
        """
        if not tiles.any():
            return
        for to, of, size in zip(self._planes(made), self._planes(source), self._sizes, strict=True):
            full = np.array(np.iinfo(to.dtype).max, to.dtype)
            kept = np.repeat(tiles * full, size, axis=1)[:, : to.shape[1]]
            # Selecting by bit masks is as fast as copying for any pattern of tiles, and far faster
            # than numpy's where.
            for row in np.flatnonzero(tiles.any(axis=1)).tolist():
                band = to[row * size : (row + 1) * size]
                difference = band ^ of[row * size : (row + 1) * size]
                difference &= kept[row]
                band ^= difference

    def _planes(self, payload: Payload) -> tuple[NDArray[np.uint8 | np.uint16], ...]:
        return plane_views(payload, self._info)


def _any_in_tiles(differences: NDArray[np.uint8 | np.uint16], size: int) -> Tiles:
    """For each tile of a plane, whether it has a nonzero sample."""
    height, width = differences.shape
    whole = height // size
    rows = np.zeros((-(-height // size), -(-width // size) * size), differences.dtype)
    tall = differences[: whole * size].reshape(whole, size, width)
    np.bitwise_or.reduce(tall, axis=1, out=rows[:whole, :width])
    if whole < len(rows):
        np.bitwise_or.reduce(differences[whole * size :], axis=0, out=rows[whole, :width])
    tiles: Tiles = np.any(rows.reshape(len(rows), -1, size), axis=2)
    return tiles
