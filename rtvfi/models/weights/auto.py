"""Chooses the model that ``auto`` stands for. Does not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.models.catalogue import MODELS
from rtvfi.models.weights.store import is_available

if TYPE_CHECKING:
    from rtvfi.core.options import Style

AUTO: Final = "auto"
PROCESSOR: Final = "dis"
"""On a CPU: at least as good as ``EMBEDDED``, in a fraction of its time."""
EMBEDDED: Final = "cel"
"""On a GPU until better weights have been downloaded: its weights are part of rtvfi."""
PUBLISHED: Final = "rife-4.25"
"""On a GPU: far better than ``EMBEDDED`` on drawn films, but too slow for a CPU."""
RHYTHM: Final = "drba"
"""For the style ``rhythm``, which needs a model with three input frames."""


def resolve_model(model: str, *, is_gpu: bool, style: Style = "plain") -> str:
    """The id of the model to load.

    Args:
        model: an id, which is returned unchanged, or ``auto``.
        is_gpu: whether the model will run on a GPU.
        style: the interpolation style that the model has to support.
    """
    if model != AUTO:
        return model
    if style == "rhythm" and is_available(MODELS[RHYTHM]):
        return RHYTHM
    if is_gpu and is_available(MODELS[PUBLISHED]):
        return PUBLISHED
    return EMBEDDED if is_gpu else PROCESSOR


def better_model(model: str, *, is_gpu: bool) -> str | None:
    """The model that ``auto`` would choose instead of ``model`` if its weights were downloaded.

    None if there is none.
    """
    if is_gpu and model == EMBEDDED and not is_available(MODELS[PUBLISHED]):
        return PUBLISHED
    return None
