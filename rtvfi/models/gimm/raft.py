"""RAFT's iterations: the flow between two pictures, corrected twenty times.

What depends only on the first picture is computed once per picture, as ``RaftStart``: the initial
hidden state, and the contribution of its context to the gates of every iteration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch.nn import functional

from rtvfi.models.gimm.correlation import Correlation, pixel_grid
from rtvfi.models.gimm.layers import Conv, Parameters, conv

if TYPE_CHECKING:
    from torch import Tensor

ITERATIONS: Final = 20
HIDDEN: Final = 128
_MOTION: Final = 128


class RaftStart(NamedTuple):
    """The initial data of the iterations for the picture whose flow they estimate."""

    hidden: Tensor
    """(1, 128, h, w): the hidden state."""
    context: tuple[Tensor, ...]
    """Two of (1, 384, h, w): the context's contributions to the gates z, r, q in both halves of a
    step.
    """


class Raft:
    """RAFT's update block.

    Args:
        given: parameters.
        name: their prefix.
    """

    def __init__(self, given: Parameters, name: str) -> None:
        def layer(end: str) -> Conv:
            return conv(given, f"{name}.encoder.{end}", "relu")

        self.tuning = given.tuning
        self.from_likeness = (layer("convc1"), layer("convc2"))
        self.from_flow = (layer("convf1"), layer("convf2"))
        self.motion = layer("conv")
        self.halves = tuple(_Half(given, f"{name}.gru", k) for k in (1, 2))
        self.flow_head = (
            conv(given, f"{name}.flow_head.conv1", "relu"),
            conv(given, f"{name}.flow_head.conv2"),
        )
        self.mask = (conv(given, f"{name}.mask.0", "relu"), conv(given, f"{name}.mask.2"))

    def start(self, out: Tensor) -> RaftStart:
        """Compute the initial data from the context encoder's output, (1, 256, h, w)."""
        hidden, context = torch.split(out, HIDDEN, 1)
        context = context.relu()
        return RaftStart(hidden.tanh(), tuple(half.share(context) for half in self.halves))

    def flow(self, start: RaftStart, correlation: Correlation) -> Tensor:
        """The flow in full-size pixels, (N, 2, 8h, 8w), float32.

        Args:
            start: initial data of N pictures.
            correlation: between these and the N other pictures.
        """
        hidden = start.hidden
        home = pixel_grid(hidden)
        place = home.expand(len(hidden), -1, -1, -1)
        for _ in range(ITERATIONS):
            hidden, delta = self.step(hidden, start.context, correlation(place), place - home)
            place = place + delta
        # Only the last flow is upsampled, so the weights for that are computed once.
        return enlarged(place - home, self.enlarging(hidden))

    def step(
        self, hidden: Tensor, context: tuple[Tensor, ...], likeness: Tensor, flow: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One iteration: the new hidden state and the flow's correction, (N, 2, h, w), float32."""
        dtype = self.tuning.dtype
        seen, moved = likeness.to(dtype), flow.to(dtype)
        for layer in self.from_likeness:
            seen = layer(seen)
        for layer in self.from_flow:
            moved = layer(moved)
        motion = self.motion(torch.cat((seen, moved), 1))
        motion = torch.cat((motion, flow.to(dtype)), 1)
        for half, share in zip(self.halves, context, strict=True):
            hidden = half(hidden, motion, share)
        first, second = self.flow_head
        return hidden, second(first(hidden)).float()

    def enlarging(self, hidden: Tensor) -> Tensor:
        """The weights for upsampling, (N, 576, h, w), before the softmax."""
        first, second = self.mask
        return 0.25 * second(first(hidden)).float()


class _Half:
    """One of the two halves of a convolutional GRU, along rows or columns.

    Its convolutions take hidden state, context and motion; the context's contribution is cached.
    """

    def __init__(self, given: Parameters, name: str, number: int) -> None:
        def gate(letters: str, inputs: slice, *, has_bias: bool) -> Conv:
            weight, bias = given.joined([f"{name}.conv{g}{number}" for g in letters], inputs)
            return Conv((weight, bias if has_bias else None), given.tuning)

        of_hidden, of_context = slice(0, HIDDEN), slice(HIDDEN, 2 * HIDDEN)
        of_motion = slice(2 * HIDDEN, 2 * HIDDEN + _MOTION)
        self.share = gate("zrq", of_context, has_bias=True)
        self.of_motion = gate("zrq", of_motion, has_bias=False)
        self.of_hidden = gate("zr", of_hidden, has_bias=False)
        self.of_reset = gate("q", of_hidden, has_bias=False)

    def __call__(self, hidden: Tensor, motion: Tensor, share: Tensor) -> Tensor:
        gates = self.of_motion(motion).add_(share)
        both = self.of_hidden(hidden).add_(gates[:, : 2 * HIDDEN]).sigmoid_()
        z, r = torch.split(both, HIDDEN, 1)
        q = self.of_reset(r * hidden).add_(gates[:, 2 * HIDDEN :]).tanh_()
        return torch.lerp(hidden, q, z)


def enlarged(flow: Tensor, weights: Tensor) -> Tensor:
    """Upsample a flow by eight; every new pixel is a weighted mean of nine old ones around it.

    Args:
        flow: (N, 2, h, w), float32, in pixels of its own size.
        weights: (N, 576, h, w), before the softmax: nine neighbours for each of 8 x 8 new pixels.

    Returns:
        (N, 2, 8h, 8w), float32, in pixels of the new size.
    """
    batch, _, height, width = flow.shape
    shares = weights.view(batch, 1, 9, 8, 8, height, width).softmax(2)
    around = functional.unfold(8 * flow, 3, padding=1).view(batch, 2, 9, 1, 1, height, width)
    new = (shares * around).sum(2)
    return new.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, 8 * height, 8 * width)
