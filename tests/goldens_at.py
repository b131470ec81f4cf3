"""Where the reference numbers are, and the deterministic weights and pictures behind them."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

if TYPE_CHECKING:
    from types import ModuleType

    from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("RTVFI_SHARED", ROOT.parent / "shared"))
GOLDENS = SHARED / "goldens"

needs_goldens = pytest.mark.skipif(
    not GOLDENS.is_dir(), reason=f"no reference numbers at {GOLDENS} (set RTVFI_SHARED)"
)


def filler() -> ModuleType:
    """The maker of deterministic weights and pictures that the reference numbers were made with."""
    spec = importlib.util.spec_from_file_location("golden_fill", GOLDENS / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tensors(arrays: dict[str, Any]) -> dict[str, Tensor]:
    """A state dict of the arrays."""
    return {key: torch.from_numpy(value) for key, value in arrays.items()}


def assert_near(got: Tensor, want: np.ndarray, most: float, outliers: int = 0) -> None:
    """Within ``most`` everywhere but at ``outliers`` positions; a failure says how far, where."""
    difference = np.abs(got.detach().float().cpu().numpy() - want)
    assert difference.shape == want.shape
    wrong = int((~(difference <= most)).sum())
    where = np.unravel_index(int(np.argmax(difference)), difference.shape)
    assert wrong <= outliers, (
        f"{wrong} of {difference.size} beyond {most}: "
        f"max {difference.max():.3g} at {where}, mean {difference.mean():.3g}"
    )
