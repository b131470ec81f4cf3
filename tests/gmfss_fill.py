"""Deterministic weights behind the reference numbers of GMFSS; pictures: golden_fill.

Like golden_fill, raw words of PCG64 and + - * / in float64: the same bytes on every platform.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
from golden_fill import uniform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from golden_fill import Doubles, Floats

Rule = tuple[str, float, float, bool]
"""Pattern of a parameter's name, gain, offset, and whether the mean over the inputs goes."""

_FUSION: Final[list[Rule]] = [
    (r"^residual_model_tail\.conv_last\.weight$", 0.012, 0.0, True),
    (r"^residual_model_tail\.conv_last\.bias$", 0.2, 0.42, False),
]
NETS: Final[dict[str, list[Rule]]] = {
    "flownet": [
        (r"^backbone\.conv2\.weight$", 1.0, 0.0, True),
        (r"^backbone\.trident_conv\.weight$", 1.0, 0.0, True),
        (r"^feature_flow_attn\.[qk]_proj\.weight$", 0.5, 0.0, False),
        (r"^upsampler\.2\.weight$", 2.0, 0.0, False),
    ],
    "metric": [(r"^metric_out\.1\.weight$", 1.0, 0.0, True)],
    "feat": [],
    "fusion": _FUSION,
    "metric_union": [(r"^metric_out\.1\.weight$", 0.15, 0.0, True)],
    "fusion_union": _FUSION,
    "rife": [(r"lastconv\.0\.weight$", 0.3, 0.0, False)],
}


def fill_net(net: str, shapes: Mapping[str, Sequence[int]]) -> dict[str, Floats]:
    """Parameters of these shapes for a network, a key of ``NETS``."""
    return {key: _one(net, key, tuple(shape)) for key, shape in shapes.items()}


def _one(net: str, key: str, shape: tuple[int, ...]) -> Floats:
    value = _base(key, shape)
    for pattern, gain, offset, is_centred in NETS[net]:
        if re.search(pattern, key):
            if is_centred:
                value = value - value.mean(axis=1, keepdims=True)
            value = value * gain + offset
            break
    return np.ascontiguousarray(value, dtype=np.float32)


def _base(key: str, shape: tuple[int, ...]) -> Doubles:
    u: Doubles = uniform(key, shape)
    out: Doubles = (2.0 * u - 1.0) * 3.0**0.5  # mean 0, variance 1
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "beta":
        out = 0.2 + 0.3 * u
    elif leaf == "bias":
        out = 0.1 * out
    elif len(shape) == 1:  # slopes, norms
        out = 0.1 + 0.3 * u
    elif len(shape) == 4 and shape[2] == 4:
        out = out / (shape[0] * 4.0) ** 0.5
    else:
        out = out * (2.0 / float(np.prod(shape[1:]))) ** 0.5
    return out
