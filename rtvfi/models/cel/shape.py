"""The hyperparameters of ``cel``, and how they are determined from a weight file."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

STATE = 5
"""Channels of the state: two flows and a mask logit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CelShape:
    """Hyperparameters; tuples run from the finest level (1/4) to the coarsest (1/16)."""

    features: tuple[int, ...] = (16, 32, 48)
    """Encoder channels."""
    match: tuple[int, ...] = (8, 8, 16)
    """Channels used for matching."""
    widths: tuple[int, ...] = (32, 56, 80)
    """Decoder channels."""
    blocks: tuple[int, ...] = (2, 2, 2)
    """Residual blocks per decoder."""
    radii: tuple[int, ...] = (1, 2, 2)
    """Correlation radii; a shift of r compares points 2 r apart."""
    hidden: int = 8
    """Hidden channels of the state, passed to the next finer level."""


def shape_of(state_dict: Mapping[str, Tensor]) -> CelShape:
    """Determine the hyperparameters from the tensors' shapes; raises KeyError if one is missing."""
    levels = sum(1 for key in state_dict if key.endswith(".sharpness"))
    features = [state_dict[f"encoder.stages.{k}.2.weight"].shape[0] for k in range(levels)]
    widths = [state_dict[f"decoders.{k}.out.weight"].shape[1] for k in range(levels)]
    coarsest = state_dict[f"decoders.{levels - 1}.out.weight"].shape[0]
    hidden = coarsest // 4 - STATE
    radii = []
    for k in range(levels):
        inputs = state_dict[f"decoders.{k}.head.0.weight"].shape[1]
        costs = inputs - 2 * features[k] - 2 - STATE - hidden
        radii.append((math.isqrt(max(costs, 1)) - 1) // 2)
    return CelShape(
        features=tuple(features),
        match=tuple(state_dict[f"encoder.match.{k}.weight"].shape[0] for k in range(levels)),
        widths=tuple(widths),
        blocks=tuple(
            sum(1 for key in state_dict if re.fullmatch(rf"decoders\.{k}\.body\.\d+\.a\.bias", key))
            for k in range(levels)
        ),
        radii=tuple(radii),
        hidden=hidden,
    )
