"""A frame number that survives codecs: a strip of black and white cells at the top of the picture.

Two rows of ``COLUMNS`` cells over the full width. Each row starts with a white and a black guard
cell and ends with a black and a white one; between them lie the 24 bits of the number as Gray code
(neighbouring frames differ in few cells, so the strip hardly disturbs measures of change) and 8
check bits. Cells are neutral in colour and are judged relative to the guards, so range, depth,
matrix and scaling do not matter. A mixture of two numbers puts some cell between black and white,
and then there is no number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUM_BITS: Final = 24
CHECK_BITS: Final = 8
COLUMNS: Final = 20
ROWS: Final = 2
STRIP: Final = 2 / 15
"""Height of the strip as a part of the picture's height: 24 of 180 rows."""
SLACK: Final = 0.12
"""How far a cell may be from black or white, as a part of the way between them."""


def _check(gray: int) -> int:
    """CRC-8 (polynomial 0x07, initial value 0x5a) of the Gray-coded number."""
    crc = 0x5A
    for byte in gray.to_bytes(NUM_BITS // 8, "big"):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc


def _cells(number: int) -> NDArray[np.bool_]:
    """The code as (ROWS, COLUMNS) cells, True = white."""
    if not 0 <= number < 1 << NUM_BITS:
        raise ValueError(f"a bar code holds 0..{(1 << NUM_BITS) - 1}, not {number}")
    gray = number ^ number >> 1
    word = gray << CHECK_BITS | _check(gray)
    num = NUM_BITS + CHECK_BITS
    bits = np.array([word >> (num - 1 - i) & 1 for i in range(num)], bool).reshape(ROWS, -1)
    guard = np.tile([True, False], (ROWS, 1))
    return np.hstack([guard, bits, guard[:, ::-1]])


def strip_rows(height: int) -> int:
    """Number of rows at the top of a picture that belong to the strip."""
    return round(height * STRIP)


def draw_code(luma: NDArray[Any], number: int, black: int, white: int) -> None:
    """Write ``number`` into the top of ``luma`` (H, W), in place."""
    height, width = strip_rows(luma.shape[0]), luma.shape[1]
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    luma[:height] = np.where(_cells(number)[rows][:, columns], white, black)


def _cell_levels(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the middle half of every cell, (ROWS, COLUMNS)."""
    height, width = luma.shape[0] * STRIP, luma.shape[1]
    levels = np.empty((ROWS, COLUMNS))
    for row in range(ROWS):
        top, bottom = ((row + 0.25) * height / ROWS, (row + 0.75) * height / ROWS)
        for column in range(COLUMNS):
            left, right = (column + 0.25) * width / COLUMNS, (column + 0.75) * width / COLUMNS
            cell = luma[int(top) : max(round(bottom), int(top) + 1)]
            levels[row, column] = cell[:, int(left) : max(round(right), int(left) + 1)].mean()
    return levels


def read_code(picture: NDArray[Any]) -> int | None:
    """The number in a picture.

    Args:
        picture: (H, W) luma, or (H, W, C) with the first three channels red, green, blue in any
            order; any type, depth and range, any scaling of the drawn picture.

    Returns:
        The number, or None when there is no code, two codes are mixed or a cell is in doubt.
    """
    luma = picture[..., :3].mean(axis=2) if picture.ndim == 3 else picture.astype(np.float64)
    levels = _cell_levels(luma)
    white = levels[:, [0, -1]].mean()
    black = levels[:, [1, -2]].mean()
    if white - black <= 0.5 * abs(white):
        return None
    levels = (levels - black) / (white - black)
    if np.minimum(abs(levels), abs(levels - 1)).max() > SLACK:
        return None
    cells = levels > 0.5
    gray = int("".join(str(int(bit)) for bit in cells[:, 2:-2].flat), 2) >> CHECK_BITS
    number = gray
    while gray := gray >> 1:
        number ^= gray
    return number if (cells == _cells(number)).all() else None
