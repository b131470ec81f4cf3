"""Loads a model by its id."""

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
    """Load a model, its parameters on ``device`` in ``dtype``.

    ``copy``, which repeats the nearer picture, is loaded like any other model; for bit-exact copies
    use the source pictures without a model.

    Args:
        model_id: an id of the catalogue.
        device: the device to run on.
        dtype: float16, bfloat16 or float32; the dtype of input and output pictures.
        flow_scale: size at which motion is estimated, relative to the picture; a power of two from
            0.25 to 4. ``linear`` and ``copy`` ignore it.

    Raises:
        UnknownModel: there is no such id.
        WeightsMissing: the weights of the model are not on this machine.
        WeightsMismatch: the weight file is damaged or contains another network.
        UsageError: the model does not support the flow scale.
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
    """Build a model from its parameters.

    Args:
        info: the catalogue entry.
        state: parameters by name; empty for a model without weights.
        device: the device to run on.
        dtype: see ``load_model``.
        flow_scale: see ``load_model``.

    Raises:
        WeightsMismatch: ``state`` is of another network.
        UsageError: the model does not support the flow scale.
    """
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
    """Check that the weights are of the right network; others might run, but give bad pictures.

    Raises:
        WeightsMismatch: they are not.
    """
    network = detect(state).network
    if not any(entry.takes(network) for entry in wanted):
        expected = " or ".join(dict.fromkeys(entry.network for entry in wanted))
        raise WeightsMismatch(
            f'the weights of "{info.id}" contain the network {network}, expected {expected}',
            hint=command_line(f"weights get {info.id}"),
        )
