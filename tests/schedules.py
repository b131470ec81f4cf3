"""Carries out plans with weights in place of pictures, and checks what every plan must keep to."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from rtvfi.core.stamp import Stamp
from rtvfi.stream.plan.knots import LONGEST_RUN
from rtvfi.stream.plan.planner import Again, Copy, Mid, Retime, Retime3

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rtvfi.core.stamp import ImageId
    from rtvfi.stream.plan.planner import Action, Output, Planner, PlanOptions

Weights = dict[int, Fraction]
"""A picture as a blend: weight by source frame."""


@dataclass(frozen=True)
class Shown:
    """One planned output."""

    index: int
    pts: Fraction
    weights: Weights
    reads: int
    """Frames pushed when it was planned; the flush counts as one."""
    action: Output

    def content(self, pts: Sequence[Fraction]) -> Fraction:
        """The moment of the story it shows, under linear motion."""
        return sum((w * pts[i] for i, w in self.weights.items()), Fraction(0))


def lookahead(options: PlanOptions) -> int:
    """Source frames that may be read beyond the one an output follows, at a constant rate."""
    if options.thin:
        return 2 * LONGEST_RUN - 1
    if options.num_frames == 3:
        return options.passes // 2 + 2
    return (options.passes + 1) // 2 + 1


@dataclass
class Blender:
    """An executor whose network is the blend (1 - t) a + t b.

    It frees what the planner says is free, so a plan that needs such a picture later fails.
    """

    planner: Planner
    shown: list[Shown] = field(default_factory=list)
    num_mids: int = 0
    num_retimes: int = 0
    max_needed: int = 0
    _images: dict[ImageId, Weights] = field(default_factory=dict)
    _reads: int = 0

    def push(self, stamp: Stamp) -> list[Shown]:
        """Push a frame; its new outputs."""
        self._images.setdefault((0, stamp.index), {stamp.index: Fraction(1)})
        return self._take(self.planner.push(stamp))

    def flush(self, end: Fraction | None = None) -> list[Shown]:
        """End the stream; the remaining outputs."""
        return self._take(self.planner.flush(end))

    def run(self, stamps: Iterable[Stamp], end: Fraction | None = None) -> list[Shown]:
        """A whole stream."""
        for stamp in stamps:
            self.push(stamp)
        self.flush(end)
        return self.shown

    def _take(self, actions: list[Action]) -> list[Shown]:
        self._reads += 1
        count = len(self.shown)
        for action in actions:
            if isinstance(action, Mid):
                assert action.left != action.right, "a call between equal pictures"
                assert action.image not in self._images, "two pictures of one name"
                self._images[action.image] = self._mix(action.left, action.right, Fraction(1, 2))
                self.num_mids += 1
            else:
                if self.shown:
                    assert action.index == self.shown[-1].index + 1, "outputs out of order"
                weights = self._weights(action)
                self.num_retimes += not isinstance(action, Copy | Again)
                self.shown.append(Shown(action.index, action.pts, weights, self._reads, action))
        needed = self.planner.needed()
        self.max_needed = max(self.max_needed, len(needed))
        self._images = {image: self._images[image] for image in needed}
        return self.shown[count:]

    def _weights(self, action: Output) -> Weights:
        if isinstance(action, Again):
            return self.shown[-1].weights
        if isinstance(action, Copy):
            return self._images[action.image]
        if isinstance(action, Retime):
            assert action.left != action.right, "a call between equal pictures"
            assert 0 < action.t < 1
            return self._mix(action.left, action.right, action.t)
        assert isinstance(action, Retime3)
        assert Fraction(1, 2) <= action.t < Fraction(3, 2)
        assert {action.left, action.centre, action.right} <= self._images.keys()
        if action.t < 1:
            return self._mix(action.left, action.centre, action.t)
        return self._mix(action.centre, action.right, action.t - 1)

    def _mix(self, left: ImageId, right: ImageId, t: Fraction) -> Weights:
        a, b = self._images[left], self._images[right]
        return {i: (1 - t) * a.get(i, 0) + t * b.get(i, 0) for i in a.keys() | b.keys()}


def stamps_at(
    pts: Sequence[Fraction],
    end: Fraction,
    cuts: Iterable[int] = (),
    same: Iterable[int] = (),
    first: int = 0,
) -> list[Stamp]:
    """Stamps of frames at ``pts``, each shown until the next, the last until ``end``."""
    ends, cuts, same = [*pts[1:], end], frozenset(cuts), frozenset(same)
    return [
        Stamp(first + i, p, e, first + i in cuts, first + i in same)
        for i, (p, e) in enumerate(zip(pts, ends, strict=True))
    ]
