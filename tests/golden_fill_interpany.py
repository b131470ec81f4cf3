"""Parameters behind the reference numbers of the InterpAny networks, on top of ``golden_fill``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from golden_fill import fill_one

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GAINS: Final = {
    "rife": ((r"^unet\.conv\.weight$", 0.15), (r"^unet\.conv\.bias$", 0.3)),
    "ifrnet": (
        (r"^decoder1\.convblock\.2\.weight$", 0.12),
        (r"^decoder4\.convblock\.0\.0\.weight$", 1.5),
    ),
    "amt": (
        (r"^feat_encoder\.conv2\.weight$", 0.4),
        (r"^update\d\.(flow|feat)_head\.2\.weight$", 0.12),
        (r"^decoder1\.convblock\.2\.weight$", 0.12),
        (r"^comb_block\.2\.weight$", 0.1),
        (r"^comb_block\.2\.bias$", 0.3),
    ),
    "ema": ((r"^unet\.conv\.weight$", 0.25), (r"^unet\.conv\.bias$", 0.3)),
}
"""What keeps flows, masks and pictures in a useful range: the first that fits a name counts."""


def fill(network: str, shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Parameters of these shapes; ``network`` is a key of ``GAINS``."""
    out = {}
    for key, shape in shapes.items():
        gain = next((g for pattern, g in GAINS[network] if re.search(pattern, key)), None)
        value = fill_one(key, tuple(shape))
        if gain is not None:
            value = (value.astype(np.float64) * gain).astype(np.float32)
        out[key] = np.ascontiguousarray(value)
    return out
