"""Where the reference numbers of the networks are, and how results are compared with them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

HERE = Path(__file__).resolve().parent
FULL = Path(os.environ.get("RTVFI_SHARED", HERE.parents[1] / "shared")) / "goldens"
GOLDENS = FULL if (FULL / "rife_drba.npz").is_file() else HERE / "goldens" / "networks"
"""All pixels of every case where that folder is, else some of them; see goldens/README.md."""


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


def thinned(out: Tensor, like: np.ndarray) -> Tensor:
    """The pixels of a picture that a file keeps: every so many rows and columns, from the first."""
    step = -(-out.shape[-1] // like.shape[-1])
    return out[..., ::step, ::step]
