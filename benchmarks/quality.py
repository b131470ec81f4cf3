"""Quality and speed of ``cel`` beside cross-fading and ffmpeg's minterpolate: prints a table.

    python benchmarks/quality.py LIST.csv [--clips FOLDER] [--weights FILE]

LIST.csv names triplets (see rtvfi.quality.triplets). Every method guesses the middle picture from
the two ends; PSNR and SSIM are those of 8-bit full-range luma, averaged over each set. Times are
the shortest per made picture: encoding one new picture and one pair for ``cel``; minterpolate's
contains no start of ffmpeg.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file

from rtvfi.data import data_path
from rtvfi.models.cel import Cel, build
from rtvfi.quality import minterpolate
from rtvfi.quality.metrics import psnr, ssim
from rtvfi.quality.planes import luma_bytes, to_planes
from rtvfi.quality.triplets import Triplet, read_list

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Method = Callable[[Triplet], tuple[NDArray[np.uint8], float]]


def fade(triplet: Triplet) -> tuple[NDArray[np.uint8], float]:
    """The mean of both ends."""
    started = time.perf_counter()
    total = triplet.left.y.astype(np.uint16) + triplet.right.y + 1
    return (total // 2).astype(np.uint8), time.perf_counter() - started


def with_cel(model: Cel) -> Method:
    """``cel`` as a method."""

    @torch.inference_mode()
    def guess(triplet: Triplet) -> tuple[NDArray[np.uint8], float]:
        left, right = to_planes(triplet.left), to_planes(triplet.right)
        a = model.prepare(left)
        made, seconds = left, math.inf
        for _ in range(3):
            started = time.perf_counter()
            made = model.pair(a, model.prepare(right), [0.5])
            seconds = min(seconds, time.perf_counter() - started)
        return luma_bytes(made)[0], seconds

    return guess


def with_minterpolate(triplet: Triplet) -> tuple[NDArray[np.uint8], float]:
    """ffmpeg; its time is that of a run over twelve pictures."""
    made = minterpolate.middle(triplet.left, triplet.right)
    clip = [triplet.left, triplet.middle, triplet.right] * 4
    return made.y, minterpolate.seconds_per_frame(clip)


def measure(triplets: list[Triplet], methods: dict[str, Method]) -> None:
    """Print the table."""
    sets = list(dict.fromkeys(triplet.set_name for triplet in triplets))
    print("| set | size | method | PSNR dB | SSIM | ms per frame |\n|---|---|---|---|---|---|")
    totals: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    for set_name in sets:
        members = [t for t in triplets if t.set_name == set_name]
        height, width = members[0].middle.y.shape
        for name, method in methods.items():
            rows = []
            for triplet in members:
                made, seconds = method(triplet)
                truth = triplet.middle.y
                rows.append((psnr(made, truth), ssim(made, truth), seconds * 1e3))
            quality, likeness, _ = (sum(c) / len(c) for c in zip(*rows, strict=True))
            fastest = min(row[2] for row in rows)
            totals[name].append((quality, likeness))
            print(
                f"| {set_name}, {len(members)} | {width}x{height} | {name} "
                f"| {quality:.2f} | {likeness:.4f} | {fastest:.1f} |",
                flush=True,
            )
    for name, values in totals.items():
        quality, likeness = (sum(c) / len(c) for c in zip(*values, strict=True))
        print(f"| mean of sets | | {name} | {quality:.2f} | {likeness:.4f} | |")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("list", type=Path, help="triplets, CSV")
    parser.add_argument("--clips", type=Path, help="folder the list's paths start from")
    parser.add_argument("--weights", type=Path, help="cel weights (default: the embedded ones)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 0.5])
    parser.add_argument("--no-minterpolate", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    weights = arguments.weights or data_path("weights", "cel.safetensors")
    net = build(load_file(weights)).float()
    methods: dict[str, Method] = {"fade": fade}
    methods |= {f"cel {scale:g}": with_cel(Cel(net, scale)) for scale in arguments.scales}
    if not arguments.no_minterpolate:
        methods["minterpolate"] = with_minterpolate
    measure(read_list(arguments.list, arguments.clips), methods)


if __name__ == "__main__":
    main()
