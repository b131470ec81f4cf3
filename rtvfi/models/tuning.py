"""How a network is run on a device: its dtype, memory layout and equivalent forms."""

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
    """Choices that change speed, not numbers (beyond rounding)."""

    device: torch.device
    dtype: torch.dtype
    channels_last: bool = False
    """Convolutions run on channels-last memory."""
    conv_tail: bool = False
    """Transposed convolutions run as a plain convolution and a pixel shuffle."""

    @property
    def folds_residual(self) -> bool:
        """Whether a residual is folded into its convolution: adding 1 to a small half-precision
        weight would round that weight to 3 digits.
        """
        return self.dtype == torch.float32

    def place(self, parameter: Tensor, *, plain_layout: bool = False) -> Tensor:
        """A parameter on its device, in its dtype and layout."""
        last = self.channels_last and parameter.ndim == 4 and not plain_layout
        layout = torch.channels_last if last else torch.contiguous_format
        moved = parameter.detach().to(self.device, self.dtype, copy=True)
        return moved.contiguous(memory_format=layout)


def in_layout(net: Net, layout: torch.memory_format) -> Net:
    """Put a network's parameters into a memory layout; returns it."""
    net.to(memory_format=layout)  # type: ignore[call-overload]  # torch's types lack it
    return net


def network_dtype(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """What the convolutions of a network may compute in, given the dtype of its pictures.

    A CPU with bfloat16 instructions does them in half the time (AVX-512, `cel`, 960 x 540, one
    thread: 60 against 80 ms a picture, the pictures 61 dB alike). Not measured here but read off
    the processor, because a rendering that goes on later must get the same pictures. Only for
    networks that keep flow and grids in float32.
    """
    # a private name: torch tells this nowhere else
    has_bfloat16 = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)
    is_cpu = device.type == "cpu" and dtype == torch.float32
    return torch.bfloat16 if is_cpu and has_bfloat16() else dtype


_layouts: list[bool] = []
"""Whether channels-last is wanted on a GPU, where that was measured with a whole model."""


def prefer_layout(channels_last: bool | None) -> None:
    """What models that are loaded from now on shall use on a GPU; None: what ``tune`` finds."""
    wanted = [] if channels_last is None else [channels_last]
    if wanted != _layouts:
        _layouts[:] = wanted
        tune.cache_clear()


@cache
def tune(device: torch.device, dtype: torch.dtype) -> Tuning:
    """The choices for a device, made once.

    A CPU: channels-last, transposed convolutions as they are (measured with torch 2.13, AVX-512,
    float32, whole frames of four networks: channels-last takes 0.91 to 0.98 of the time, the plain
    form of transposed convolutions 1.02 to 1.07; docs/models.md). CUDA: measured here, in some
    milliseconds. ROCm: contiguous, where channels-last convolutions have fallen to slow kernels.
    ``prefer_layout`` decides otherwise.
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
    """Seconds of a body layer and a tail of the size that takes longest at 1080p."""
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
    """The fastest of a few runs, after one that is not counted."""
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
