"""Layers used by all parts of GMFSS, with the parameters on their device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rtvfi.models.tuning import Tuning


class Layers:
    """The layers of a part. Each method applies the layer whose parameters have a given name.

    Args:
        state: parameters of the part.
        tuning: device, dtype and layout.
    """

    def __init__(self, state: Mapping[str, Tensor], tuning: Tuning) -> None:
        self.tuning = tuning
        self._parameters = {key: tuning.place(value) for key, value in state.items()}

    def conv(self, name: str, x: Tensor, *, stride: int = 1) -> Tensor:
        """A convolution that keeps the size (or divides it by ``stride``), with bias if it has one.

        Args:
            name: prefix of the layer's parameters.
            x: (N, C, H, W), any float dtype.
            stride: 1 or 2.

        Returns:
            (N, C', H / stride, W / stride) in the dtype of the parameters.
        """
        weight = self._parameters[f"{name}.weight"]
        bias = self._parameters.get(f"{name}.bias")
        x = x.to(weight.dtype)
        return functional.conv2d(x, weight, bias, stride, padding=weight.shape[-1] // 2)

    def activated(self, name: str, x: Tensor, *, stride: int = 1) -> Tensor:
        """PReLU, convolution with ``stride``, PReLU, convolution."""
        x = self.conv(f"{name}.1", self.prelu(f"{name}.0", x), stride=stride)
        return self.conv(f"{name}.3", self.prelu(f"{name}.2", x))

    def prelu(self, name: str, x: Tensor) -> Tensor:
        """PReLU with one learned slope; in the dtype of the parameters."""
        slope = self._parameters[f"{name}.weight"]
        return functional.prelu(x.to(slope.dtype), slope)

    def doubled(self, name: str, x: Tensor) -> Tensor:
        """A transposed convolution with kernel 4 that doubles the size."""
        weight, bias = (self._parameters[f"{name}.{kind}"] for kind in ("weight", "bias"))
        return functional.conv_transpose2d(x, weight, bias, stride=2, padding=1)

    def linear(self, name: str, x: Tensor) -> Tensor:
        """A linear layer over the last dimension, with bias if any; in the parameters' dtype."""
        weight = self._parameters[f"{name}.weight"]
        return functional.linear(x.to(weight.dtype), weight, self._parameters.get(f"{name}.bias"))

    def norm(self, name: str, x: Tensor) -> Tensor:
        """Layer norm over the last dimension, in float32."""
        weight, bias = (self._parameters[f"{name}.{kind}"].float() for kind in ("weight", "bias"))
        return functional.layer_norm(x.float(), weight.shape, weight, bias)
