"""From a box around an object to its mask: GrabCut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from rtvfi.core.errors import UsageError
from rtvfi.studio.codec import fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LONGEST: Final = 640
"""Pixels: GrabCut takes time, and the edge of a drawing is found at this size as well."""
_ROUNDS: Final = 4


def inside(size: tuple[int, int], box: Sequence[float]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of a box that lies in a picture, in pixels.

    Args:
        size: of the picture: height, width.
        box: left, top, width, height.

    Raises:
        UsageError: there is no such part.
    """
    height, width = size
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right = min(width, round(box[0] + box[2]))
    bottom = min(height, round(box[1] + box[3]))
    if right - left < 1 or bottom - top < 1:
        raise UsageError("the box lies outside the picture")
    return left, top, right, bottom


def cut_out(rgb: NDArray[np.uint8], box: Sequence[float]) -> NDArray[np.bool_]:
    """The pixels of the object inside a box; all of the box where none is found.

    Args:
        rgb: (H, W, 3).
        box: left, top, width, height in pixels; what lies outside the picture does not count.

    Returns:
        (H, W), the same every time.

    Raises:
        UsageError: the box holds no pixel of the picture.
    """
    height, width = rgb.shape[:2]
    left, top, right, bottom = inside((height, width), box)
    whole = np.zeros((height, width), bool)
    whole[top:bottom, left:right] = True
    if whole.all():
        return whole
    small = fitted(rgb, _LONGEST)
    rows, columns = small.shape[:2]
    x, y = left * columns // width, top * rows // height
    inner = (
        x,
        y,
        max(1, (right - left) * columns // width),
        max(1, (bottom - top) * rows // height),
    )
    labels = np.zeros((rows, columns), np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    try:
        cv2.grabCut(small, labels, inner, *models, _ROUNDS, cv2.GC_INIT_WITH_RECT)
    except cv2.error:  # too few pixels to tell two kinds of colours
        return whole
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    if found.sum() < 1:
        return whole
    full = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)
    mask: NDArray[np.bool_] = (full > 0.5) & whole
    return mask if mask.any() else whole
