"""Groups actions into batches for the executor. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rtvfi.stream.plan.planner import Action, Again, Copy, Mid, Output, Retime, Retime3

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtvfi.core.stamp import ImageId


@dataclass(frozen=True, slots=True)
class Retimes:
    """Outputs between the same two pictures: one model call. Never empty."""

    outputs: tuple[Retime, ...]

    @property
    def left(self) -> ImageId:
        """The picture before all outputs."""
        return self.outputs[0].left

    @property
    def right(self) -> ImageId:
        """The picture after all outputs."""
        return self.outputs[0].right


@dataclass(frozen=True, slots=True)
class Retimes3:
    """Outputs among the same three pictures: one model call. Never empty."""

    outputs: tuple[Retime3, ...]

    @property
    def names(self) -> tuple[ImageId, ImageId, ImageId]:
        """Left, centre, right."""
        first = self.outputs[0]
        return (first.left, first.centre, first.right)


Shown = Copy | Retimes | Retimes3
"""Work that returns outputs."""
Work = Mid | Shown
"""One piece of work of an executor."""
Batch = Work | Again


def batches(actions: Iterable[Action]) -> list[Batch]:
    """Group neighbouring actions that one model call can carry out; the order is kept.

    Retimes of the same pair (or triple) form one batch; every other action is a batch by itself.
    """

    def key(action: Action) -> tuple[object, ...]:
        if isinstance(action, Retime):
            return (Retime, action.left, action.right)
        if isinstance(action, Retime3):
            return (Retime3, action.left, action.centre, action.right)
        return (id(action),)

    return [batch for _, group in groupby(actions, key) for batch in _joined(list(group))]


def _joined(group: list[Action]) -> list[Batch]:
    pairs = tuple(action for action in group if isinstance(action, Retime))
    triples = tuple(action for action in group if isinstance(action, Retime3))
    if pairs:
        return [Retimes(pairs)]
    if triples:
        return [Retimes3(triples)]
    return [action for action in group if isinstance(action, Copy | Mid | Again)]


def parted(batch: Retimes | Retimes3, most: int) -> list[Retimes | Retimes3]:
    """Split a batch into batches of at most ``most`` outputs."""
    starts = range(0, len(batch.outputs), most)
    if isinstance(batch, Retimes):
        return [Retimes(batch.outputs[k : k + most]) for k in starts]
    return [Retimes3(batch.outputs[k : k + most]) for k in starts]


def single(batch: Batch) -> list[Batch]:
    """Split a batch into batches of one output."""
    return [*parted(batch, 1)] if isinstance(batch, Retimes | Retimes3) else [batch]


def outputs_of(batch: Batch) -> tuple[Output, ...]:
    """The outputs of a batch; none for a pass."""
    if isinstance(batch, Mid):
        return ()
    return batch.outputs if isinstance(batch, Retimes | Retimes3) else (batch,)


def needs(batch: Batch) -> tuple[ImageId, ...]:
    """The pictures that a batch uses."""
    if isinstance(batch, Again):
        return ()
    if isinstance(batch, Copy):
        return (batch.image,)
    if isinstance(batch, Retimes3):
        return batch.names
    return (batch.left, batch.right)
