"""How near half precision comes to float32, with real weights, on whole pictures.

    .venv/bin/python -m benchmarks.half FOLDER [--models rife-4.25 drba] [--count 2] [--device cuda]

FOLDER is a set of triplets as ``rtvfi eval`` takes it. Of every set the first ``--count`` triplets
are taken: a two-frame model makes the picture half way between the ends, a three-frame model those
at 0.75 and 1.25 around the middle one. Printed is the PSNR of what a float type makes against what
float32 makes, in dB of RGB (the lowest of a set), the largest difference of a sample in codes of
255, and the part of all samples that are other codes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rtvfi.models.load import load_model
from rtvfi.quality.methods import payload_of, picture_info
from rtvfi.quality.triplets import read_list
from rtvfi.stream.run.executors.convert import Converter

if TYPE_CHECKING:
    from torch import Tensor

    from rtvfi.quality.triplets import Triplet

TYPES = (torch.float16, torch.bfloat16)


def made(model: Any, triplet: Triplet, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The new pictures, float32 RGB."""
    ends = (triplet.left, triplet.middle, triplet.right)
    convert = Converter(picture_info(*triplet.left.y.shape), device, dtype)
    a, b, c = (model.prepare(convert.to_rgb(payload_of(end))) for end in ends)
    if model.info.num_frames == 2:
        out: Tensor = model.pair(a, c, [0.5])
    else:
        out = model.triple((a, b, c), (model.link(a, b), model.link(b, c)), [0.75, 1.25])
    return out.float()


def near(wanted: Tensor, got: Tensor) -> tuple[float, float, float]:
    """PSNR, largest difference in codes, part of other codes."""
    psnr = -10 * torch.log10((wanted - got).square().mean().clamp(min=1e-12)).item()
    codes = [(255 * picture.clamp(0, 1)).round() for picture in (wanted, got)]
    others = (codes[0] != codes[1]).float().mean().item()
    return psnr, 255 * (wanted - got).abs().max().item(), others


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description="Half precision against float32.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", default=["rife-4.25", "drba"])
    parser.add_argument("--count", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    sets: dict[str, list[Triplet]] = {}
    for row in read_list(options.folder / "triplets.csv"):
        sets.setdefault(row.set_name, []).append(row)
    print("| model | set | float type | dB | largest | other codes |\n|---|---|---|---:|---:|---:|")
    for name in options.models:
        nets = {t: load_model(name, device, t) for t in (torch.float32, *TYPES)}
        for label, rows in sets.items():
            found: dict[torch.dtype, list[tuple[float, float, float]]] = {t: [] for t in TYPES}
            for row in rows[: options.count]:
                with torch.inference_mode():
                    wanted = made(nets[torch.float32], row, device, torch.float32)
                    for kind in TYPES:
                        found[kind].append(near(wanted, made(nets[kind], row, device, kind)))
            for kind, values in found.items():
                psnr, largest, others = zip(*values, strict=True)
                word = str(kind).removeprefix("torch.")
                share = 100 * sum(others) / len(others)
                print(
                    f"| {name} | {label} | {word} | {min(psnr):.1f} | {max(largest):.1f} "
                    f"| {share:.1f} % |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
