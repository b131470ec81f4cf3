"""RAFT's iterations: motion between two pictures, corrected twenty times.

What depends on the first picture alone goes into ``RaftStart``, once per picture: the hidden state
to begin with, and what its context adds to the gates in every iteration.
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
    """What the iterations need of the picture whose motion they estimate."""

    hidden: Tensor
    """(1, 128, h, w)."""
    context: tuple[Tensor, ...]
    """Two of (1, 384, h, w): shares of the gates z, r, q, of both halves of a step."""


class Raft:
    """The update block.

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
        """From the context encoder's (1, 256, h, w)."""
        hidden, context = torch.split(out, HIDDEN, 1)
        context = context.relu()
        return RaftStart(hidden.tanh(), tuple(half.share(context) for half in self.halves))

    def flow(self, start: RaftStart, correlation: Correlation) -> Tensor:
        """Motion in full-size pixels, (N, 2, 8h, 8w) float32.

        Args:
            start: of N pictures.
            correlation: between them and their partners.
        """
        hidden = start.hidden
        home = pixel_grid(hidden)
        place = home.expand(len(hidden), -1, -1, -1)
        for _ in range(ITERATIONS):
            hidden, delta = self.step(hidden, start.context, correlation(place), place - home)
            place = place + delta
        # Only the last motion is enlarged, so only it needs the weights for that.
        return enlarged(place - home, self.enlarging(hidden))

    def step(
        self, hidden: Tensor, context: tuple[Tensor, ...], likeness: Tensor, flow: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One iteration: the hidden state after it, and the correction (N, 2, h, w) float32."""
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
        """Weights of the enlarging, (N, 576, h, w), before the softmax."""
        first, second = self.mask
        return 0.25 * second(first(hidden)).float()


class _Half:
    """One of the two halves of a gated recurrent unit, along rows or columns.

    Its convolutions read hidden state, context and motion; the context's share is kept.
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
    """Flow at eight times the size: every new pixel is a blend of the nine old ones around it.

    Args:
        flow: (N, 2, h, w) float32, in pixels of its own size.
        weights: (N, 576, h, w) before the softmax: nine neighbours, 8 x 8 new pixels.

    Returns:
        (N, 2, 8h, 8w) float32, in pixels of the new size.
    """
    batch, _, height, width = flow.shape
    shares = weights.view(batch, 1, 9, 8, 8, height, width).softmax(2)
    around = functional.unfold(8 * flow, 3, padding=1).view(batch, 2, 9, 1, 1, height, width)
    new = (shares * around).sum(2)
    return new.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, 8 * height, 8 * width)
