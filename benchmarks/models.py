"""Times one output frame of every RIFE architecture against the plain formulas, in one run.

    ./run python -m benchmarks.models                  CPU, 640x384, float32
    ./run python -m benchmarks.models --device cuda    1280x720 to 3840x2160, float16
    ./run python -m benchmarks.models 4.25 4.25.lite   these architectures alone

An output frame of a film shown at twice its rate: one new picture is prepared (encoder) and one
frame made from it and the picture before. The plain formulas encode both. The two are timed in
turn and the fastest run of each counts, so that a busy machine disturbs both alike; "slowest pair"
is the lowest ratio of two neighbouring runs. Weights are random, with motions of a few pixels.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from benchmarks.plain_rife import PlainRife
from rtvfi.models.catalogue import MODELS, RIFE_GROUPS
from rtvfi.models.ifnet_shape import SHAPES, expected_parameters
from rtvfi.models.rife import Rife
from rtvfi.models.tuning import tune

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor

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


def compare(group: str, width: int, height: int, device: torch.device, rounds: int) -> str:
    """One row: milliseconds of ours and plain, ratio, largest difference of a pixel."""
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    info = MODELS[f"rife-{RIFE_GROUPS[group][0].split()[0]}"]
    state = random_state(expected_parameters(SHAPES[group]))
    ours = Rife(state, info, tune(device, dtype))
    plain = PlainRife({k: v.to(device, dtype) for k, v in state.items()}, group)
    generator = torch.Generator().manual_seed(7)
    coarse = torch.rand(2, 3, height // 8, width // 8, generator=generator)
    frames = functional.interpolate(coarse, (height, width), mode="bilinear").to(device, dtype)
    first, second = frames[:1], frames[1:]
    pad = info.pad.multiple
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


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="One output frame, ours against plain formulas.")
    parser.add_argument("groups", nargs="*", help=", ".join(SHAPES))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(None if arguments is None else list(arguments))
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    print(f"torch {torch.__version__}, {device}, {options.threads} threads")
    print(f"{'network':<12}{'size':<10}{'ours ms':>10}{'plain ms':>10}{'ratio':>8}", end="")
    print(f"{'slowest pair':>14}{'difference':>12}")
    for group in options.groups or SHAPES:
        for width, height in SIZES[device.type]:
            print(compare(group, width, height, device, options.rounds), flush=True)


if __name__ == "__main__":
    main()
