"""The convolutions of RIFE 4.x and DistilDRBA, folded and ready to run.

What the trained parameters describe and what is run differ, with the same numbers up to rounding:
the gain ``beta`` of a residual layer is folded into its convolution, in float32 the residual itself
too; output channels nobody reads are not computed; a transposed convolution may run as a plain one.
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
"""Of every leaky ReLU."""
_BAND_BYTES: Final = 4 << 20
"""Of what is joined at a time on a CPU: small enough to stay in its caches."""
_LEAST_ROWS: Final = 8
"""Of a band's result: each band computes one row more than it keeps."""


class Conv:
    """A convolution with 3x3 kernels and what follows it, parameters in place."""

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
        """(N, C, H, W) to (N, C', H / stride, W / stride); a residual goes in before the slope."""
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
        """The same of ``torch.cat(parts, 1)``, for stride 2; the bits are those of the whole.

        On a CPU the parts are joined and convolved some rows at a time. Joined as a whole they are
        tens of megabytes, twice with the copy that the convolution makes of them, and such memory
        comes fresh from the system every time. A frame of RIFE 4.25 (one thread, AVX-512): 426 ms
        whole, 408 ms in bands at 960x540; 2.1 and 1.6 s, 1.5 and 1.05 GB at 1920x1080.

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
            # Row k of the result reads rows 2k - 1 to 2k + 1. Two rows above give one row more,
            # which is wrong, for it read the padding, and is left out.
            above = 2 if start else 0
            taken = slice(2 * start - above, 2 * (start + rows))
            band = self(torch.cat([part[:, :, taken] for part in parts], 1))
            bands.append(band[:, :, above // 2 :])
        return torch.cat(bands, 2)


class Upconv:
    """A transposed convolution, kernel 4, stride 2: twice the size."""

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
    """The 3x3 convolution that, followed by a pixel shuffle, does what a transposed one does.

    Output pixel 2i + p of a transposed convolution (kernel 4, stride 2, padding 1) reads the inputs
    i and i - 1 with taps 1 and 3 when p is 0, i and i + 1 with taps 2 and 0 when p is 1.

    Args:
        weight: (C, C', 4, 4), as ``conv_transpose2d`` takes it.

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
    """Features of one picture, in its own size.

    Args:
        state: parameters by name, checked.
        kind: layout of the encoder, not ``none``.
        tuning: device, dtype and forms to run.
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
    """How a block is used, which may differ from how it was trained."""

    order: Sequence[int]
    """For every channel of the input that will be given, its place in the trained one."""
    outputs: int
    """Channels to compute, the first ones."""
    num_shared: int = 0
    """Leading input channels that are given apart, once for a whole batch."""


class Block:
    """One block: its input at its own size to the increments it proposes.

    Args:
        state: parameters by name, checked.
        name: where they begin, ``block0``.
        shape: the architecture.
        wiring: inputs and outputs.
        tuning: device, dtype and forms to run.
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
        """(N, C, H, W), H and W multiples of 4, to (N, outputs, H, W); x may come in parts.

        Without a pixel shuffle at the end, to half that size. ``shared`` is what ``self.shared``
        made of the channels that are given apart.
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
    """``block0`` and those that follow, one for each wiring; see ``Block``."""
    return [Block(state, f"block{i}", shape, wiring, tuning) for i, wiring in enumerate(wirings)]


def fold(
    weight: Tensor, bias: Tensor, beta: Tensor, *, with_residual: bool
) -> tuple[Tensor, Tensor]:
    """The one convolution that is ``conv(x) * beta``, or ``conv(x) * beta + x``."""
    gain = beta.reshape(-1)
    weight = weight * gain[:, None, None, None]
    if with_residual:
        outputs = torch.arange(weight.shape[0], device=weight.device)
        weight[outputs, outputs % weight.shape[1], 1, 1] += 1
    return weight, bias * gain
