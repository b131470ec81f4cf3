"""The model ``dis`` on planes of integer codes, for the pictures of one stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2

from rtvfi.core.errors import UsageError
from rtvfi.models.dis.blend import Blend, View, quartet
from rtvfi.models.dis.flow import Estimator, codes, serially, third
from rtvfi.models.dis.rows import DIS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtvfi.models.dis.blend import Guess
    from rtvfi.models.dis.flow import Codes, Motion, Spread

    CodePlanes = Sequence[Codes]
    """Y, U, V of a picture, 2-D; uint8, or uint16 for more than 8 bits."""

_BAND: Final = 64
"""Rows of half size per band; a band's data fits in a core's cache."""


class Way(NamedTuple):
    """How much work is done per picture."""

    is_halved: bool
    """Estimate motion at a sixth of the size instead of a third."""
    num_flows: int
    """1, or 2 for both directions."""
    guesses: tuple[Guess, ...]
    """The candidate motions of each pixel."""


WAYS: Final = {
    1.0: Way(False, 2, ((0, 1, 1), (0, -1, -1), (1, 1, -1), (1, -1, 1))),
    0.5: Way(False, 1, ((0, 1, 1), (0, -1, -1))),
    0.25: Way(True, 1, ((0, 0, 0),)),
}
"""The work by flow scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One picture, ready to be paired."""

    view: View
    luma: Codes
    """Luma at a third of the size, see ``flow.third``."""


class Dis:
    """Interpolates along flows from dense inverse search, without weights or torch.

    Used by one thread, which may distribute work with ``spread``.

    Args:
        flow_scale: 1, 0.5 or 0.25: how much work is done, see ``WAYS``.
        bits: bits per sample.
        spread: runs parts of the work.

    Raises:
        UsageError: another flow scale.
    """

    info = DIS

    def __init__(self, flow_scale: float, bits: int, spread: Spread = serially) -> None:
        if flow_scale not in WAYS:
            known = ", ".join(f"{scale:g}" for scale in WAYS)
            raise UsageError(
                f'"dis" does not support the flow scale {flow_scale:g}', f"use one of {known}"
            )
        self.flow_scale = flow_scale
        self._bits = bits
        self._spread = spread
        way = WAYS[flow_scale]
        self._guesses = way.guesses
        self._estimator = Estimator(is_halved=way.is_halved, num_flows=way.num_flows, spread=spread)

    def at_scale(self, flow_scale: float) -> Dis:
        """The same model at another flow scale; prepared pictures can be used with both.

        Raises:
            UsageError: it does not support that flow scale.
        """
        return Dis(flow_scale, self._bits, self._spread)

    def prepare(self, planes: CodePlanes) -> Prepared:
        """Compute what depends on one picture; ``planes`` must not be changed afterwards."""
        y, u, v = planes
        if u.shape == y.shape and y.size > 1:
            chroma: tuple[Codes, ...] = quartet(u), quartet(v)
        else:
            chroma = (codes(cv2.merge([u, v, u, v])),)
        return Prepared(View(quartet(y), chroma), third(y, self._bits))

    def motion(self, a: Prepared, b: Prepared) -> Motion:
        """The motion between two pictures, shared by all pictures between them."""
        return self._estimator.motion(a.luma, b.luma)

    def between(
        self, ends: tuple[Prepared, Prepared], motion: Motion, t: float, out: CodePlanes
    ) -> None:
        """Compute the picture at ``t``.

        Args:
            ends: the left and the right picture.
            motion: the motion between them.
            t: timestep, 0 < t < 1, 0 = left.
            out: planes to write the picture to.
        """
        left, right = (end.view for end in ends)
        blend = Blend((left, right), motion, t, self._bits, self._guesses)
        num_rows = left.luma.shape[0] // 2

        def job(start: int) -> Callable[[], None]:
            stop = min(num_rows, start + _BAND)
            return lambda: _write(blend.band(start, stop), start, out)

        self._spread([job(start) for start in range(0, num_rows, _BAND)])


def _write(made: tuple[Codes, list[Codes]], start: int, out: CodePlanes) -> None:
    """Write a band to its rows of the output planes."""
    luma, chroma = made
    for plane, rows in zip(out, (luma, *chroma), strict=True):
        first = 2 * start if rows.shape[0] == luma.shape[0] else start
        place = plane[first : first + rows.shape[0]]
        place[...] = rows[: place.shape[0], : place.shape[1]]
