"""Weight files without training: right names and shapes, any numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

import benchmarks.models
from rtvfi.models.distil_drba import network as distil_drba
from rtvfi.models.gimm import shape as gimm_shape
from rtvfi.models.gmfss import shape as gmfss
from rtvfi.models.interpany.amt import AmtNet
from rtvfi.models.interpany.ema import EmaNet
from rtvfi.models.interpany.ifrnet import IFRNet
from rtvfi.models.interpany.rife import RifeNet
from rtvfi.models.rife import shape as ifnet_shape
from rtvfi.models.safa import shape as safa_shape

if TYPE_CHECKING:
    from torch import Tensor


def parameters_of(network: str) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter of a network, as the manifest names it."""
    family, _, group = network.partition(" ")
    if family == "gimm":
        return gimm_shape.expected_parameters()
    if family == "safa":
        return safa_shape.expected_parameters()
    if family == "gmfss":
        return gmfss.expected_parameters("gmfss-union" if group else family, group)
    if family == "interpany":
        return interpany_shapes(group)
    if family == "distil-drba":
        return distil_drba.expected_parameters(distil_drba.SHAPES[group])
    return ifnet_shape.expected_parameters(ifnet_shape.SHAPES[group])


def interpany_shapes(group: str) -> dict[str, tuple[int, ...]]:
    """``rife``, or ``rife-r`` with reference."""
    name, _, reference = group.partition("-")
    classes = {"rife": RifeNet, "ifrnet": IFRNet, "amt": AmtNet, "ema": EmaNet}
    with torch.device("meta"):
        net = classes[name](bool(reference))
    return {key: tuple(value.shape) for key, value in net.state_dict().items()}


def constant_state(network: str, value: float = 0.01) -> dict[str, Tensor]:
    """All parameters alike: one number in memory and in a file."""
    one = torch.tensor(value)
    return {key: one.expand(shape) for key, shape in parameters_of(network).items()}


def random_state(network: str) -> dict[str, Tensor]:
    """Numbers that stay alive through a deep network, and move pictures by a few pixels."""
    return benchmarks.models.random_state(parameters_of(network))
