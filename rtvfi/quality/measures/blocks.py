"""Splits pictures into square blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.generic)


def in_blocks(x: NDArray[Kind], side: int) -> NDArray[Kind]:
    """View (H, W) as (R, side, C, side), without rows and columns that do not fill a block."""
    rows, columns = (length // side for length in x.shape)
    return x[: rows * side, : columns * side].reshape(rows, side, columns, side)
