"""Estimates the motion of a pair with dense inverse search (Kroeger et al. 2016) from OpenCV.

Motion is estimated on luma at a third or a sixth of the size: there, patches of 8 pixels cover as
much as large ones at full size, and computing the dense flow costs a ninth.
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
    """Runs independent jobs, in any order or in parallel, and waits for all of them."""

UNIT: Final = 6
"""Sides are padded to multiples of this, so that they can be divided by 2, 3 and 6."""
MARGIN: Final = 4
"""Pixels of half size by which a flow extends beyond the picture, repeating its border."""
_SMALLEST: Final = 32
"""Smaller sides are padded to this before motion is estimated."""
_STRIDE: Final = 5
"""Pixels between patches of 8."""
_ITERATIONS: Final = 25
"""Maximum number of gradient descent steps per patch; most stop earlier."""


class Flow(NamedTuple):
    """A flow on a grid of half size with ``MARGIN`` pixels around it."""

    x: Floats
    """(h + 2 MARGIN or more, w + 2 MARGIN or more), h, w = ceil(H/2), ceil(W/2)."""
    y: Floats
    """The same shape."""


class Motion(NamedTuple):
    """The flows of a pair."""

    flows: tuple[Flow, ...]
    """From left to right, on the left picture's grid; if there are two, then also from right to
    left, on the right picture's grid.
    """
    unit: float
    """Full-size pixels per unit of the flow."""


def serially(jobs: Sequence[Callable[[], None]]) -> None:
    """Run jobs one after the other on the calling thread; a ``Spread``."""
    for job in jobs:
        job()


def third(plane: Codes, bits: int) -> Codes:
    """Downscale luma by three, to 8 bits: (H, W) padded to multiples of ``UNIT``, divided by 3."""
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
    """Pad a plane by repeating the last row ``below`` times, the last column ``beside`` times."""
    return codes(cv2.copyMakeBorder(plane, 0, below, 0, beside, cv2.BORDER_REPLICATE))


def codes(array: MatLike) -> Codes:
    """Cast an OpenCV result to codes: OpenCV keeps the type, but its annotations do not say so."""
    return cast("Codes", array)


class Estimator:
    """Estimates the flows of pairs. Used by one thread, which may distribute work with ``spread``.

    Args:
        is_halved: work at a sixth of the size instead of a third.
        num_flows: 1, or 2 for both directions.
        spread: runs both directions.
    """

    def __init__(self, *, is_halved: bool, num_flows: int, spread: Spread = serially) -> None:
        # OpenCV splits pictures into as many parts as there are threads, and the flow depends on
        # the number of parts.
        cv2.setNumThreads(1)
        self._spread = spread
        self._is_halved = is_halved
        self._searches = [_search() for _ in range(num_flows)]

    def motion(self, left: Codes, right: Codes) -> Motion:
        """The flows between two lumas that were downscaled by ``third``."""
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
    """A search without variational refinement, which is not worth its cost."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    search.setFinestScale(0)
    search.setPatchStride(_STRIDE)
    search.setGradientDescentIterations(_ITERATIONS)
    return search
