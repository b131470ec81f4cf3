"""From a model id to a network that is ready to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rtvfi.core.errors import WeightsMismatch
from rtvfi.core.program import command_line
from rtvfi.models.catalogue import find
from rtvfi.models.families import FAMILIES, detect
from rtvfi.models.family import Request
from rtvfi.models.weights.file import read_tensors
from rtvfi.models.weights.store import find_weights, manifest, weight_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rtvfi.models.base import Interpolator, ModelInfo
    from rtvfi.models.weights.store import WeightEntry


def load_model(
    model_id: str, device: torch.device, dtype: torch.dtype, flow_scale: float = 1.0
) -> Interpolator:
    """The model of that id, its parameters on ``device`` in ``dtype``.

    ``copy`` is a model like any other here (the nearer picture); a caller that wants bit-exact
    copies does not ask a model.

    Args:
        model_id: an id of the catalogue.
        device: where it will run.
        dtype: float16, bfloat16 or float32, of pictures in and out.
        flow_scale: size at which motion is estimated, a power of two from 0.25 to 4; ``linear``
            and ``copy`` know no such choice and ignore it.

    Raises:
        UnknownModel: no such id.
        WeightsMissing: known, but its weights are not on this machine.
        WeightsMismatch: the weight file does not fit.
        UsageError: a flow scale the model does not know.
    """
    info = find(model_id)
    path = find_weights(info.id)
    state = {} if path is None else read_tensors(path)
    with torch.no_grad():
        return build_model(info, state, device, dtype, flow_scale)


def build_model(
    info: ModelInfo,
    state: Mapping[str, Tensor],
    device: torch.device,
    dtype: torch.dtype,
    flow_scale: float = 1.0,
) -> Interpolator:
    """A model from its parameters; see ``load_model``."""
    wanted = [manifest()[name] for name in weight_names(info) if name in manifest()]
    if wanted:
        _check_network(info, wanted, state)
    request = Request(
        info=info,
        state=state,
        device=device,
        dtype=dtype,
        settings=wanted[0].settings if wanted else {},
        flow_scale=flow_scale,
    )
    return FAMILIES[info.family].build(request)


def _check_network(
    info: ModelInfo, wanted: Sequence[WeightEntry], state: Mapping[str, Tensor]
) -> None:
    """A file under a wrong name would run, with the wrong padding or the wrong look."""
    network = detect(state).network
    if not any(entry.takes(network) for entry in wanted):
        expected = " or ".join(dict.fromkeys(entry.network for entry in wanted))
        raise WeightsMismatch(
            f'the weights of "{info.id}" hold the network {network}, expected {expected}',
            hint=command_line(f"weights get {info.id}"),
        )
