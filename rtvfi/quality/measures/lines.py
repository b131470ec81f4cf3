"""How far the lines of a picture are from those of the truth.

PSNR hardly sees that a line is doubled, and not at all where. Lines are taken as difference-of-
Gaussians line drawings are (Winnemöller, Kyprianidis, Olsen: "XDoG", 2012), thinned to their ridge,
and compared by the chamfer distance, as is usual for drawn animation (Chen, Zwicker: "Improving the
perceptual quality of 2D animation interpolation", 2022): the mean way from a line point of one
picture to the nearest of the other, both directions counting the same. Here it is a mean over line
points, so pictures with many lines and with few have one scale, and a part of the picture's
diagonal, so sizes have.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGMA: Final = 1.0
"""Of the inner Gaussian, pixels: lines of 1 to 4 pixels stand out."""
RATIO: Final = 1.6
"""Outer to inner Gaussian: the nearest to a Laplacian (Marr, Hildreth 1980)."""
CONTRAST: Final = 5.0
"""Least difference, levels of 255: a line two pixels wide and 24 levels darker than its ground.
Coarser coding noise stays below."""


def line_points(luma: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where dark lines, and the dark sides of edges, have their ridge.

    Args:
        luma: (H, W) 8-bit.
    """
    # scipy comes with scikit-image, an extra that only measuring needs
    from scipy.ndimage import gaussian_filter

    picture = luma.astype(np.float32)
    inner = gaussian_filter(picture, SIGMA, mode="nearest")
    dark = gaussian_filter(picture, SIGMA * RATIO, mode="nearest") - inner
    around = np.pad(dark, 1, mode="edge")
    left, right = around[1:-1, :-2], around[1:-1, 2:]
    above, below = around[:-2, 1:-1], around[2:, 1:-1]
    # a ridge is crossed along the axis in which it is more bent
    is_upright = 2 * dark - left - right >= 2 * dark - above - below
    before, after = np.where(is_upright, left, above), np.where(is_upright, right, below)
    points: NDArray[np.bool_] = (dark > CONTRAST) & (dark >= before) & (dark > after)
    return points


def line_distance(made: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float | None:
    """Symmetric chamfer distance as a part of the diagonal: 0 for equal lines.

    A picture without any line is a whole diagonal away.

    Args:
        made: (H, W) as ``line_points`` gives it.
        truth: the same.

    Returns:
        None when the truth has no lines.
    """
    from scipy.ndimage import distance_transform_edt

    if not truth.any():
        return None
    if not made.any():
        return 1.0
    to_truth = distance_transform_edt(~truth)[made].mean()
    to_made = distance_transform_edt(~made)[truth].mean()
    return float(to_truth + to_made) / 2 / math.hypot(*truth.shape)
