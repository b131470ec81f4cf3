"""Two pictures, and every object at a pace of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtvfi.models.interpany.index import painted, softened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from rtvfi.models.interpany.curve import Curve
    from rtvfi.render.between import Between


def indices_of(
    masks: Sequence[Tensor], curves: Sequence[Curve], times: Sequence[float]
) -> list[Tensor]:
    """How far every pixel of the first picture is at each time, (1, 1, H, W), not yet blurred.

    Args:
        masks: (H, W) bool, at least one; where they overlap, the first wins.
        curves: of each.
        times: 0..1; what no mask covers goes with them.
    """
    gone = [curve.at(times) for curve in curves]
    return [painted(masks, [g[k] for g in gone], time) for k, time in enumerate(times)]


def paced(
    between: Between,
    ends: tuple[NDArray[np.float32], NDArray[np.float32]],
    objects: Sequence[tuple[Tensor, Curve]],
    count: int,
) -> Iterator[NDArray[np.float32]]:
    """``count`` new pictures between two, evenly in time, one after the other.

    Args:
        between: a model for pictures of that size.
        ends: the pictures, (H, W, 3), 0..1.
        objects: (H, W) bool on the grid of the first picture, and a curve; the first wins.
        count: at least 1.

    Yields:
        (H, W, 3) float32.

    Raises:
        UsageError: there are objects, and the model has one time for all pixels.
    """
    if objects:
        between.check_maps()
    times = [k / (count + 1) for k in range(1, count + 1)]
    wanted: Sequence[float | Tensor] = times
    if objects:
        masks, curves = zip(*objects, strict=True)
        wanted = [softened(index) for index in indices_of(masks, curves, times)]
    first, last = (between.taken(rgb) for rgb in ends)
    for picture in between.each(first, last, wanted):
        yield between.shown(picture)
