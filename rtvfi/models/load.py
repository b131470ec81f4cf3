"""From a model id to a network that is ready to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtvfi.errors import WeightsMissing
from rtvfi.models.catalogue import find
from rtvfi.models.linear import Linear, Nearest

if TYPE_CHECKING:
    import torch

    from rtvfi.models.base import Interpolator


def load_model(
    model_id: str, device: torch.device, dtype: torch.dtype, flow_scale: float = 1.0
) -> Interpolator:
    """The model of that id, its parameters on ``device`` in ``dtype``.

    ``copy`` is a model like any other here (the nearer picture); a caller that wants bit-exact
    copies does not ask a model.

    Args:
        model_id: an id of the catalogue.
        device: where it will run.
        dtype: float16, bfloat16 or float32 (a CPU is fastest with float32).
        flow_scale: size at which motion is estimated, a power of two from 0.25 to 4; models that
            know no such choice (cel, linear, copy) ignore it.

    Raises:
        UnknownModel: no such id.
        WeightsMissing: known, but its weights are not on this machine.
        WeightsMismatch: the weight file does not fit.
    """
    info = find(model_id)
    if info.id == "linear":
        return Linear()
    if info.id == "copy":
        return Nearest()
    raise WeightsMissing(
        f'weights for "{info.id}" are not here', hint=f"rtvfi weights get {info.id}"
    )
