"""DRBA's non-linear steps, which the original leaves in its code but never asks for.

They are not monotone below the middle. Their stored outputs check what goes on around them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from types import ModuleType

    import pytest
    from torch import Tensor


def step_by_halving(patch: pytest.MonkeyPatch, module: ModuleType) -> None:
    """Take the bisected step in place of the one proportional to the ratio.

    Args:
        patch: undoes it.
        module: has the function ``_step(t, near, far)``.
    """
    proportional = module._step

    def step(t: float, near: Tensor, far: Tensor) -> Any:
        return bisected(proportional(0.5, near, far), t)

    patch.setattr(module, "_step", step)


def bisected(ratio: Tensor, t: float) -> Tensor:
    """A step: ``ratio`` at t = 0.5, found by repeated halving elsewhere.

    Args:
        ratio: any shape, 0..1.
        t: 0 < t < 1.
    """
    position, low, high = 0.5, 0.0, 1.0
    x, below, above = ratio, torch.zeros_like(ratio), torch.ones_like(ratio)
    while abs(position - t) > 1e-3:
        if position > t:
            high, above = position, x
            position -= (position - low) / 2
            x = x - (x - below) * ratio
        if position < t:
            low, below = position, x
            position += (high - position) / 2
            x = x + (above - x) * ratio
    return x
