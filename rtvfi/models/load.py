"""From a model id to a network that is ready to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rtvfi.core.errors import WeightsMismatch
from rtvfi.core.program import typed
from rtvfi.models.catalogue import DRBA_WEIGHTS, MODELS, find
from rtvfi.models.cel import network as cel
from rtvfi.models.drba.distil import DistilDrba
from rtvfi.models.drba.drba import Drba
from rtvfi.models.linear import Linear, Nearest
from rtvfi.models.rife.network import Rife
from rtvfi.models.tuning import network_dtype, tune
from rtvfi.models.weights.file import read_tensors
from rtvfi.models.weights.store import find_weights, manifest

if TYPE_CHECKING:
    from torch import Tensor

    from rtvfi.models.base import Interpolator, ModelInfo


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
    if path is None:
        return Nearest() if info.id == "copy" else Linear()
    with torch.no_grad():
        return build_model(info, read_tensors(path), device, dtype, flow_scale)


def build_model(
    info: ModelInfo,
    state: dict[str, Tensor],
    device: torch.device,
    dtype: torch.dtype,
    flow_scale: float = 1.0,
) -> Interpolator:
    """A model with weights, from its parameters; see ``load_model``."""
    if info.family == "cel":
        return cel.Cel(cel.build(state).to(device, network_dtype(device, dtype)), flow_scale)
    tuning = tune(device, dtype)
    if info.family == "distil-drba":
        distil = DistilDrba(state, info, tuning, flow_scale=flow_scale)
        _check_network(info, f"distil-drba {distil.group}")
        return distil
    row = MODELS[DRBA_WEIGHTS] if info.family == "drba" else info
    net = Rife(state, row, tuning, flow_scale=flow_scale)
    _check_network(row, f"rife {net.group}")
    return Drba(net, info) if info.family == "drba" else net


def _check_network(info: ModelInfo, network: str) -> None:
    """A file under a wrong name would run, with the wrong padding or the wrong look."""
    wanted = manifest()[info.id].network
    if network != wanted:
        raise WeightsMismatch(
            f'the weights of "{info.id}" hold the network {network}, expected {wanted}',
            hint=typed(f"weights get {info.id}"),
        )
