"""How actions are grouped for the executor. Pure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rtvfi.stream.plan.planner import Action, Copy, Mid, Retime, Retime3

if TYPE_CHECKING:
    from collections.abc import Iterable


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
