"""Which model ``auto`` stands for: the one place that knows. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.models.catalogue import MODELS
from rtvfi.models.weights.store import is_available

if TYPE_CHECKING:
    from rtvfi.core.options import Style

AUTO: Final = "auto"
PROCESSOR: Final = "dis"
"""On a processor: at least as good as ``EMBEDDED`` there, at a fraction of its time."""
EMBEDDED: Final = "cel"
"""On a GPU until better weights are here: it comes with rtvfi."""
PUBLISHED: Final = "rife-4.25"
"""On a GPU: far better than ``EMBEDDED`` on drawn films, and too slow for a processor."""
RHYTHM: Final = "drba"
"""For the style ``rhythm``, which needs a model that looks at three frames."""


def resolve_model(model: str, *, is_gpu: bool, style: Style = "plain") -> str:
    """The id that is meant by what was asked for.

    Args:
        model: an id, which stays, or ``auto``.
        is_gpu: whether a GPU will compute.
        style: what is asked of the model.
    """
    if model != AUTO:
        return model
    if style == "rhythm" and is_available(MODELS[RHYTHM]):
        return RHYTHM
    if is_gpu and is_available(MODELS[PUBLISHED]):
        return PUBLISHED
    return EMBEDDED if is_gpu else PROCESSOR


def better_model(model: str, *, is_gpu: bool) -> str | None:
    """A model that ``auto`` would rather be than ``model``, once its weights are fetched."""
    if is_gpu and model == EMBEDDED and not is_available(MODELS[PUBLISHED]):
        return PUBLISHED
    return None
