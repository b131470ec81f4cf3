"""Block matching, and two measures based on it: evenness of motion and warping error.

Blocks without texture in both directions cannot be located and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rtvfi.quality.measures.blocks import Kind, in_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Luma = NDArray[np.uint8]
    Floats = NDArray[np.float32]

BLOCK: Final = 16
"""Side of a block, pixels."""
LEVELS: Final = 2
"""The search starts on pictures halved this many times."""
NEAR: Final = 16
"""Search range from the truth to a computed picture, pixels."""
FAR: Final = 64
"""Search range from the truth to an input frame, pixels."""
TEXTURE: Final = 60.0
"""Minimum mean square gradient along a block's flattest direction, levels^2 per pixel^2."""
FOLLOWED: Final = 6.0
"""Maximum mean difference at which a block counts as found, levels of 255."""
_LAZINESS: Final = 0.02
"""Penalty per pixel of displacement, in levels, so that of equal matches the nearest one wins."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The result of ``match`` for every block of a grid of R rows and C columns."""

    way: Floats
    """(R, C, 2): the displacement of each block, x right, y down, pixels."""
    difference: Floats
    """(R, C): mean absolute difference at the displacement in whole pixels, levels of 255."""


def textured(luma: Luma) -> NDArray[np.bool_]:
    """The blocks whose displacement is well defined: corners, not edges (Shi, Tomasi 1994).

    Args:
        luma: (H, W), 8-bit.

    Returns:
        (R, C), bool.
    """
    dy, dx = (np.asarray(slope) for slope in np.gradient(_whole(luma).astype(np.float32)))
    xx, yy, xy = _means(dx * dx), _means(dy * dy), _means(dx * dy)
    least = (xx + yy) / 2 - np.hypot((xx - yy) / 2, xy)
    found: NDArray[np.bool_] = least > TEXTURE
    return found


def match(a: Luma, b: Luma, reach: int) -> Matches:
    """Find the blocks of ``a`` in ``b``: a full search on small pictures, refined on larger ones.

    Args:
        a: (H, W), 8-bit, at least one block in size.
        b: the same shape.
        reach: approximate search range along each axis, pixels; a multiple of 4.
    """
    pictures = [(_whole(a).astype(np.float32), _whole(b).astype(np.float32))]
    for _ in range(LEVELS):
        pictures.append((_means(pictures[-1][0], 2), _means(pictures[-1][1], 2)))
    way = np.zeros((*(side // BLOCK for side in pictures[0][0].shape), 2), np.int64)
    steps = reach >> LEVELS
    for level in range(LEVELS, 0, -1):
        costs = _search(*pictures[level], way, steps)
        if level == LEVELS:
            # small blocks match in many places; averaging with neighbours resolves ambiguity
            costs = _smooth(costs)
        way, steps = 2 * (way + _shifts(steps)[_cheapest(costs, steps, level)]), 2
    costs = _search(*pictures[0], way, steps)
    best = _cheapest(costs, steps, 0)
    least = np.take_along_axis(costs, best[None], 0)[0]
    return Matches(way + _shifts(steps)[best] + _fractions(costs, best, steps), least)


def deviation(made: Luma, truth: Luma, blocks: NDArray[np.bool_]) -> float | None:
    """Mean distance of blocks from their true position, pixels.

    By that amount the step from the left frame to the computed one is too long, and the next step
    too short; 0 is even motion.

    Args:
        made: (H, W), 8-bit, the computed picture.
        truth: the same shape.
        blocks: (R, C), bool, the blocks of the truth to use, for example ``textured(truth)``.

    Returns:
        None if there are no such blocks.
    """
    if not blocks.any():
        return None
    ways = match(truth, made, NEAR).way[blocks]
    return float(np.hypot(ways[:, 0], ways[:, 1]).mean())


def follow(truth: Luma, end: Luma) -> tuple[Luma, NDArray[np.bool_]]:
    """Move the blocks of an input frame to their position in the truth.

    Args:
        truth: (H, W), 8-bit.
        end: the input frame, the same shape.

    Returns:
        The moved picture (whole blocks only), and a boolean map of the same size: True where the
        block was found, that is, neither occluded nor changed too much.
    """
    found = match(truth, end, FAR)
    rows, columns = found.difference.shape
    ways = np.rint(found.way).astype(np.int64)
    moved = _fetched(_whole(end), ways, np.zeros(2, np.int64), BLOCK)
    moved = moved.swapaxes(1, 2).reshape(rows * BLOCK, columns * BLOCK)
    seen = (found.difference <= FOLLOWED).repeat(BLOCK, 0).repeat(BLOCK, 1)
    return moved, seen


def warping_error(made: Luma, followed: tuple[tuple[Luma, NDArray[np.bool_]], ...]) -> float | None:
    """Mean absolute difference from the input frames warped along the true motion, levels of 255.

    After Lai et al., "Learning blind video temporal consistency" (2018), but with the motion of the
    truth, so that it is the same for all methods.

    Args:
        made: (H, W), 8-bit, the computed picture.
        followed: the result of ``follow`` for each input frame.

    Returns:
        None if less than a tenth of the picture could be matched.
    """
    height, width = followed[0][0].shape
    seen = sum(int(where.sum()) for _, where in followed)
    if seen < 0.1 * len(followed) * height * width:
        return None
    part = made[:height, :width].astype(np.float32)
    errors = [float(np.abs(part - moved)[where].sum()) for moved, where in followed]
    return sum(errors) / seen


def _whole(luma: Luma) -> Luma:
    """The picture without rows and columns that do not fill a block."""
    height, width = (side // BLOCK * BLOCK for side in luma.shape)
    return luma[:height, :width]


def _means(x: Floats, side: int = BLOCK) -> Floats:
    mean: Floats = in_blocks(x, side).mean(axis=(1, 3))
    return mean


def _shifts(reach: int) -> NDArray[np.int64]:
    """(n, 2): all displacements x, y up to ``reach`` along each axis, row by row."""
    line = np.arange(-reach, reach + 1)
    y, x = np.meshgrid(line, line, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _fetched(
    picture: NDArray[Kind], way: NDArray[np.int64], shift: NDArray[np.int64], side: int
) -> NDArray[Kind]:
    """(R, C, side, side): the blocks moved by ``way + shift``; outside, the border repeats."""
    rows, columns = way.shape[:2]
    y = np.arange(rows * side).reshape(rows, 1, side) + (way[..., 1] + shift[1])[..., None]
    x = np.arange(columns * side).reshape(1, columns, side) + (way[..., 0] + shift[0])[..., None]
    y, x = y.clip(0, picture.shape[0] - 1), x.clip(0, picture.shape[1] - 1)
    fetched: NDArray[Kind] = picture[y[..., None], x[:, :, None, :]]
    return fetched


def _search(a: Floats, b: Floats, way: NDArray[np.int64], steps: int) -> Floats:
    """(n, R, C): mean absolute difference of every block at every shift around ``way``."""
    side = a.shape[0] // len(way)
    blocks = in_blocks(a, side).swapaxes(1, 2)
    costs = [np.abs(blocks - _fetched(b, way, s, side)).mean(axis=(2, 3)) for s in _shifts(steps)]
    return np.stack(costs)


def _cheapest(costs: Floats, steps: int, level: int) -> NDArray[np.int64]:
    """(R, C): the index of the best shift; of equally good ones the shortest."""
    price = _LAZINESS * 2**level * np.hypot(*_shifts(steps).T)
    cheapest: NDArray[np.int64] = (costs + price[:, None, None]).argmin(axis=0)
    return cheapest


def _smooth(costs: Floats) -> Floats:
    """Mean over 3 x 3 blocks, the central one having double weight."""
    around = np.pad(costs, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows, columns = costs.shape[1:]
    total = costs.copy()
    for dy in range(3):
        for dx in range(3):
            total += around[:, dy : dy + rows, dx : dx + columns]
    total /= 10
    return total


def _fractions(costs: Floats, best: NDArray[np.int64], steps: int) -> Floats:
    """(R, C, 2): sub-pixel correction from a parabola through neighbouring costs, at most 0.5."""
    side = 2 * steps + 1

    def at(shift: NDArray[np.int64]) -> Floats:
        found: Floats = np.take_along_axis(costs, shift[None], 0)[0]
        return found

    y, x = np.divmod(best, side)
    added = []
    for place, stride in ((x, 1), (y, side)):
        inside = (place > 0) & (place < side - 1)
        here = np.where(inside, best, side * steps + steps)
        before, middle, after = at(here - stride), at(here), at(here + stride)
        bend = before - 2 * middle + after
        part = np.where(bend > 0, (before - after) / (2 * np.maximum(bend, 1e-6)), 0.0)
        added.append(np.where(inside & (middle > 0), part.clip(-0.5, 0.5), 0.0))
    return np.stack(added, axis=-1).astype(np.float32)
