"""Motion of a pair by dense inverse search (Kroeger et al. 2016, as OpenCV has it).

Motion is looked for on luma of a third of the size, or a sixth: patches of 8 see as much there as
large ones at full size, and making the flow dense costs a ninth. Nothing here knows of video.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from cv2.typing import MatLike
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Codes = NDArray[np.uint8 | np.uint16]
    Spread = Callable[[Sequence[Callable[[], None]]], None]
    """Runs jobs that do not depend on each other, in any order or at once, and waits for all."""

UNIT: Final = 6
"""Sides are extended to multiples of this, so that halves, thirds and sixths of them are whole."""
MARGIN: Final = 4
"""Pixels of half size by which a flow reaches beyond the picture: its border repeats."""
_SMALLEST: Final = 32
"""Sides below this are extended before motion is looked for."""
_STRIDE: Final = 5
"""Pixels between patches of 8."""
_ITERATIONS: Final = 25
"""Steps of gradient descent a patch may take; most stop earlier."""


class Flow(NamedTuple):
    """How far everything goes, on a grid of half size with ``MARGIN`` around it."""

    x: Floats
    """(MARGIN + h + MARGIN or more, MARGIN + w + MARGIN or more), h, w = ceil(H/2), ceil(W/2)."""
    y: Floats
    """The same."""


class Motion(NamedTuple):
    """The flows of a pair."""

    flows: tuple[Flow, ...]
    """From left to right on the left picture's grid; if there is a second one, from right to left
    on the right picture's."""
    unit: float
    """How many pixels of the full size 1 of a flow is."""


def serially(jobs: Sequence[Callable[[], None]]) -> None:
    """The ``Spread`` of one thread."""
    for job in jobs:
        job()


def third(plane: Codes, bits: int) -> Codes:
    """Means of 3 x 3, of 8 bit: (H, W) to thirds of the next multiples of ``UNIT``."""
    height, width = plane.shape
    below, beside = -height % UNIT, -width % UNIT
    if below or beside:
        plane = extend(plane, below, beside)
    size = ((width + beside) // 3, (height + below) // 3)
    small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    if bits > 8:
        small = cv2.convertScaleAbs(small, alpha=1 / (1 << (bits - 8)))
    return codes(small)


def extend(plane: Codes, below: int, beside: int) -> Codes:
    """Repeat the last row and column so many times."""
    return codes(cv2.copyMakeBorder(plane, 0, below, 0, beside, cv2.BORDER_REPLICATE))


def codes(array: MatLike) -> Codes:
    """What OpenCV made of codes: it keeps their type, and does not say so."""
    return cast("Codes", array)


class Estimator:
    """Finds the flows of pairs; used by one thread, which may let others help.

    Args:
        is_halved: look at a sixth of the size instead of a third.
        num_flows: 1, or 2 for both directions.
        spread: who runs both directions.
    """

    def __init__(self, *, is_halved: bool, num_flows: int, spread: Spread = serially) -> None:
        # OpenCV would cut pictures into as many parts as there are threads, and no two numbers of
        # parts give the same flow.
        cv2.setNumThreads(1)
        self._spread = spread
        self._is_halved = is_halved
        self._searches = [_search() for _ in range(num_flows)]

    def motion(self, left: Codes, right: Codes) -> Motion:
        """The flows between two lumas as ``third`` makes them."""
        rows, columns = (3 * side // 2 for side in left.shape)
        if self._is_halved:
            size = left.shape[1] // 2, left.shape[0] // 2
            left, right = (
                codes(cv2.resize(luma, size, interpolation=cv2.INTER_AREA))
                for luma in (left, right)
            )
        height, width = left.shape
        below, beside = max(0, _SMALLEST - height), max(0, _SMALLEST - width)
        if below or beside:
            left, right = extend(left, below, beside), extend(right, below, beside)
        flows: dict[int, Flow] = {}
        border = (MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REPLICATE)

        def directed(k: int, a: Codes, b: Codes) -> Callable[[], None]:
            def work() -> None:
                flow = self._searches[k].calc(a, b, None)  # type: ignore[call-overload]  # OpenCV
                x, y = (
                    cast("Floats", cv2.copyMakeBorder(cv2.resize(axis, (columns, rows)), *border))
                    for axis in cv2.split(flow[:height, :width])
                )
                flows[k] = Flow(x, y)

            return work

        jobs = [directed(0, left, right), directed(1, right, left)]
        self._spread(jobs[: len(self._searches)])
        return Motion(tuple(flows[k] for k in sorted(flows)), 6.0 if self._is_halved else 3.0)


def _search() -> cv2.DISOpticalFlow:
    """No variational refinement: it costs more than it gives."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    search.setFinestScale(0)
    search.setPatchStride(_STRIDE)
    search.setGradientDescentIterations(_ITERATIONS)
    return search
