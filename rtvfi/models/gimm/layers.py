"""Building blocks of GIMM-VFI: convolutions with their activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from rtvfi.models.tuning import Tuning

LEAK: Final = 0.1
"""Negative slope of all leaky ReLUs here."""
NORM_EPSILON: Final = 1e-5

Activation = Literal["none", "relu", "leaky", "prelu"]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters by name, without prefix, and the tuning to run them with."""

    state: Mapping[str, Tensor]
    tuning: Tuning

    def has(self, name: str) -> bool:
        """Whether there is a parameter of that name."""
        return name in self.state

    def joined(self, names: Sequence[str], inputs: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Concatenate weights and biases of convolutions with the same input, along the outputs.

        Args:
            names: names of the convolutions.
            inputs: which of their input channels to keep.
        """
        weight = torch.cat([self.state[f"{name}.weight"][:, inputs] for name in names])
        return weight, torch.cat([self.state[f"{name}.bias"] for name in names])


class Conv:
    """A convolution that keeps or halves the size, followed by an activation.

    Args:
        kernel: weight, (C', C, rows, columns), and bias, (C',), or None.
        tuning: device, dtype and layout.
        stride: 1 or 2.
        activation: name of the activation, or the slopes of a PReLU, (C',).
        mirrors: use reflect instead of zero padding.
    """

    def __init__(
        self,
        kernel: tuple[Tensor, Tensor | None],
        tuning: Tuning,
        *,
        stride: int = 1,
        activation: Activation | Tensor = "none",
        mirrors: bool = False,
    ) -> None:
        weight, bias = kernel
        self.weight = tuning.place(weight)
        self.bias = None if bias is None else tuning.place(bias)
        self.stride = stride
        self.activation = (
            tuning.place(activation) if isinstance(activation, torch.Tensor) else activation
        )
        self.padding = (weight.shape[2] // 2, weight.shape[3] // 2)
        self.mirrors = mirrors

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H / stride, W / stride)."""
        padding = self.padding
        if self.mirrors:
            rows, columns = padding
            x = functional.pad(x, (columns, columns, rows, rows), mode="reflect")
            padding = (0, 0)
        return activate(
            functional.conv2d(x, self.weight, self.bias, self.stride, padding), self.activation
        )


def activate(x: Tensor, activation: Activation | Tensor) -> Tensor:
    """Apply an activation, in place if possible."""
    if isinstance(activation, torch.Tensor):
        return functional.prelu(x, activation)
    if activation == "relu":
        return x.relu_()
    return functional.leaky_relu_(x, LEAK) if activation == "leaky" else x


def conv(
    given: Parameters,
    name: str,
    activation: Activation = "none",
    *,
    norm: str | None = None,
    stride: int = 1,
    mirrors: bool = False,
) -> Conv:
    """The convolution with that name.

    Args:
        given: all parameters.
        name: of the convolution; for ``prelu``, the prefix of the convolution and the slopes.
        activation: activation after it.
        norm: name of a batch norm in between, which is folded into the convolution.
        stride: 1 or 2.
        mirrors: use reflect instead of zero padding.
    """
    slope: Activation | Tensor = activation
    if activation == "prelu":
        slope = given.state[f"{name}.1.weight"]
        name = f"{name}.0"
    weight, bias = given.state[f"{name}.weight"], given.state[f"{name}.bias"]
    if norm is not None:
        weight, bias = _with_norm(given.state, norm, weight, bias)
    return Conv((weight, bias), given.tuning, stride=stride, activation=slope, mirrors=mirrors)


def _with_norm(
    state: Mapping[str, Tensor], norm: str, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """Fold a batch norm into the convolution before it."""
    weight, bias = weight.double(), bias.double()
    spread = (state[f"{norm}.running_var"].double() + NORM_EPSILON).sqrt()
    gain = state[f"{norm}.weight"].double() / spread
    shift = state[f"{norm}.bias"].double() - state[f"{norm}.running_mean"].double() * gain
    return (weight * gain[:, None, None, None]).float(), (bias * gain + shift).float()


class Lateral:
    """``x + conv(leaky(conv(x)))``."""

    def __init__(self, given: Parameters, name: str) -> None:
        self.first = conv(given, f"{name}.layers.0", "leaky")
        self.second = conv(given, f"{name}.layers.2")

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return self.second(self.first(x)).add_(x)


class Chain:
    """A sequence of functions, applied one after the other."""

    def __init__(self, steps: Sequence[Callable[[Tensor], Tensor]]) -> None:
        self.steps = steps

    def __call__(self, x: Tensor) -> Tensor:
        """The result of the last function."""
        for step in self.steps:
            x = step(x)
        return x
