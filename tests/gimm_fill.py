"""Deterministic parameters behind the reference numbers of GIMM-VFI; see ``golden_fill``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
from golden_fill import uniform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from golden_fill import Floats

SMOOTHING: Final = np.array([1, 2, 1, 2, 4, 2, 1, 2, 1], np.float32).reshape(1, 1, 1, 3, 3) / 16
GAINS: Final = (
    (r"^flow_estimator\.update_block\.flow_head\.conv2\.", 0.02),
    (r"^amt_update4_(low|high)\.flow_head\.2\.", 0.006),
    (r"^amt_init_decoder\.convblock\.4\.", 0.05),
    (r"^amt_final_decoder\.convblock\.4\.", 0.002),
    (r"^amt_comb_block\.2\.", 0.1),
)
"""The first that fits; motions of a few pixels, pictures mostly within their range."""


def fill(shapes: Mapping[str, Sequence[int]]) -> dict[str, Floats]:
    """Parameters of these shapes."""
    return {key: fill_one(key, tuple(shape)) for key, shape in shapes.items()}


def fill_one(key: str, shape: tuple[int, ...]) -> Floats:
    """One parameter, of a size that keeps numbers alive through a deep network."""
    if key == "g_filter":
        return SMOOTHING.astype(np.float32)
    if key.startswith("alpha_"):
        return np.ones(1, np.float32)
    u = uniform(key, shape)
    even = (2.0 * u - 1.0) * 3.0**0.5  # mean 0, variance 1
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "running_var":
        out = 0.5 + u
    elif leaf in ("bias", "running_mean"):
        out = 0.1 * even
    elif len(shape) == 1:
        out = 0.1 + 0.3 * u
    elif leaf.startswith("linear_wb"):
        out = even * (2.0 / shape[0]) ** 0.5
    else:
        out = even * (2.0 / float(np.prod(shape[1:]))) ** 0.5
    gain = next((gain for pattern, gain in GAINS if re.search(pattern, key)), 1.0)
    made: Floats = (out * gain).astype(np.float32)
    return made
