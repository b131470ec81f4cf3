"""Motion of a pair, both ways, by dense inverse search (Kroeger et al. 2016, as OpenCV has it).

Motion is found on luma of half size: the patches are as large as at full size, and making the flow
dense costs a quarter. Nothing here knows of video.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Codes = NDArray[np.uint8 | np.uint16]
    Spread = Callable[[Sequence[Callable[[], None]]], None]
    """Runs jobs that do not depend on each other, in any order or at once, and waits for all."""

FINEST: Final = {1.0: 0, 0.5: 1, 0.25: 2}
"""Finest pyramid level of half-size luma by flow scale: how finely motion is told apart."""
_SMALLEST: Final = 32
"""Sides below this are extended before motion is looked for."""


class Motion(NamedTuple):
    """Both flows of a pair, float32 (h, w, 2) in pixels of half size, x then y."""

    forward: Floats
    """flow_01: on the left picture's grid."""
    backward: Floats
    """flow_10: on the right picture's grid."""


def serially(jobs: Sequence[Callable[[], None]]) -> None:
    """The ``Spread`` of one thread."""
    for job in jobs:
        job()


def halve(plane: Codes) -> Codes:
    """Means of 2 x 2: (H, W) to (ceil(H/2), ceil(W/2)); the last row or column repeats.

    Args:
        plane: (H, W) or (H, W, C), 8 or 16 bit.
    """
    height, width = plane.shape[:2]
    if height % 2 or width % 2:
        plane = extend(plane, height % 2, width % 2)
    size = ((width + 1) // 2, (height + 1) // 2)
    return _codes(cv2.resize(plane, size, interpolation=cv2.INTER_AREA))


def extend(plane: Codes, below: int, beside: int) -> Codes:
    """Repeat the last row and column so many times."""
    return _codes(cv2.copyMakeBorder(plane, 0, below, 0, beside, cv2.BORDER_REPLICATE))


def _codes(array: Any) -> Codes:
    """OpenCV's arrays are typed as any."""
    codes: Codes = array
    return codes


class Estimator:
    """Finds both flows of pairs; used by one thread, which may let others help.

    Args:
        flow_scale: a key of ``FINEST``.
        spread: who runs both directions.
    """

    def __init__(self, flow_scale: float, spread: Spread = serially) -> None:
        # OpenCV would cut pictures into as many parts as there are threads, and no two numbers of
        # parts give the same flow.
        cv2.setNumThreads(1)
        self._spread = spread
        self._searches = [_search(FINEST[flow_scale]) for _ in range(2)]

    def motion(self, left: Codes, right: Codes) -> Motion:
        """Both flows between two 8-bit lumas of half size, (h, w)."""
        height, width = left.shape
        below, beside = max(0, _SMALLEST - height), max(0, _SMALLEST - width)
        if below or beside:
            left, right = extend(left, below, beside), extend(right, below, beside)
        flows: list[Floats] = [np.empty(0, np.float32)] * 2

        def directed(k: int, a: Codes, b: Codes) -> Callable[[], None]:
            def work() -> None:
                flow: Any = self._searches[k].calc(a, b, None)  # type: ignore[call-overload]
                flows[k] = flow[:height, :width]

            return work

        self._spread([directed(0, left, right), directed(1, right, left)])
        return Motion(*flows)


def _search(finest: int) -> cv2.DISOpticalFlow:
    """Patches of 8, stride 4, 12 iterations, no variational refinement."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    search.setFinestScale(finest)
    search.setGradientDescentIterations(12)
    return search
