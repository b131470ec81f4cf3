"""Line distance: how far the lines of a picture are from those of the truth.

PSNR hardly notices doubled lines. Lines are detected with a difference of Gaussians (Winnemöller,
Kyprianidis, Olsen: "XDoG", 2012), thinned to their ridge, and compared by the chamfer distance, as
is usual for drawn animation (Chen, Zwicker: "Improving the perceptual quality of 2D animation
interpolation", 2022): the mean distance from a line point of one picture to the nearest one of the
other, averaged over both directions. It is normalised by the number of line points and by the
diagonal, so that pictures with many and few lines, and of different sizes, can be compared.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGMA: Final = 1.0
"""Standard deviation of the inner Gaussian, pixels; detects lines of 1 to 4 pixels."""
RATIO: Final = 1.6
"""Outer to inner standard deviation; closest to a Laplacian (Marr, Hildreth 1980)."""
CONTRAST: Final = 5.0
"""Minimum response in levels of 255: that of a line two pixels wide and 24 levels darker than its
surroundings. Compression noise stays below.
"""


def line_points(luma: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The ridges of dark lines and of the dark sides of edges.

    Args:
        luma: (H, W), 8-bit.

    Returns:
        (H, W), True on a ridge.
    """
    # scipy is a dependency of scikit-image, an optional package that only measuring needs
    from scipy.ndimage import gaussian_filter

    picture = luma.astype(np.float32)
    inner = gaussian_filter(picture, SIGMA, mode="nearest")
    dark = gaussian_filter(picture, SIGMA * RATIO, mode="nearest") - inner
    around = np.pad(dark, 1, mode="edge")
    left, right = around[1:-1, :-2], around[1:-1, 2:]
    above, below = around[:-2, 1:-1], around[2:, 1:-1]
    # look for the maximum along the axis with the stronger curvature
    is_upright = 2 * dark - left - right >= 2 * dark - above - below
    before, after = np.where(is_upright, left, above), np.where(is_upright, right, below)
    points: NDArray[np.bool_] = (dark > CONTRAST) & (dark >= before) & (dark > after)
    return points


def line_distance(made: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float | None:
    """Symmetric chamfer distance as a fraction of the diagonal: 0 for equal lines.

    Args:
        made: (H, W), line points of the computed picture.
        truth: (H, W), line points of the truth.

    Returns:
        1 if ``made`` has no line points; None if the truth has none.
    """
    from scipy.ndimage import distance_transform_edt

    if not truth.any():
        return None
    if not made.any():
        return 1.0
    to_truth = distance_transform_edt(~truth)[made].mean()
    to_made = distance_transform_edt(~made)[truth].mean()
    return float(to_truth + to_made) / 2 / math.hypot(*truth.shape)
