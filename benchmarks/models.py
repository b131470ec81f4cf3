"""Times one output frame of every RIFE architecture against the plain formulas, in one run.

    .venv/bin/python -m benchmarks.models                  CPU, 640x384, float32
    .venv/bin/python -m benchmarks.models --device cuda    1280x720 to 3840x2160, float16
    .venv/bin/python -m benchmarks.models 4.25 4.25.lite   these architectures alone
    .venv/bin/python -m benchmarks.models --layouts 4.25   the choices of models/tuning.py
    .venv/bin/python -m benchmarks.models --types 4.25     float16 and bfloat16 against float32
    .venv/bin/python -m benchmarks.models --forms --device cuda

An output frame of a film shown at twice its rate: one new picture is prepared (encoder) and one
frame made from it and the picture before. The plain formulas encode both. The two are timed in
turn and the fastest run of each counts, so that a busy machine disturbs both alike; "slowest pair"
is the lowest ratio of two neighbouring runs. Weights are random, with motions of a few pixels.

``--forms`` (GPU) times the same frame as it is, compiled and as a captured graph; a column says
"no", and the reason follows, where a form cannot be had.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from benchmarks.plain_rife import PlainRife
from rtvfi.core.errors import ModelError
from rtvfi.models.catalogue import MODELS
from rtvfi.models.fast import fastest
from rtvfi.models.rife.network import Rife
from rtvfi.models.rife.rows import RIFE_GROUPS
from rtvfi.models.rife.shape import SHAPES, expected_parameters
from rtvfi.models.tuning import Tuning, tune

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from torch import Tensor

    from rtvfi.core.options import Form
    from rtvfi.models.base import Interpolator

FORMS: tuple[Form, ...] = ("eager", "compile", "graph")
SIZES = {"cpu": ((640, 384),), "cuda": ((1280, 720), (1920, 1080), (3840, 2160))}


def random_state(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Random parameters that keep numbers alive through a deep network, and flows to few pixels."""
    generator = torch.Generator().manual_seed(5)
    state = {}
    for key, shape in shapes.items():
        made = torch.randn(shape, generator=generator)
        if key.endswith((".bias", ".beta")):
            made *= 0.1
        elif len(shape) == 1:
            made = 0.2 * made.abs()  # slopes
        else:
            made *= (2 / torch.Size(shape[1:]).numel()) ** 0.5
        state[key] = made * (0.2 if "lastconv" in key else 1)
    return state


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Time of one call: of the processor's work on a CPU (others may want it too), else of waiting
    until the device is done.
    """
    if device.type == "cpu":
        start = time.process_time()
        run()
        return time.process_time() - start
    start = time.perf_counter()
    run()
    torch.cuda.synchronize(device)
    return time.perf_counter() - start


def network(group: str, device: torch.device, dtype: torch.dtype) -> tuple[Rife, dict[str, Tensor]]:
    """An architecture with random weights, and those."""
    info = MODELS[f"rife-{RIFE_GROUPS[group][0].split()[0]}"]
    state = random_state(expected_parameters(SHAPES[group]))
    return Rife(state, info, tune(device, dtype)), state


def pictures(
    width: int, height: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, ...]:
    """Three smooth ones (1, 3, H, W)."""
    generator = torch.Generator().manual_seed(7)
    coarse = torch.rand(3, 3, height // 8, width // 8, generator=generator)
    frames = functional.interpolate(coarse, (height, width), mode="bilinear").to(device, dtype)
    return frames[0:1], frames[1:2], frames[2:3]


def compare(group: str, width: int, height: int, device: torch.device, rounds: int) -> str:
    """One row: milliseconds of ours and plain, ratio, largest difference of a pixel."""
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    ours, state = network(group, device, dtype)
    plain = PlainRife({k: v.to(device, dtype) for k, v in state.items()}, group)
    first, second, _ = pictures(width, height, device, dtype)
    pad = ours.info.pad_multiple
    padded = [functional.pad(f, (0, -width % pad, 0, -height % pad)) for f in (first, second)]
    with torch.inference_mode():
        before = ours.prepare(first)

        def run_ours() -> Tensor:
            return ours.pair(before, ours.prepare(second), [0.5])

        def run_plain() -> Tensor:
            return plain(padded[0], padded[1], 0.5)[..., :height, :width]

        worst = (run_ours().float() - run_plain().float()).abs().max().item()
        times = [(seconds(run_ours, device), seconds(run_plain, device)) for _ in range(rounds)]
    best_ours, best_plain = (1e3 * min(column) for column in zip(*times, strict=True))
    slowest = min(p / o for o, p in times)
    return (
        f"{group:<12}{width}x{height:<6}{best_ours:>10.1f}{best_plain:>10.1f}"
        f"{best_plain / best_ours:>8.2f}{slowest:>14.2f}{worst:>12.1e}"
    )


@torch.inference_mode()
def forms(group: str, width: int, height: int, device: torch.device, rounds: int) -> str:
    """One row of a GPU: milliseconds of one frame in every form."""
    net, _ = network(group, device, torch.float16)
    frames = pictures(width, height, device, torch.float16)
    row, reasons = f"{group:<12}{width}x{height:<6}", ""
    for form in FORMS:
        try:
            made = fastest(net, lambda: frames, device, form)
        except ModelError as refusal:
            row += f"{'no':>10}"
            reasons += f"\n  {refusal.message}"
            continue
        run = partial(frame, made, frames)
        row += f"{1e3 * min(seconds(run, device) for _ in range(rounds)):>10.2f}"
    return f"{row}{reasons}"


@torch.inference_mode()
def layouts(group: str, width: int, height: int, device: torch.device, rounds: int) -> str:
    """One row: milliseconds of one frame with every memory layout and form of the last layers."""
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    net, state = network(group, device, dtype)
    frames = pictures(width, height, device, dtype)
    runs = [
        partial(
            frame,
            Rife(
                state,
                net.info,
                Tuning(device=device, dtype=dtype, channels_last=last, conv_tail=conv),
            ),
            frames,
        )
        for last in (False, True)
        for conv in (False, True)
    ]
    times = [[seconds(run, device) for run in runs] for _ in range(rounds + 1)][1:]
    best = [1e3 * min(column) for column in zip(*times, strict=True)]
    return f"{group:<12}{width}x{height:<6}" + "".join(f"{ms:>12.1f}" for ms in best)


@torch.inference_mode()
def types(group: str, width: int, height: int, device: torch.device, rounds: int) -> str:
    """One row: milliseconds of one frame in every type, decibels between it and float32."""
    row, exact = f"{group:<12}{width}x{height:<6}", torch.empty(0)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        net, _ = network(group, device, dtype)
        run = partial(frame, net, pictures(width, height, device, dtype))
        made = run().float()
        row += f"{1e3 * min(seconds(run, device) for _ in range(rounds)):>10.1f}"
        if dtype == torch.float32:
            exact = made
        else:
            row += f"{-10 * (made - exact).square().mean().log10().item():>8.1f}"
    return row


def frame(net: Interpolator, frames: Sequence[Tensor]) -> Tensor:
    """Two pictures prepared, one made from them."""
    made: Tensor = net.pair(net.prepare(frames[0]), net.prepare(frames[1]), [0.5])
    return made


def _header(columns: str) -> str:
    return f"{'network':<12}{'size':<10}{columns}"


TABLES = {
    None: (
        _header("   ours ms  plain ms   ratio  slowest pair  difference"),
        compare,
    ),
    "layouts": (_header("  contiguous + conv tail  chan. last + conv tail"), layouts),
    "types": (_header("   float32   float16      dB  bfloat16      dB"), types),
    "forms": (_header("     eager   compile     graph"), forms),
}


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="One output frame, ours against plain formulas.")
    parser.add_argument("groups", nargs="*", help=", ".join(SHAPES))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--rounds", type=int, default=5)
    for name in ("layouts", "types", "forms"):
        parser.add_argument(f"--{name}", dest="table", action="store_const", const=name)
    options = parser.parse_args(None if arguments is None else list(arguments))
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    if options.table == "forms" and device.type == "cpu":
        parser.error("no GPU: forms are compared with --device cuda")
    # Tensor cores would round what the types are compared with.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    print(f"torch {torch.__version__}, {device}, {options.threads} threads")
    header, row = TABLES[options.table]
    print(header)
    for group in options.groups or SHAPES:
        for width, height in SIZES[device.type]:
            print(row(group, width, height, device, options.rounds), flush=True)


if __name__ == "__main__":
    main()
