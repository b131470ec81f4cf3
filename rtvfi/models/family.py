"""What a family of networks tells the loader: which weight files are its, and how it is built."""

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
    """A network found in a weight file."""

    network: str
    """``rife 4.25``, ``distil-drba v1``: as the manifest names it."""
    keys: Collection[str]
    """Its parameters; what else a file holds is left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a model is built from."""

    info: ModelInfo
    state: State
    """Parameters by name, on the CPU; empty for a model without weights."""
    device: torch.device
    dtype: torch.dtype
    """Of pictures in and out: float16, bfloat16 or float32."""
    settings: Mapping[str, bool] = field(default_factory=dict)
    """What the manifest says of a network, because its parameters do not tell."""
    flow_scale: float = 1.0
    """Size at which motion is estimated, a power of two from 0.25 to 4."""


@dataclass(frozen=True, slots=True)
class Family:
    """One per package of networks, found by ``families``."""

    name: str
    """As ``ModelInfo.family``."""
    detect: Callable[[State], Detected | None]
    """Which of its networks a state dict (without ``module.`` prefixes) is for, from keys and
    shapes alone; None if it is for another family. Raises WeightsMismatch, naming a parameter,
    where it is one but not whole.
    """
    build: Callable[[Request], Interpolator]
    """A model that is ready to run. Raises WeightsMismatch, and UsageError for a flow scale that it
    does not know.
    """
    is_broad: bool = False
    """Whether ``detect`` also takes files that are another family's, which is asked first."""


def strip_prefix(state: State) -> dict[str, Tensor]:
    """Without the ``module.`` that training on several devices leaves in front of every key."""
    return {key.removeprefix("module."): value for key, value in state.items()}


def check_parameters(state: State, expected: Mapping[str, tuple[int, ...]], network: str) -> None:
    """Insist on every expected parameter, in its shape.

    Raises:
        WeightsMismatch: names the first that is missing or misshaped.
    """
    for key, want in expected.items():
        if key not in state:
            raise WeightsMismatch(f'parameter "{key}" is missing for the network {network}')
        got = tuple(state[key].shape)
        if got != want:
            raise WeightsMismatch(f'parameter "{key}" is {got}, the network {network} needs {want}')


def check_no_others(keys: Iterable[str], expected: Collection[str], network: str) -> None:
    """Insist on there being no parameter but the expected ones.

    Raises:
        WeightsMismatch: names the first that is too many.
    """
    for key in keys:
        if key not in expected:
            raise WeightsMismatch(f'parameter "{key}" does not belong to the network {network}')


def has_no_weights(_state: State) -> None:
    """The ``detect`` of a family that has no weight files of its own."""
