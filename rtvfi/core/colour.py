"""Conversion between YUV codes and RGB: matrices and code levels (ITU-T H.273, section 8.3).

Y = kr R + kg G + kb B      U = (B - Y) / (2 (1 - kb))      V = (R - Y) / (2 (1 - kr))
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rtvfi.core.frame import StreamInfo

log = logging.getLogger(__name__)

KR: Final = 0.2126
KG: Final = 0.7152
KB: Final = 0.0722
"""BT.709: the weights of red, green and blue in luma."""
U_SPAN: Final = 2 * (1 - KB)
V_SPAN: Final = 2 * (1 - KR)
"""Divisors of the colour differences B - Y and R - Y."""

_WEIGHTS: Final = {
    1: (KR, KB),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.470 B/G, the same as BT.601
    6: (0.299, 0.114),  # SMPTE 170M, the same as BT.601
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020, non-constant luminance
    10: (0.2627, 0.0593),  # BT.2020, constant luminance; players treat it the same way
}
_said: set[int] = set()


@dataclass(frozen=True, slots=True)
class Levels:
    """How codes map to numbers: ``y = (Y - y_zero) / y_span``, ``u = (U - uv_zero) / uv_span``."""

    y_zero: int
    y_span: int
    uv_zero: int
    uv_span: int
    top: int
    """The highest code."""


def luma_weights(info: StreamInfo) -> tuple[float, float]:
    """(kr, kb) of the stream's matrix; BT.709's for an unknown one, with a warning, once."""
    code = info.color.resolved_matrix(info.width, info.height)
    if code not in _WEIGHTS and code not in _said:
        _said.add(code)
        log.warning("colour matrix %d is treated as BT.709", code)
    return _WEIGHTS.get(code, _WEIGHTS[1])


def levels(info: StreamInfo) -> Levels:
    """The code levels of the stream's range and depth."""
    unit = 1 << info.format.bits - 8
    top = 256 * unit - 1
    if info.color.full_range:
        return Levels(0, top, 128 * unit, top, top)
    return Levels(16 * unit, 219 * unit, 128 * unit, 224 * unit, top)


def rgb_from_yuv(info: StreamInfo) -> tuple[tuple[float, float, float], ...]:
    """Rows R, G, B; columns y [0, 1], u and v [-0.5, 0.5]."""
    kr, kb = luma_weights(info)
    kg = 1 - kr - kb
    red, blue = 2 * (1 - kr), 2 * (1 - kb)
    return ((1.0, 0.0, red), (1.0, -kb * blue / kg, -kr * red / kg), (1.0, blue, 0.0))
