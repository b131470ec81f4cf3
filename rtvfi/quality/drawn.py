"""Drawn scenes to measure on: what is seen between two moments is known.

They are made by what also draws the scenes that ``cel`` learns from: these ones it has not seen,
but their like. A film tells more.
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
"""Motion between the ends is up to 24 pixels of an object and 16 of the camera."""
MIXED: Final = MixedOptions()
FIRST_SEED: Final = 7_000_000
"""Seeds from here on are for measuring; nothing is trained on them."""


def num_scenes(count: int | None) -> int:
    """How many are drawn for ``--count``; None = 12."""
    return NUM_SCENES if count is None else count


def _drawn(options: MixedOptions, seed: int, number: int) -> MixedScene:
    return mixed_scene(options, FIRST_SEED + 100_000 * seed + number)


def scene_set(count: int | None, seed: int) -> TripletSet:
    """Triplets of scenes in which everything is on its smooth path, on ones.

    Args:
        count: scenes, one triplet each; None = 12.
        seed: other scenes for another one.
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
    """Scenes whose objects are held, on ones, twos, threes and fours, before a pan on ones."""
    for number in range(count):
        scene = _drawn(MIXED, seed, number)

        def truth(time: Fraction, scene: MixedScene = scene) -> Moment:
            view = scene.truth(float(time))
            return Moment(to_picture(view.picture), view.cadence.numpy())

        sources = [to_picture(scene.source(n).picture) for n in range(MIXED.num_frames)]
        yield KnownScene(f"scene {number}", sources, truth)


def to_picture(rgb: Tensor) -> Picture:
    """(3, H, W) uint8 RGB of even sides."""
    y, uv = rgb_to_planes(rgb[None])
    codes = (y[0, 0].mul(255), uv[0].mul(255).add(128))
    luma, chroma = (c.round().clamp(0, 255).byte().numpy() for c in codes)
    return Picture(luma, chroma)
