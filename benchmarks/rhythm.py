"""DRBA's pace through a network that is told distances, beside DRBA over RIFE.

    .venv/bin/python -m benchmarks.rhythm [--models drba,interpany-rife-d] [--scenes 6]

Characters on known paths, each held on ones, twos or threes (``evenness.Scene``), at 2.5 times the
rate, made with ``--style rhythm`` and, where a model is named ``NAME:plain``, with the time
everywhere. Found in the pictures by their colours; a line per model:

* tau: how far along the way between the two frames around it a character is, against where DRBA's
  rule wants it, mean and RMS of the difference, as a share of that way; ways below a pixel are left
  out;
* uneven: deviation of its steps from those of its smooth path, RMS and worst, pixels.

The weights must be here: ``rtvfi weights get rife-4.25``, and for a network trained here
``rtvfi weights add RUN/best.pt --as interpany-rife-d``.
"""

from __future__ import annotations

import argparse
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.evenness import (
    MEASURED,
    Scene,
    deviations,
    executor_of,
    look,
    pictured,
    plan_of,
    positions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST = 1.0
"""Pixels between two frames, below which there is no way to be along."""


def along(place: Any, start: Any, end: Any) -> float:
    """Share of the way from ``start`` to ``end`` at which a place is."""
    way = end - start
    return float((place - start) @ way / (way @ way))


def taus(scene: Scene, found: dict[Fraction, Any], wanted: dict[Fraction, Any]) -> Iterator[float]:
    """Differences of shares, per character and output between two frames."""
    begin, end = MEASURED
    for pts in sorted(found):
        frame = math.floor(pts * 24)
        if not begin <= pts < end or pts * 24 == frame:
            continue
        for number, character in enumerate(scene.characters):
            start, stop = character.drawn(frame), character.drawn(frame + 1)
            if np.hypot(*(stop - start)) < LEAST:
                continue
            ways = (along(places[pts][number], start, stop) for places in (found, wanted))
            yield next(ways) - next(ways)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="the pace of drawings, by two networks")
    parser.add_argument("--models", default="drba,interpany-rife-d,interpany-rife-d:plain")
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--ratio", type=Fraction, default=Fraction(5, 2))
    arguments = parser.parse_args()
    print(f"{'':24} tau: mean    RMS   lost   uneven:  RMS  worst")
    for word in arguments.models.split(","):
        name, _, style = word.partition(":")
        executor, apart, uneven = executor_of(name), [], []
        for seed in range(arguments.scenes):
            scene = Scene(seed)
            seen = look(scene)
            actions, _ = plan_of(seen, style or "rhythm", arguments.ratio)
            wanted = positions(scene, plan_of(seen, "rhythm", arguments.ratio)[0])
            found = pictured(scene, actions, seen, executor)
            apart += list(taus(scene, found, wanted))
            uneven.append(deviations(scene, found))
        shares, steps = np.array(apart), np.concatenate(uneven)
        lost = np.isnan(shares).mean()
        print(
            f"{word:24} {np.nanmean(abs(shares)):9.3f} {np.sqrt(np.nanmean(shares**2)):6.3f} "
            f"{lost:5.1%} {np.sqrt(np.nanmean(steps**2)):13.2f} {np.nanmax(steps):6.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
