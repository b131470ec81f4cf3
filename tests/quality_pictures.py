"""Small pictures for measuring on, and methods whose results are known."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from rtvfi.quality.gather import TripletSet
from rtvfi.quality.triplets import Picture, Triplet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEIGHT, WIDTH = 64, 96


def scenery(shift: int = 0, seed: int = 0) -> Picture:
    """Soft texture with dark lines, ``shift`` pixels to the right."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((HEIGHT, 3 * WIDTH)), 2)
    luma = np.interp(noise, (noise.min(), noise.max()), (80, 255)).astype(np.uint8)
    luma[:, 10::40] = luma[:, 11::40] = 0
    luma[20:22] = 0
    at = WIDTH - shift
    chroma = np.full((2, HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    return Picture(np.ascontiguousarray(luma[:, at : at + WIDTH]), chroma)


def triplet(number: int = 0, shift: int = 4) -> Triplet:
    """Scenery that moves by ``2 * shift`` pixels."""
    left, middle, right = (scenery(k * shift, number) for k in (-1, 0, 1))
    return Triplet(f"made_{number}", left, middle, right)


def triplet_set(num: int = 2, name: str = "made", shift: int = 4) -> TripletSet:
    return TripletSet(name, num, lambda: iter([triplet(k, shift) for k in range(num)]))


@dataclass
class Told:
    """A method that gives what it is told to."""

    name: str
    answer: Callable[[Picture, Picture], Picture]
    costs: list[tuple[float, float]] = field(default_factory=lambda: [(0.02, 0.01)])
    origin: str = ""

    def between(self, left: Picture, right: Picture) -> Picture:
        return self.answer(left, right)

    def cost(self, triplet: Triplet) -> tuple[float, float]:
        return self.costs.pop(0) if len(self.costs) > 1 else self.costs[0]


def write_png(path: Path, picture: Picture) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.y).save(path)


def write_film(path: Path, pictures: list[Picture]) -> None:
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p"]
    command += ["-s", f"{WIDTH}x{HEIGHT}", "-r", "24", "-i", "-", "-c:v", "ffv1", str(path)]
    subprocess.run(command, input=b"".join(p.to_bytes() for p in pictures), check=True)
