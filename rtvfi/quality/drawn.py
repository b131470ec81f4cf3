"""Drawn scenes to measure on, whose true picture at any time is known.

They are drawn by the same code as the training scenes of ``cel``. It was not trained on these very
scenes but on similar ones, so results on films say more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.draw.mixed import MixedOptions, mixed_scene
from rtvfi.quality.gather import TripletSet
from rtvfi.quality.planes import rgb_to_planes
from rtvfi.quality.retimed import KnownScene, Moment
from rtvfi.quality.triplets import Picture, Triplet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from torch import Tensor

    from rtvfi.draw.mixed import MixedScene

WIDTH: Final = 854
HEIGHT: Final = 480
NUM_SCENES: Final = 12
SMOOTH: Final = MixedOptions(width=WIDTH, height=HEIGHT, slowest=1.0, fastest=24.0, pan=16.0)
"""From left to right, objects move by up to 24 pixels and the camera by up to 16."""
MIXED: Final = MixedOptions()
FIRST_SEED: Final = 7_000_000
"""Seeds from here on are only for measuring, never for training."""


def num_scenes(count: int | None) -> int:
    """The number of scenes for a value of ``--count``; None = 12."""
    return NUM_SCENES if count is None else count


def _drawn(options: MixedOptions, seed: int, number: int) -> MixedScene:
    return mixed_scene(options, FIRST_SEED + 100_000 * seed + number)


def scene_set(count: int | None, seed: int) -> TripletSet:
    """Triplets of scenes in which everything moves smoothly, on ones.

    Args:
        count: number of scenes, with one triplet each; None = 12.
        seed: selects the scenes.
    """
    num = num_scenes(count)

    def read() -> Iterator[Triplet]:
        for number in range(num):
            scene = _drawn(SMOOTH, seed, number)
            middle = SMOOTH.num_frames / 2
            left, truth, right = (
                to_picture(scene.truth(middle + d).picture) for d in (-0.5, 0, 0.5)
            )
            yield Triplet(f"scene {number}", left, truth, right)

    return TripletSet("scenes", num, read)


def mixed_scenes(count: int, seed: int) -> Iterator[KnownScene]:
    """Scenes with objects that are held or on ones to fours, in front of a pan on ones.

    Args:
        count: number of scenes.
        seed: selects the scenes.
    """
    for number in range(count):
        scene = _drawn(MIXED, seed, number)

        def truth(time: Fraction, scene: MixedScene = scene) -> Moment:
            view = scene.truth(float(time))
            return Moment(to_picture(view.picture), view.cadence.numpy())

        sources = [to_picture(scene.source(n).picture) for n in range(MIXED.num_frames)]
        yield KnownScene(f"scene {number}", sources, truth)


def to_picture(rgb: Tensor) -> Picture:
    """Convert (3, H, W) RGB, uint8, with even sides, to a ``Picture``."""
    y, uv = rgb_to_planes(rgb[None])
    codes = (y[0, 0].mul(255), uv[0].mul(255).add(128))
    luma, chroma = (c.round().clamp(0, 255).byte().numpy() for c in codes)
    return Picture(luma, chroma)
