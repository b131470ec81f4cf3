"""What a distance index is worth: two trained runs, T and D, on scenes neither has seen.

python -m benchmarks.clearer RUN_T RUN_D [NUM_BATCHES]    folders of rtvfi train --network rife
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import torch

from rtvfi.draw.scenes import Scenes
from rtvfi.models.interpany.model import network_of
from rtvfi.models.weights.file import read_tensors
from rtvfi.quality.measures.lines import line_distance, line_points
from rtvfi.quality.measures.metrics import psnr, ssim
from rtvfi.train.index.data import drawn
from rtvfi.train.index.trainer import scene_options


def luma(image: torch.Tensor) -> np.ndarray:
    """(H, W) 8-bit of (3, H, W), 0..1."""
    red, green, blue = image.clamp(0, 1).mul(255).numpy()
    return np.rint(0.2126 * red + 0.7152 * green + 0.0722 * blue).astype(np.uint8)


def main(run_t: Path, run_d: Path, num_batches: int = 24) -> None:
    """Print the table."""
    _, timed = network_of(read_tensors(run_t / "best.pt"))
    _, indexed = network_of(read_tensors(run_d / "best.pt"))
    scenes = Scenes(scene_options(160, 48.0), 99)
    scores: dict[str, list[tuple[float, ...]]] = {"T": [], "D, time": [], "D, true index": []}
    with torch.inference_mode():
        for number in range(num_batches):
            sample = drawn(scenes, number, 4, has_reference=False, is_small=True)
            ways = ((timed, sample.time), (indexed, sample.time), (indexed, sample.gone))
            for found, (net, index) in zip(scores.values(), ways, strict=True):
                made = net.decode(net.encode(sample.img0, sample.img1), index).picture
                for picture, truth in zip(map(luma, made), map(luma, sample.truth), strict=True):
                    lines = line_distance(line_points(picture), line_points(truth))
                    found.append((psnr(picture, truth), ssim(picture, truth), lines or 0.0))
    base = np.array(scores["T"])
    for name, found in scores.items():
        table = np.array(found)
        apart = table - base
        error = apart.std(0) / math.sqrt(len(apart))
        print(f"{name:14}", "PSNR {:.3f} SSIM {:.4f} lines {:.4f}".format(*table.mean(0)),
              f"minus T {apart.mean(0)[0]:+.3f} (standard error {error[0]:.3f})")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:4]))
