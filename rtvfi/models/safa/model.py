"""SAFA v0.5: removes compression noise, grain and blur from a picture, using a neighbouring one.

Four blocks estimate the motion to both pictures at half size and refine the features. Each block
chooses one scale for the whole picture (1, 1/2 or 1/4 of half size). The output is generated from
features; no picture is warped or blended into it. The original program chooses the scale at random,
with the network's probabilities; this one chooses the more probable scale, so the result is
reproducible.

Two shortcuts do not change the result: motion is only used at half size, where the mean of the four
sub-pixels computed by its convolution equals a convolution with the mean weights; and the choice of
the scale reads every second pixel, so only those are computed for it.

Source: Practical-RIFE, "Video Enhancement" v0.5 (MIT); Huang et al., "Scale-Adaptive Feature
Aggregation for Efficient Space-Time Video Super-Resolution" (2024).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch.nn import functional

from rtvfi.models.rife.ifnet import SLOPE, Conv, Upconv
from rtvfi.models.safa.shape import FLOW, NUM_BLOCKS, NUM_TAIL, detect
from rtvfi.models.strips import fetch, in_strips, strip_rows
from rtvfi.models.warp import enlarge, shrink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from rtvfi.models.tuning import Tuning

    State = Mapping[str, Tensor]

PAD: Final = 64
"""Sizes are padded to multiples of this by reflection, as in the original program."""
STRIP_BYTES: Final = 1 << 30


class _Strips(NamedTuple):
    """Requirements of a part of the network for computing strips at half size."""

    reach: int
    """Number of rows above and below that the result of a row depends on."""
    channels: int
    """Values kept in memory for every pixel."""


_BLOCK: Final = _Strips(40, 900)
"""A convolution, two residual layers (three rows each) and the upscaling, at 1/4 of half size."""
_TAIL: Final = _Strips(32, 1300)
"""Three convolutions and eight residual layers; rows rounded up to an even number."""


class SafaPrepared(NamedTuple):
    """A prepared picture, to be restored or to serve as the neighbour."""

    features: Tensor
    """(1, 96, H' / 2, W' / 2), padded."""
    height: int
    """Height of the picture without padding."""
    width: int


class Safa:
    """Restores pictures. It has no state but its parameters, and never modifies its inputs.

    Args:
        state: parameters by name, without prefix.
        tuning: device, dtype and forms of the layers.
        pad: sizes are padded to multiples of this; at least 16.
        strip_bytes: memory for one strip.

    Raises:
        WeightsMismatch: ``state`` is not of this network.
    """

    def __init__(
        self, state: State, tuning: Tuning, *, pad: int = PAD, strip_bytes: int = STRIP_BYTES
    ) -> None:
        detect(state)
        self.tuning = tuning
        self.pad = pad
        self.strip_bytes = strip_bytes
        names = [f"block.convimg.{k}" for k in (0, 2, 4, 6)]
        self.encoder = [
            _conv(state, name, tuning, stride=1 if k else 2, ends=k == 3)
            for k, name in enumerate(names)
        ]
        self.mix = _conv(state, "shuffle.0", tuning)
        self.blocks = [_Block(state, f"block.convblock.{i}", tuning) for i in range(NUM_BLOCKS)]
        self.flow = _mean_of_sub_pixels(state, "block.convflow.0", tuning)
        self.scale_convs = [
            tuple(
                tuning.place(state[f"block.getscale.{k}.0.{leaf}"]) for leaf in ("weight", "bias")
            )
            for k in (0, 1)
        ]
        self.scale_head = tuple(
            state[f"block.getscale.4.{leaf}"].detach().to(tuning.device, torch.float32, copy=True)
            for leaf in ("weight", "bias")
        )
        self.tail: list[Callable[[Tensor], Tensor]] = [
            _conv(state, "lastconv0.0.0", tuning),
            *(_Residual(state, f"lastconv0.{k}", tuning) for k in range(1, NUM_TAIL + 1)),
        ]
        self.out = [
            _conv(state, "lastconv1.0.0", tuning),
            _conv(state, "lastconv1.1", tuning, ends=True),
        ]

    def prepare(self, picture: Tensor) -> SafaPrepared:
        """Clamp a (1, 3, H, W) picture to [0, 1], pad it, and compute its features."""
        height, width = picture.shape[-2:]
        x = _mirrored(picture.to(self.tuning.dtype).clamp(0, 1), self.pad)
        for layer in self.encoder:
            x = layer(x)
        return SafaPrepared(x, height, width)

    def restore(self, picture: SafaPrepared, neighbour: SafaPrepared) -> Tensor:
        """Restore a picture: (1, 3, H, W) in [0, 1].

        Args:
            picture: the picture to restore.
            neighbour: a neighbouring picture of the same size, or the picture itself.
        """
        found, motion, _ = self.gather(picture, neighbour)
        p, q = picture.features, neighbour.features
        rows, columns = p.shape[-2:]

        def made(top: int, end: int) -> Tensor:
            fetched = fetch(q, motion[:, 2:4, top:end] / 2, top)
            strips = [part[:, :, top:end] for part in (found[3], found[1])]
            given = torch.cat((p[:, :, top:end], fetched, *strips), 1)
            x = given
            for layer in self.tail:
                x = layer(x)
            x = torch.cat((x, given), 1)
            for last in self.out:
                x = last(x)
            return x

        size = strip_rows(columns, _TAIL.channels, p.element_size(), self.strip_bytes)
        out = functional.pixel_shuffle(in_strips(made, rows, size, _TAIL.reach), 2)
        return out[..., : picture.height, : picture.width].clamp(0, 1)

    def gather(
        self, picture: SafaPrepared, neighbour: SafaPrepared
    ) -> tuple[list[Tensor], Tensor, list[int]]:
        """Run the blocks.

        Returns:
            The features after each of the four blocks, (1, 96, H' / 2, W' / 2); the motion at half
            size, (1, 6, H' / 2, W' / 2) float32, in full-size pixels; the downscaling factor that
            each block chose.
        """
        p, q = picture.features, neighbour.features
        feature = self.mix(torch.cat((p, q), 1))
        motion = torch.zeros(
            (1, FLOW, *p.shape[-2:]), dtype=torch.float32, device=self.tuning.device
        )
        found, scales = [], []
        for block in self.blocks:
            given = _Inputs(feature, motion, p, q)
            scales.append(self._scale(given))
            feature = self._gathered(block, given, scales[-1])
            motion = motion + self.flow(feature).float()
            found.append(feature)
        return found, motion, scales

    def _gathered(self, block: _Block, given: _Inputs, factor: int) -> Tensor:
        rows, columns = given.feature.shape[-2:]
        size = strip_rows(columns, _BLOCK.channels, given.p.element_size(), self.strip_bytes)
        return in_strips(
            lambda top, end: block(given.rows(top, end), factor), rows, size, _BLOCK.reach
        )

    def _scale(self, given: _Inputs) -> int:
        """The downscaling factor of a block, relative to half size: 1, 2 or 4."""
        first, second = self._chances(given)
        if second <= 0.5:
            return 4
        return 1 if first > 0.5 else 2

    def _chances(self, given: _Inputs) -> tuple[float, float]:
        """The two probabilities, 0..1, that determine the factor."""
        x = given.every_second_pixel()
        for weight, bias in self.scale_convs:
            x = functional.leaky_relu_(functional.conv2d(x, weight, bias), SLOPE)
        mean = x.float().mean((2, 3))
        first, second = functional.linear(mean, *self.scale_head).sigmoid()[0].tolist()
        return first, second


class _Inputs(NamedTuple):
    """The inputs of a block, before warping."""

    feature: Tensor
    motion: Tensor
    p: Tensor
    q: Tensor

    def rows(self, top: int, end: int) -> Tensor:
        """The input channels of some rows: (1, 295, end - top, W' / 2)."""
        motion = self.motion[:, :, top:end]
        fetched = [
            fetch(part, flow / 2, top)
            for part, flow in ((self.p, motion[:, :2]), (self.q, motion[:, 2:4]))
        ]
        time = torch.zeros_like(fetched[0][:, :1])
        parts = (self.feature[:, :, top:end], motion.to(time.dtype), *fetched, time)
        return torch.cat(parts, 1)

    def every_second_pixel(self) -> Tensor:
        """The input channels of every second pixel: (1, 295, H' / 4, W' / 4)."""
        motion = self.motion[..., ::2, ::2]
        fetched = [
            fetch(part, flow / 2, step=2)
            for part, flow in ((self.p, motion[:, :2]), (self.q, motion[:, 2:4]))
        ]
        time = torch.zeros_like(fetched[0][:, :1])
        parts = (self.feature[..., ::2, ::2], motion.to(time.dtype), *fetched, time)
        return torch.cat(parts, 1)


class _Block:
    """A convolution and two residual layers, run at 1/factor of the input's size."""

    def __init__(self, state: State, name: str, tuning: Tuning) -> None:
        self.layers: list[Callable[[Tensor], Tensor]] = [
            _conv(state, f"{name}.conv_stem.0", tuning),
            *(_Residual(state, f"{name}.conv_backbone.{j}", tuning) for j in (0, 1)),
        ]

    def __call__(self, x: Tensor, factor: int) -> Tensor:
        x = shrink(x, factor)
        for layer in self.layers:
            x = layer(x)
        return enlarge(x, factor)


class _Residual:
    """``leaky(beta * deconv(leaky(conv(x))) + x)``; ``beta`` is folded into the deconvolution."""

    def __init__(self, state: State, name: str, tuning: Tuning) -> None:
        self.down = _conv(state, f"{name}.conv.0", tuning, stride=2)
        gain = state[f"{name}.beta"].float()
        weight = state[f"{name}.conv.2.weight"].float() * gain
        self.up = Upconv(weight, state[f"{name}.conv.2.bias"].float() * gain.flatten(), tuning)

    def __call__(self, x: Tensor) -> Tensor:
        return functional.leaky_relu_(self.up(self.down(x)).add_(x), SLOPE)


def _conv(state: State, name: str, tuning: Tuning, *, stride: int = 1, ends: bool = False) -> Conv:
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return Conv(weight, bias, tuning, stride=stride, slope=None if ends else SLOPE)


def _mean_of_sub_pixels(state: State, name: str, tuning: Tuning) -> Conv:
    """A convolution whose outputs are the means of each four output channels of another one."""
    weight = torch.unflatten(state[f"{name}.weight"].float(), 0, (FLOW, 4)).mean(1)
    return Conv(weight, state[f"{name}.bias"].float().view(FLOW, 4).mean(1), tuning)


def _mirrored(picture: Tensor, multiple: int) -> Tensor:
    """Pad by reflection on the right and at the bottom to multiples of ``multiple``.

    Reflection can at most double a picture; one smaller than its padding is reflected repeatedly.
    """
    rows, columns = (size + -size % multiple for size in picture.shape[-2:])
    while picture.shape[-2] < rows or picture.shape[-1] < columns:
        height, width = picture.shape[-2:]
        if min(height, width) == 1:
            extra = (0, columns - width, 0, rows - height)
            return functional.pad(picture, extra, mode="replicate")
        extra = (0, min(columns - width, width - 1), 0, min(rows - height, height - 1))
        picture = functional.pad(picture, extra, mode="reflect")
    return picture
