"""The model: pictures of one stream as planes of codes, in and out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cv2

from rtvfi.core.errors import UsageError
from rtvfi.models.dis.blend import Blend, Flow, View, padded
from rtvfi.models.dis.flow import FINEST, Estimator, halve, serially
from rtvfi.models.dis.rows import DIS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtvfi.models.dis.flow import Codes, Spread

    CodePlanes = Sequence[Codes]
    """Y, U, V of a picture, 2-D; uint8, or uint16 for more than 8 bits."""

_BAND: Final = 64
"""Rows of half size that are made at a time: what they need stays in a core's cache."""
_FINE: Final = 1.0
"""Flow scale from which every guess is fetched at full size."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One picture, ready to be paired."""

    view: View
    luma: Codes
    """(h, w) of half size, 8 bit."""


class Dis:
    """Pictures between two, along flows found by dense inverse search. Weight-free, torch-free.

    It is used by one thread, which may let others help.

    Args:
        flow_scale: 1, 0.5 or 0.25: how finely motion is found and fetched.
        bits: of a sample.
        spread: who runs parts of the work.

    Raises:
        UsageError: another flow scale.
    """

    info = DIS

    def __init__(self, flow_scale: float, bits: int, spread: Spread = serially) -> None:
        if flow_scale not in FINEST:
            known = ", ".join(f"{scale:g}" for scale in FINEST)
            raise UsageError(
                f'"dis" knows no flow scale {flow_scale:g}', f"expected one of {known}"
            )
        self.flow_scale = flow_scale
        self._bits = bits
        self._spread = spread
        self._estimator = Estimator(flow_scale, spread)

    def at_scale(self, flow_scale: float) -> Dis:
        """The same at another flow scale; what was prepared fits both.

        Raises:
            UsageError: it does not know that one.
        """
        return Dis(flow_scale, self._bits, self._spread)

    def prepare(self, planes: CodePlanes) -> Prepared:
        """Everything that depends on one picture alone; ``planes`` must not change afterwards."""
        y, u, v = planes
        small = halve(y)
        luma: Any = small
        if self._bits > 8:
            luma = cv2.convertScaleAbs(small, alpha=1 / (1 << (self._bits - 8)))
        if u.shape == y.shape and small.shape != y.shape:
            large: Any = cv2.merge([y, u, v, y])
            return Prepared(View(halve(large), large), luma)
        packed: Any = cv2.merge([small, u, v, small])
        return Prepared(View(packed, y), luma)

    def motion(self, a: Prepared, b: Prepared) -> tuple[Flow, Flow]:
        """What all pictures between two share."""
        return padded(self._estimator.motion(a.luma, b.luma))

    def between(
        self, ends: tuple[Prepared, Prepared], motion: tuple[Flow, Flow], t: float, out: CodePlanes
    ) -> None:
        """Make the picture at ``t``.

        Args:
            ends: left and right.
            motion: theirs.
            t: 0 < t < 1, 0 = left.
            out: planes to write it to.
        """
        left, right = (end.view for end in ends)
        blend = Blend((left, right), motion, t, self._bits, is_fine=self.flow_scale >= _FINE)
        height = left.small.shape[0]

        def job(start: int) -> Callable[[], None]:
            stop = min(height, start + _BAND)
            return lambda: _write(blend.band(start, stop), start, out)

        self._spread([job(start) for start in range(0, height, _BAND)])


class _Place(NamedTuple):
    plane: Codes
    made: Codes
    start: int


def _write(made: tuple[Codes, Codes], start: int, out: CodePlanes) -> None:
    """Put a band where it belongs."""
    small, large = made
    y, u, v = out
    places = [
        _Place(y, large, 2 * start),
        _Place(u, small[..., 1], start),
        _Place(v, small[..., 2], start),
    ]
    if large.ndim == 3:
        places = [_Place(plane, large[..., k], 2 * start) for k, plane in enumerate(out)]
    for plane, rows, first in places:
        plane[first : first + rows.shape[0]] = rows
