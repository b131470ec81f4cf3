"""Times a convolution and a lookup in every number format and memory layout.

Only ratios of times measured on the same device are judged. A slow machine is fine; an operation
that is slow compared with a similar one on the same machine uses a naive kernel.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from rtvfi.core.program import command_line
from rtvfi.doctor.finding import ok, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import torch
    from torch import Tensor

    from rtvfi.doctor.finding import Finding, Place

FORMATS: Final = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
SLOW_CONVOLUTION: Final = 20.0
"""Limit for the time of a convolution divided by that of a matrix product with as many
multiply-adds. A processor with AVX-512 has 1.0 in float32, 1.4 in bfloat16, and 28 for its plain
float16 loop against the product in float32.
"""
SLOW_HALF: Final = 1.5
"""Limit for the time in half precision divided by that in float32; it should be faster."""
SLOW_LAYOUT: Final = 3.0
"""Limit for the time in one memory layout divided by that in the other."""
SLOW_LOOKUP: Final = 80.0
"""Limit for the time of a lookup divided by that of doubling the picture; 13 on that processor."""
_CHANNELS: Final = 32
_BUDGET_SECONDS: Final = 0.4


def check_speed(place: Place) -> Iterator[Finding]:
    """Check the device that ``auto`` uses; sets torch to one thread."""
    if not place.is_real:
        return
    try:
        import torch
    except (ImportError, OSError):
        return  # the check of torch reports it
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(1)
    with torch.inference_mode():
        ms = measure(device)
    from rtvfi.models.tuning import network_dtype

    used = torch.float16 if device.type == "cuda" else network_dtype(device, torch.float32)
    yield from judge(ms, {getattr(torch, name): short for short, name in FORMATS.items()}[used])


def measure(device: torch.device) -> dict[str, float]:
    """Milliseconds of each operation, by ``WHAT FORMAT [channels_last]``.

    Operations that torch does not support here are left out.
    """
    import torch

    # What is one batch of work for a GPU would take a processor's naive kernel minutes.
    height, width = (544, 960) if device.type == "cuda" else (136, 240)
    times: dict[str, float] = {}
    for short, name in FORMATS.items():
        for what, work in _works(device, getattr(torch, name), (height, width)):
            with suppress(RuntimeError):
                label = " ".join([what.split()[0], short, *what.split()[1:]])
                times[label] = _best(device, work) * 1000
    return times


def _works(
    device: torch.device, dtype: torch.dtype, size: tuple[int, int]
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield (name, function) of the operations to time in one number format."""
    import torch

    height, width = size
    functional = torch.nn.functional
    x = torch.rand(1, _CHANNELS, *size, device=device).to(dtype)
    kernel = torch.rand(_CHANNELS, _CHANNELS, 3, 3, device=device).to(dtype)
    line = torch.linspace(-1, 1, width, device=device).expand(height, width)
    grid = torch.stack((line, line * 0.9), -1)[None].to(dtype)

    def lookup(image: Tensor) -> Tensor:
        return functional.grid_sample(image, grid, padding_mode="border", align_corners=True)

    last_x, last_kernel = (t.to(memory_format=torch.channels_last) for t in (x, kernel))
    yield "convolution", lambda: functional.conv2d(x, kernel, padding=1)
    yield "convolution channels_last", lambda: functional.conv2d(last_x, last_kernel, padding=1)
    yield "lookup", lambda: lookup(x)
    yield "lookup channels_last", lambda: lookup(last_x)
    yield "doubling", lambda: x + x
    side = round((height * width * _CHANNELS**2 * 9) ** (1 / 3))
    square = torch.rand(side, side, device=device).to(dtype)
    yield "product", lambda: square @ square


def _best(device: torch.device, work: Callable[[], object]) -> float:
    """Seconds of the fastest call, after a warm-up call.

    On a processor this is CPU time of one core, so other programs do not count.
    """
    import torch

    clock = time.process_time
    if device.type == "cuda":
        clock = time.perf_counter
    taken: list[float] = []
    begun = clock()
    for k in range(6):
        start = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        end = clock()
        if k:
            taken.append(end - start)
        if end - begun > _BUDGET_SECONDS and taken:
            break
    return min(taken)


def judge(ms: Mapping[str, float], used: str) -> Iterator[Finding]:
    """Turn the times from ``measure`` into findings.

    Args:
        ms: the result of ``measure``.
        used: the number format that playing uses, a key of FORMATS.
    """
    for what in ("convolution", "lookup"):
        parts = []
        for short in FORMATS:
            plain, last = ms.get(f"{what} {short}"), ms.get(f"{what} {short} channels_last")
            if plain is not None and last is not None:
                parts.append(f"{short} {plain:.3g} ms ({last:.3g} channels-last)")
        figures = {name: round(t, 4) for name, t in ms.items() if name.startswith(what)}
        yield ok("speed", f"{what}: {', '.join(parts)}", **figures)
    troubles = list(_troubles(ms, used))
    for text, hint in troubles:
        yield warn("speed", text, hint)
    if not troubles:
        yield ok("speed", f"no naive kernels in {used}, which playing uses")


def _troubles(ms: Mapping[str, float], used: str) -> Iterator[tuple[str, str]]:
    slow = ms.get(f"convolution {used}", 0) / ms.get(f"product {used}", float("inf"))
    if slow > SLOW_CONVOLUTION:
        yield (
            f"convolutions in {used} take {slow:.0f} times as long as they should: naive kernels",
            "ROCm: is MIOpen's database there for this GPU, and no MIOPEN_DEBUG_ variable set?",
        )
    if used != "fp32":
        slow = ms.get(f"convolution {used}", 0) / ms.get("convolution fp32", float("inf"))
        if slow > SLOW_HALF:
            text = f"half precision ({used}) is {slow:.1f} times slower than fp32, not faster"
            yield (
                text,
                f"run {command_line('warmup')} and check again; on an old card this is normal",
            )
    plain, last = (ms.get(f"convolution {used}{tail}", 0) for tail in ("", " channels_last"))
    if plain and last and max(plain / last, last / plain) > SLOW_LAYOUT:
        worse = "channels-last" if last > plain else "plain"
        ratio = max(plain / last, last / plain)
        text = f"{worse} memory makes convolutions {ratio:.0f} times slower"
        yield text, "rtvfi uses the other layout where it can; rtvfi bench shows it"
    slow = ms.get("lookup fp32", 0) / ms.get("doubling fp32", float("inf"))
    if slow > SLOW_LOOKUP:
        yield (
            f"lookups (grid_sample) take {slow:.0f} times as long as doubling a picture",
            "update torch: its kernel for this device is slow",
        )
