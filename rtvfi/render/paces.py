"""Interpolates between two pictures, each object moving at its own pace."""

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
    """The distance index of every pixel of the first picture at each time, not yet blurred.

    Args:
        masks: (H, W), bool, at least one, one per object; where they overlap, the first wins.
        curves: one per object.
        times: 0 to 1; the index of pixels that no mask covers.

    Returns:
        One index per time, (1, 1, H, W).
    """
    gone = [curve.at(times) for curve in curves]
    return [painted(masks, [g[k] for g in gone], time) for k, time in enumerate(times)]


def paced(
    between: Between,
    ends: tuple[NDArray[np.float32], NDArray[np.float32]],
    objects: Sequence[tuple[Tensor, Curve]],
    count: int,
) -> Iterator[NDArray[np.float32]]:
    """Interpolate ``count`` pictures between two, at even times.

    Args:
        between: a model for pictures of that size.
        ends: the two pictures, each (H, W, 3), RGB, [0, 1].
        objects: pairs of a mask, (H, W), bool, on the grid of the first picture, and a curve; where
            masks overlap, the first wins.
        count: at least 1.

    Yields:
        (H, W, 3), RGB, float32.

    Raises:
        UsageError: there are objects, and the model does not accept timestep maps.
    """
    if objects:
        between.check_maps()
    times = [k / (count + 1) for k in range(1, count + 1)]
    wanted: Sequence[float | Tensor] = times
    if objects:
        masks, curves = zip(*objects, strict=True)
        wanted = [softened(index) for index in indices_of(masks, curves, times)]
    first, last = (between.to_input(rgb) for rgb in ends)
    for picture in between.iterate(first, last, wanted):
        yield between.to_rgb(picture)
