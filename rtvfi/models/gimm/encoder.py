"""RAFT's two encoders, which compute the features of a single picture.

Source: Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow" (2020).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch.nn import functional

from rtvfi.models.gimm.layers import Parameters, conv

if TYPE_CHECKING:
    from torch import Tensor


class Features(NamedTuple):
    """The features that an encoder computes."""

    quarter: Tensor
    """(N, 96, H / 4, W / 4)."""
    eighth: Tensor
    """(N, 128, H / 8, W / 8)."""
    out: Tensor
    """(N, 256, H / 8, W / 8)."""


class Encoder:
    """Seven convolutions of 7x7 and 3x3, three of them with stride 2, in residual blocks.

    Args:
        given: parameters.
        name: their prefix. Batch norms are used if there are parameters for them, else instance
            norms.
    """

    def __init__(self, given: Parameters, name: str) -> None:
        self.normalises = not given.has(f"{name}.norm1.weight")
        self.first = conv(given, f"{name}.conv1", norm=self._norm(f"{name}.norm1"), stride=2)
        self.layers = [
            _Block(given, f"{name}.layer{k}.{j}", self.normalises, 2 if k > 1 and not j else 1)
            for k in (1, 2, 3)
            for j in (0, 1)
        ]
        self.last = conv(given, f"{name}.conv2")

    def _norm(self, name: str) -> str | None:
        return None if self.normalises else name

    def __call__(self, picture: Tensor) -> Features:
        """The features of pictures, (N, 3, H, W), [-1, 1], H and W multiples of 8."""
        x = self.first(picture)
        x = (functional.instance_norm(x) if self.normalises else x).relu_()
        kept = []
        for number, block in enumerate(self.layers):
            x = block(x)
            if number % 2:
                kept.append(x)
        return Features(kept[1], kept[2], self.last(x))


class _Block:
    """``relu(x' + relu(norm(conv(relu(norm(conv(x)))))))``."""

    def __init__(self, given: Parameters, name: str, normalises: bool, stride: int) -> None:
        def norm(k: str) -> str | None:
            return None if normalises else f"{name}.{k}"

        self.normalises = normalises
        self.first = conv(given, f"{name}.conv1", norm=norm("norm1"), stride=stride)
        self.second = conv(given, f"{name}.conv2", norm=norm("norm2"))
        # The file also has this norm under the name norm3; the original loads this name last.
        self.shortcut = (
            conv(given, f"{name}.downsample.0", norm=norm("downsample.1"), stride=2)
            if stride == 2
            else None
        )

    def __call__(self, x: Tensor) -> Tensor:
        y = self._normal(self.first(x)).relu_()
        y = self._normal(self.second(y)).relu_()
        if self.shortcut is not None:
            x = self._normal(self.shortcut(x))
        return (y + x).relu_()

    def _normal(self, x: Tensor) -> Tensor:
        return functional.instance_norm(x) if self.normalises else x
