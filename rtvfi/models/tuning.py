"""How a network runs on a device: dtype, memory layout and equivalent forms of its layers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

Net = TypeVar("Net", bound="nn.Module")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """Choices that change the speed but not the result, except for rounding."""

    device: torch.device
    dtype: torch.dtype
    channels_last: bool = False
    """Whether convolutions use the channels-last memory format."""
    conv_tail: bool = False
    """Whether a transposed convolution runs as a plain convolution and a pixel shuffle."""

    @property
    def folds_residual(self) -> bool:
        """Whether a residual connection is folded into its convolution.

        Only in float32: adding 1 to a small half-precision weight rounds it to 3 digits.
        """
        return self.dtype == torch.float32

    def place(self, parameter: Tensor, *, plain_layout: bool = False) -> Tensor:
        """Copy a parameter to the device, in the dtype and memory layout of this tuning."""
        last = self.channels_last and parameter.ndim == 4 and not plain_layout
        layout = torch.channels_last if last else torch.contiguous_format
        moved = parameter.detach().to(self.device, self.dtype, copy=True)
        return moved.contiguous(memory_format=layout)


def in_layout(net: Net, layout: torch.memory_format) -> Net:
    """Convert a network's parameters to a memory layout in place; returns the network."""
    net.to(memory_format=layout)  # type: ignore[call-overload]  # torch's types lack it
    return net


def network_dtype(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """The dtype for the convolutions of a network, given the dtype of its pictures.

    A CPU with bfloat16 instructions is faster with bfloat16 (AVX-512, `cel`, 960 x 540, one thread:
    60 instead of 80 ms per picture; PSNR between the results: 61 dB). The choice depends only on
    the CPU's features, not on a measurement, because a rendering that is resumed must get the same
    pictures. Only for networks that keep flow and grids in float32.
    """
    # torch has no public function for this.
    has_bfloat16 = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)
    is_cpu = device.type == "cpu" and dtype == torch.float32
    return torch.bfloat16 if is_cpu and has_bfloat16() else dtype


_layouts: list[bool] = []
"""One item if ``prefer_layout`` has chosen: whether models on a GPU use channels-last."""


def prefer_layout(channels_last: bool | None) -> None:
    """Set whether models loaded from now on use channels-last on a GPU; None: ``tune`` decides."""
    wanted = [] if channels_last is None else [channels_last]
    if wanted != _layouts:
        _layouts[:] = wanted
        tune.cache_clear()


@cache
def tune(device: torch.device, dtype: torch.dtype) -> Tuning:
    """The choices for a device; cached.

    CPU: channels-last, transposed convolutions unchanged (measured with torch 2.13, AVX-512,
    float32, whole frames of four networks: channels-last takes 0.91 to 0.98 of the time, the plain
    form of transposed convolutions 1.02 to 1.07; docs/models.md). CUDA: measured on the device in a
    few milliseconds. ROCm: contiguous, because channels-last convolutions may use slow kernels.
    ``prefer_layout`` overrides the choice of the layout on a GPU.
    """
    if device.type == "cpu":
        return Tuning(device=device, dtype=dtype, channels_last=True)
    if device.type != "cuda":
        return Tuning(device=device, dtype=dtype)
    forms = [
        Tuning(device=device, dtype=dtype, channels_last=last, conv_tail=conv)
        for last in _layouts or ([False] if torch.version.hip else [False, True])
        for conv in (False, True)
    ]
    return min(forms, key=_probe)


def _probe(tuning: Tuning, height: int = 272, width: int = 480) -> float:
    """Seconds for eight convolutions and a final upsampling, of the slowest size at 1080p."""
    with torch.inference_mode():
        layer = tuning.place(torch.zeros(32, 32, 3, 3))
        shape = (208, 32, 3, 3) if tuning.conv_tail else (32, 52, 4, 4)
        last = tuning.place(torch.zeros(shape))
        x = tuning.place(torch.zeros(1, 32, height, width))

        def run() -> None:
            y = x
            for _ in range(8):
                y = functional.conv2d(y, layer, padding=1)
            if tuning.conv_tail:
                functional.pixel_shuffle(functional.conv2d(y, last, padding=1), 2)
            else:
                functional.conv_transpose2d(y, last, stride=2, padding=1)

        return _seconds(run, tuning.device)


def _seconds(run: Callable[[], None], device: torch.device) -> float:
    """The fastest of three runs, after one warm-up run."""
    times = []
    for _ in range(4):
        _finish(device)
        start = time.perf_counter()
        run()
        _finish(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
