"""The interface of a family of models: detecting its weight files and building its models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from rtvfi.core.errors import WeightsMismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    import torch
    from torch import Tensor

    from rtvfi.models.base import Interpolator, ModelInfo

    State = Mapping[str, Tensor]


class Detected(NamedTuple):
    """The network that a weight file is for."""

    network: str
    """Its name in the manifest, such as ``rife 4.25`` or ``distil-drba v1``."""
    keys: Collection[str]
    """Names of its parameters; other tensors in the file are dropped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """The arguments for building a model."""

    info: ModelInfo
    state: State
    """Parameters by name, on the CPU; empty for a model without weights."""
    device: torch.device
    dtype: torch.dtype
    """Dtype of input and output pictures: float16, bfloat16 or float32."""
    settings: Mapping[str, bool] = field(default_factory=dict)
    """Settings from the manifest that cannot be determined from the parameters."""
    flow_scale: float = 1.0
    """Size at which motion is estimated, a power of two from 0.25 to 4."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family of models; each package in ``rtvfi.models`` has one, found by ``families``."""

    name: str
    """Name of the package, see ``ModelInfo.family``."""
    detect: Callable[[State], Detected | None]
    """Determines from keys and shapes which of the family's networks a state dict (without
    ``module.`` prefixes) is for; None if it is for another family. Raises WeightsMismatch, naming a
    parameter, if the weights are incomplete.
    """
    build: Callable[[Request], Interpolator]
    """Builds a model that is ready to run. Raises WeightsMismatch, and UsageError for a flow scale
    that it does not support.
    """
    is_broad: bool = False
    """Whether ``detect`` also accepts files of other families, which must be tried first."""


def strip_prefix(state: State) -> dict[str, Tensor]:
    """Remove the prefix ``module.`` that training on several devices adds to every key."""
    return {key.removeprefix("module."): value for key, value in state.items()}


def check_parameters(state: State, expected: Mapping[str, tuple[int, ...]], network: str) -> None:
    """Check that every expected parameter exists and has the expected shape.

    Raises:
        WeightsMismatch: names the first parameter that is missing or has the wrong shape.
    """
    for key, want in expected.items():
        if key not in state:
            raise WeightsMismatch(f'parameter "{key}" is missing for the network {network}')
        got = tuple(state[key].shape)
        if got != want:
            raise WeightsMismatch(
                f'parameter "{key}" has the shape {got}, the network {network} needs {want}'
            )


def check_no_others(keys: Iterable[str], expected: Collection[str], network: str) -> None:
    """Check that there are no parameters except the expected ones.

    Raises:
        WeightsMismatch: names the first unexpected parameter.
    """
    for key in keys:
        if key not in expected:
            raise WeightsMismatch(f'parameter "{key}" does not belong to the network {network}')


def has_no_weights(_state: State) -> None:
    """The ``detect`` of a family without weight files of its own."""
