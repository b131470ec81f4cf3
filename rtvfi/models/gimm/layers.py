"""Building blocks of GIMM-VFI: convolutions with what follows them."""

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
"""Slope below zero of every leaky ReLU here."""
NORM_EPSILON: Final = 1e-5

Activation = Literal["none", "relu", "leaky", "prelu"]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters by name, without prefix, and how they are run."""

    state: Mapping[str, Tensor]
    tuning: Tuning

    def has(self, name: str) -> bool:
        """Whether there is a parameter of that name."""
        return name in self.state

    def joined(self, names: Sequence[str], inputs: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Weight and bias of convolutions that read the same, one above the other.

        Args:
            names: of the convolutions.
            inputs: which of their input channels.
        """
        weight = torch.cat([self.state[f"{name}.weight"][:, inputs] for name in names])
        return weight, torch.cat([self.state[f"{name}.bias"] for name in names])


class Conv:
    """A convolution that keeps the size (or halves it), and what follows it.

    Args:
        kernel: weight (C', C, rows, columns), and bias (C',) or None.
        tuning: where and how it runs.
        stride: 1 or 2.
        activation: what follows.
        slope: (C',), for ``prelu``.
        mirrors: beyond the edge lies the picture's mirror image instead of zeros.
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
    """What follows a convolution, in place where that can be."""
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
    """The convolution of that name.

    Args:
        given: all parameters.
        name: of the convolution; with ``prelu`` it is that of a pair, convolution and slopes.
        activation: what follows.
        norm: name of a batch norm in between, whose statistics are folded in.
        stride: 1 or 2.
        mirrors: see ``Conv``.
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
    """The convolution that does what this one does with a batch norm behind it."""
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
        """(N, C, H, W), the same."""
        return self.second(self.first(x)).add_(x)


class Chain:
    """One after another."""

    def __init__(self, steps: Sequence[Callable[[Tensor], Tensor]]) -> None:
        self.steps = steps

    def __call__(self, x: Tensor) -> Tensor:
        """What the last step gives."""
        for step in self.steps:
            x = step(x)
        return x
