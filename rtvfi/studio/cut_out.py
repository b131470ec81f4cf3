"""Turns a box around an object into a mask with GrabCut (OpenCV)."""

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
"""GrabCut is slow, so pictures are scaled down to this many pixels; drawings keep their edges."""
_ROUNDS: Final = 4


def inside(size: tuple[int, int], box: Sequence[float]) -> tuple[int, int, int, int]:
    """Clip a box to a picture.

    Args:
        size: (height, width) of the picture.
        box: left, top, width, height in pixels.

    Returns:
        Left, top, right, bottom in pixels.

    Raises:
        UsageError: the box is outside the picture.
    """
    height, width = size
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right = min(width, round(box[0] + box[2]))
    bottom = min(height, round(box[1] + box[3]))
    if right - left < 1 or bottom - top < 1:
        raise UsageError("the box lies outside the picture")
    return left, top, right, bottom


def filled(size: tuple[int, int], box: Sequence[float]) -> NDArray[np.bool_]:
    """The mask (height, width) of all of a box, see ``inside``."""
    left, top, right, bottom = inside(size, box)
    whole = np.zeros(size, bool)
    whole[top:bottom, left:right] = True
    return whole


def cut_out(rgb: NDArray[np.uint8], box: Sequence[float]) -> NDArray[np.bool_]:
    """The mask of the object inside a box; the whole box if no object is found. Deterministic.

    Args:
        rgb: (H, W, 3), RGB.
        box: left, top, width, height in pixels; clipped to the picture.

    Returns:
        (H, W), True on the object.

    Raises:
        UsageError: the box is outside the picture.
    """
    height, width = rgb.shape[:2]
    left, top, right, bottom = inside((height, width), box)
    whole = filled((height, width), box)
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
    except cv2.error:  # too few pixels to separate foreground and background
        return whole
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    if found.sum() < 1:
        return whole
    full = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)
    mask: NDArray[np.bool_] = (full > 0.5) & whole
    return mask if mask.any() else whole
