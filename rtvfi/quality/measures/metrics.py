"""PSNR and SSIM of luma, and ripple: the change where nothing moves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rtvfi.quality.measures.blocks import in_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray


def psnr(made: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB with peak 255; infinite for equal pictures.

    Args:
        made: (H, W), 8-bit luma.
        truth: the same shape.
    """
    error = float(np.mean((made.astype(np.float64) - truth) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(made: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Structural similarity, at most 1, with the 11 x 11 Gaussian window of Wang et al. 2004.

    Args:
        made: (H, W), 8-bit luma, at least 11 x 11.
        truth: the same shape.
    """
    # scikit-image is an optional package that only measuring needs
    from skimage.metrics import structural_similarity

    value = structural_similarity(
        made, truth, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    return float(value)


def ripple(
    made: NDArray[np.uint8], left: NDArray[np.uint8], right: NDArray[np.uint8]
) -> float | None:
    """Mean absolute change of blocks that are equal in both input frames, in levels of 255.

    Args:
        made: (H, W), 8-bit luma, at least 8 x 8.
        left: the left input frame, the same shape.
        right: the right input frame, the same shape.

    Returns:
        None if the input frames differ in every 8 x 8 block.
    """
    differs = in_blocks(left != right, 8).any(axis=(1, 3))
    if differs.all():
        return None
    change = in_blocks(np.abs(made.astype(np.int16) - left), 8).mean(axis=(1, 3))
    return float(change[~differs].mean())
