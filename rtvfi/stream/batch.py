"""How actions are grouped for the executor, and what stands in for a picture nobody has time to
make. Pure.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from rtvfi.stream.plan import Action, Copy, ImageId, Mid, Retime, Retime3

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")


def batches(actions: Iterable[Action]) -> list[list[Action]]:
    """Neighbouring actions that one model call can serve, in order.

    Retimes of the same pair (or triple) are one batch; a pass and a copy are batches of their own.
    """

    def key(action: Action) -> tuple[object, ...]:
        if isinstance(action, Retime):
            return (Retime, action.left, action.right)
        if isinstance(action, Retime3):
            return (Retime3, action.left, action.centre, action.right)
        if isinstance(action, Mid):
            return (Mid, action.image)
        return (Copy, action.index)

    return [list(group) for _, group in groupby(actions, key)]


def nearest(action: Copy | Retime | Retime3) -> ImageId:
    """The picture that comes closest to an output without calling a model."""
    if isinstance(action, Copy):
        return action.image
    if isinstance(action, Retime):
        return action.left if action.t < Fraction(1, 2) else action.right
    return action.centre


def stand_in(image: ImageId, sources: Mapping[ImageId, T]) -> T:
    """The source frame closest in content time to a picture, which may be one made by a pass.

    Raises:
        LookupError: no source frame is at hand.
    """
    level, place = image
    if not sources:
        raise LookupError("no source frame is at hand")
    middle = place + Fraction(level, 2)
    return sources[min(sources, key=lambda name: abs(name[1] - middle))]
