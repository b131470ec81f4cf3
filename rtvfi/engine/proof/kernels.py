"""The operations that networks use, run on a device and compared with this processor's results."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch.nn import functional

from rtvfi.models.warp import backwarp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    Hook = Callable[[str, str, Tensor], Tensor]
    """For tests: takes the kernel's name, the dtype and the output; returns the output to use."""

_BODIES: Final = ((192, 17, 30), (128, 34, 60), (96, 68, 120), (64, 136, 240), (32, 272, 480))
"""Channels, height and width of the layers in which RIFE 4.25 spends its time at 1920x1080."""
_OUT: Final = 52
"""Channels of its last layers: the output of a transposed convolution, shuffled into 13."""
_REPEATS: Final = 5
_MEAN: Final = {torch.float32: 2e-4, torch.float16: 1e-3}
_MOST: Final = {torch.float32: 4e-3, torch.float16: 2e-2}
"""Largest differences that rounding explains, for values around 0.25; float32 may be computed as
TF32.
"""


class Kernel(NamedTuple):
    """One operation to test."""

    name: str
    inputs: tuple[Tensor, ...]
    """On the processor, in float32, with values that the dtype under test represents exactly."""
    run: Callable[..., Tensor]
    """The operation, for any device; (N, C, H, W) in and out."""


def kernels(dtype: torch.dtype, share: float = 1.0) -> Iterator[Kernel]:
    """Yield all operations to test.

    Args:
        dtype: float16 or float32.
        share: factor on the height and width of the networks' own shapes; below 1 in tests.
    """
    numbers = torch.Generator().manual_seed(1)

    def noise(*shape: int, scale: float = 1.0) -> Tensor:
        made = torch.randn(shape, generator=numbers) * scale
        return made.to(dtype).float()

    for channels, *whole in _BODIES:
        height, width = (max(4, round(side * share)) for side in whole)
        name = f"{channels} channels, {width}x{height}"
        x = noise(1, channels, height, width)
        weight = noise(channels, channels, 3, 3, scale=0.25 / (3 * channels**0.5))
        yield Kernel(f"a 3x3 convolution ({name})", (x, weight), _conv)
        yield Kernel(f"a 3x3 convolution in steps of 2 ({name})", (x, weight), _stepped)
        weight = noise(channels, _OUT, 4, 4, scale=0.25 / (2 * channels**0.5))
        yield Kernel(f"a transposed convolution ({name})", (x, weight), _deconv)
        image, flow = noise(1, channels, height, width, scale=0.25), noise(1, 2, height, width)
        yield Kernel(f"grid_sample ({name})", (image, flow), backwarp)
        image = noise(1, channels, height, width, scale=0.25)
        yield Kernel(f"a pixel shuffle ({name})", (image,), _shuffle)
        layers = [noise(32, 32, 3, 3, scale=1.4 / (3 * 32**0.5)) for _ in range(4)]
        if channels == _BODIES[-1][0]:
            chain = (noise(1, 32, height, width, scale=0.25), *layers)
            yield Kernel(f"four layers ({name})", chain, _chain)


_conv = partial(functional.conv2d, padding=1)
_stepped = partial(functional.conv2d, padding=1, stride=2)
_deconv = partial(functional.conv_transpose2d, padding=1, stride=2)
_shuffle = partial(functional.pixel_shuffle, upscale_factor=2)


def _chain(x: Tensor, *weights: Tensor) -> Tensor:
    """Convolutions with the activations between them, as in a network."""
    for weight in weights:
        x = functional.leaky_relu(functional.conv2d(x, weight, padding=1), 0.2) * 0.7 + x * 0.3
    return x


class Outcome(NamedTuple):
    """The result of testing one operation."""

    wrong: str
    """What is wrong; empty if nothing is."""
    is_repeatable: bool = True


@torch.inference_mode()
def tried(kernel: Kernel, device: torch.device, dtype: torch.dtype, hook: Hook) -> Outcome:
    """Run an operation several times on the device.

    Raises:
        RuntimeError: the device does not support it.
    """
    wanted = kernel.run(*kernel.inputs)
    inputs = [
        # flow stays float32 in networks, too
        x.to(device, torch.float32 if kernel.run is backwarp and k else dtype)
        for k, x in enumerate(kernel.inputs)
    ]
    first: Tensor | None = None
    is_repeatable = True
    for number in range(_REPEATS):
        name = str(dtype).removeprefix("torch.")
        got = hook(kernel.name, name, kernel.run(*inputs)).float().cpu()
        if wrong := _difference(got, wanted, dtype):
            again = "" if number == 0 else f" in run {number + 1}"
            return Outcome(f"{kernel.name} in {name} {wrong}{again}", is_repeatable)
        first = got if first is None else first
        is_repeatable = is_repeatable and torch.equal(first, got)
    return Outcome("", is_repeatable)


def _difference(got: Tensor, wanted: Tensor, dtype: torch.dtype) -> str:
    if got.shape != wanted.shape:
        return "gave a picture of another size"
    if not bool(torch.isfinite(got).all()):
        return "gave NaN or infinity"
    away = (got - wanted).abs()
    mean, most = away.mean().item(), away.max().item()
    if mean > _MEAN[dtype] or most > _MOST[dtype]:
        return f"is off by {mean:.1g}, at most {most:.1g}"
    return ""
