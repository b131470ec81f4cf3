"""The convolutional blocks of RIFE 4.x and DistilDRBA, optimised for inference.

The layers differ from the trained ones, but the results are the same up to rounding: the gain
``beta`` of a residual layer is folded into its convolution, and in float32 the residual connection,
too; unused output channels are not computed; a transposed convolution may run as a plain one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch.nn import functional

from rtvfi.models.rife.shape import ENCODER_NAMES, NUM_LAYERS, EncoderKind, IFNetShape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rtvfi.models.tuning import Tuning

    State = Mapping[str, Tensor]

SLOPE: Final = 0.2
"""Negative slope of every leaky ReLU."""
_BAND_BYTES: Final = 4 << 20
"""Size of a band's input on a CPU: small enough to stay in its caches."""
_LEAST_ROWS: Final = 8
"""Least number of output rows of a band; each band computes one row that is discarded."""


class Conv:
    """A convolution with 3x3 kernels and its activation; copies its parameters to the device."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        tuning: Tuning,
        *,
        stride: int = 1,
        slope: Tensor | float | None = None,
        plain_layout: bool = False,
    ) -> None:
        self.weight = tuning.place(weight, plain_layout=plain_layout)
        self.bias = None if bias is None else tuning.place(bias)
        self.slope = tuning.place(slope) if isinstance(slope, torch.Tensor) else slope
        self.stride = stride

    def __call__(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """(N, C, H, W) to (N, C', H / stride, W / stride).

        A residual of the output's shape is added before the activation.
        """
        groups = x.shape[1] // self.weight.shape[1]
        y = functional.conv2d(x, self.weight, self.bias, self.stride, 1, 1, groups)
        if residual is not None:
            y += residual
        if self.slope is None:
            return y
        if isinstance(self.slope, float):
            return functional.leaky_relu_(y, self.slope)
        return functional.prelu(y, self.slope)

    def of_parts(self, parts: Sequence[Tensor]) -> Tensor:
        """Apply a convolution of stride 2 to ``torch.cat(parts, 1)``; bit-identical to doing so.

        On a CPU the parts are concatenated and convolved in bands of rows. All rows at once would
        be tens of megabytes, twice that with the copy made by the convolution, and the system would
        have to provide that memory anew each time. A frame of RIFE 4.25 (one thread, AVX-512): 426
        ms at once, 408 ms in bands at 960x540; 2.1 and 1.6 s, 1.5 and 1.05 GB at 1920x1080.

        Args:
            parts: (N, C_i, H, W) each, H even, in the network's dtype.
        """
        batch, _, height, width = parts[0].shape
        row_bytes = 2 * batch * width * sum(p.shape[1] for p in parts) * parts[0].element_size()
        rows = max(_LEAST_ROWS, _BAND_BYTES // row_bytes)
        if parts[0].device.type != "cpu" or 2 * rows >= height:
            return self(torch.cat(tuple(parts), 1))
        bands = []
        for start in range(0, height // 2, rows):
            # Output row k reads input rows 2k - 1 to 2k + 1. Two more input rows above give one
            # more output row; it is discarded, because it read the padding.
            above = 2 if start else 0
            taken = slice(2 * start - above, 2 * (start + rows))
            band = self(torch.cat([part[:, :, taken] for part in parts], 1))
            bands.append(band[:, :, above // 2 :])
        return torch.cat(bands, 2)


class Upconv:
    """A transposed convolution with kernel 4 and stride 2, which doubles the size."""

    def __init__(self, weight: Tensor, bias: Tensor, tuning: Tuning) -> None:
        self.as_conv = tuning.conv_tail
        if self.as_conv:
            weight, bias = as_plain_convolution(weight), bias.repeat_interleave(4)
        self.weight, self.bias = tuning.place(weight), tuning.place(bias)

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', 2H, 2W)."""
        if self.as_conv:
            y = functional.conv2d(x, self.weight, self.bias, padding=1)
            return functional.pixel_shuffle(y, 2)
        return functional.conv_transpose2d(x, self.weight, self.bias, stride=2, padding=1)


def as_plain_convolution(weight: Tensor) -> Tensor:
    """The 3x3 convolution that, followed by a pixel shuffle, equals a transposed convolution.

    Output pixel 2i + p of a transposed convolution (kernel 4, stride 2, padding 1) reads the inputs
    i and i - 1 with taps 1 and 3 when p is 0, i and i + 1 with taps 2 and 0 when p is 1.

    Args:
        weight: (C, C', 4, 4), the weight of ``conv_transpose2d``.

    Returns:
        (4 C', C, 3, 3).
    """
    inputs, outputs = weight.shape[:2]
    plain = weight.new_zeros(outputs, 2, 2, inputs, 3, 3)
    taps = {0: ((0, 3), (1, 1)), 1: ((1, 2), (2, 0))}
    for row, row_taps in taps.items():
        for column, column_taps in taps.items():
            for y, from_y in row_taps:
                for x, from_x in column_taps:
                    plain[:, row, column, :, y, x] = weight[:, :, from_y, from_x].t()
    return plain.reshape(4 * outputs, inputs, 3, 3)


class Encoder:
    """Computes the features of one picture, at its own size.

    Args:
        state: parameters by name, checked.
        kind: layout of the encoder, not ``none``.
        tuning: device, dtype and forms of the layers.
    """

    def __init__(self, state: State, kind: EncoderKind, tuning: Tuning) -> None:
        *convs, last = ENCODER_NAMES[kind]
        slope = None if kind == "pair" else SLOPE
        self.convs = [
            Conv(
                state[f"{name}.weight"],
                state[f"{name}.bias"],
                tuning,
                stride=2 if i == 0 else 1,
                slope=slope,
                plain_layout=i == 0,
            )
            for i, name in enumerate(convs)
        ]
        self.last = Upconv(state[f"{last}.weight"], state[f"{last}.bias"], tuning)

    def __call__(self, image: Tensor) -> Tensor:
        """(N, 3, H, W), H and W even, to (N, features, H, W)."""
        for conv in self.convs:
            image = conv(image)
        return self.last(image)


class Wiring(NamedTuple):
    """The input and output channels of a block, which may differ from those in training."""

    order: Sequence[int]
    """For every input channel, its index in the trained order."""
    outputs: int
    """Number of output channels to compute; the others are dropped."""
    num_shared: int = 0
    """Number of leading input channels that are the same for a whole batch, and passed separately.
    """


class Block:
    """One block: computes increments of flow and mask from inputs of the block's size.

    Args:
        state: parameters by name, checked.
        name: prefix of its parameters: ``block0``.
        shape: the architecture.
        wiring: input and output channels.
        tuning: device, dtype and forms of the layers.
    """

    def __init__(
        self,
        state: State,
        name: str,
        shape: IFNetShape,
        wiring: Wiring,
        tuning: Tuning,
    ) -> None:
        def take(layer: str) -> tuple[Tensor, Tensor]:
            return state[f"{name}.{layer}.weight"], state[f"{name}.{layer}.bias"]

        def slope(layer: str) -> Tensor | float:
            return state[f"{name}.{layer}.weight"] if shape.body == "prelu" else SLOPE

        weight, bias = take("conv0.0.0")
        weight, num_shared = weight[:, list(wiring.order)], wiring.num_shared
        self.shared = None
        if num_shared:
            part = weight[:, :num_shared]
            self.shared = Conv(part, bias, tuning, stride=2, plain_layout=True)
        self.first = Conv(
            weight[:, num_shared:],
            None if num_shared else bias,
            tuning,
            stride=2,
            slope=slope("conv0.0.1"),
            plain_layout=True,
        )
        self.second = Conv(*take("conv0.1.0"), tuning, stride=2, slope=slope("conv0.1.1"))
        self.skips = shape.body == "prelu"
        self.adds = shape.body == "residual" and not tuning.folds_residual
        self.body = []
        for j in range(NUM_LAYERS):
            layer = f"convblock.{j}"
            if shape.body == "residual":
                beta = state[f"{name}.{layer}.beta"]
                weight, bias = fold(*take(f"{layer}.conv"), beta, with_residual=not self.adds)
                self.body.append(Conv(weight, bias, tuning, slope=SLOPE))
            else:
                self.body.append(Conv(*take(f"{layer}.0"), tuning, slope=slope(f"{layer}.1")))
        self.shuffles = shape.tail == "shuffle"
        weight, bias = take("lastconv.0" if self.shuffles else "lastconv")
        kept = 4 * wiring.outputs if self.shuffles else wiring.outputs
        self.last = Upconv(weight[:, :kept], bias[:kept], tuning)

    def __call__(self, x: Tensor | Sequence[Tensor], shared: Tensor | None = None) -> Tensor:
        """(N, C, H, W) to (N, outputs, H, W), or half that size without a final pixel shuffle.

        Args:
            x: the input, or parts of its channels to concatenate; H and W multiples of 4.
            shared: the output of ``self.shared`` for the shared input channels, if there are any.
        """
        first = self.first(x, shared) if isinstance(x, torch.Tensor) else self.first.of_parts(x)
        x = start = self.second(first)
        for layer in self.body:
            x = layer(x, x if self.adds else None)
        y = self.last(x + start if self.skips else x)
        return functional.pixel_shuffle(y, 2) if self.shuffles else y


def blocks(
    state: State, shape: IFNetShape, wirings: Sequence[Wiring], tuning: Tuning
) -> list[Block]:
    """Create the blocks ``block0``, ``block1``, ..., one for each wiring."""
    return [Block(state, f"block{i}", shape, wiring, tuning) for i, wiring in enumerate(wirings)]


def fold(
    weight: Tensor, bias: Tensor, beta: Tensor, *, with_residual: bool
) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution equal to ``conv(x) * beta``, or ``conv(x) * beta + x``.

    Args:
        weight: (C', C, 3, 3).
        bias: (C',).
        beta: (1, C', 1, 1).
        with_residual: whether to add ``x``.
    """
    gain = beta.reshape(-1)
    weight = weight * gain[:, None, None, None]
    if with_residual:
        outputs = torch.arange(weight.shape[0], device=weight.device)
        weight[outputs, outputs % weight.shape[1], 1, 1] += 1
    return weight, bias * gain
