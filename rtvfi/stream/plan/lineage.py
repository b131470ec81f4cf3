"""Which source frames a picture is made of, and how much of each. Pure.

A picture made by passes is a blend of source frames with weights that add up to 1. The weights
decide which source frame replaces it when it is not made, and which source frames it needs.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from rtvfi.stream.plan.planner import Copy, Mid, Retime

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rtvfi.core.stamp import ImageId
    from rtvfi.stream.plan.planner import Fresh

    Weights = Mapping[ImageId, Fraction]


class Lineage:
    """The weights of all pictures in use; used by one thread."""

    def __init__(self) -> None:
        self._weights: dict[ImageId, Weights] = {}

    def add(self, made: Mid) -> None:
        """Add the picture of a pass."""
        self._weights[made.image] = self._mixed(made.left, made.right, Fraction(1, 2))

    def keep(self, needed: Collection[ImageId]) -> frozenset[ImageId]:
        """Forget all pictures except these.

        Returns:
            The source frames that the remaining ones are made of.
        """
        self._weights = {i: w for i, w in self._weights.items() if i in needed}
        return frozenset(source for image in needed for source in self.sources(image))

    def sources(self, image: ImageId) -> Collection[ImageId]:
        """The source frames a picture is made of."""
        return self._of(image).keys()

    def stand_in(self, output: Fresh) -> ImageId:
        """The source frame with the largest weight in an output, of equal ones the later: the
        closest in content time.
        """
        weights = self._of_output(output)
        return max(weights, key=lambda source: (weights[source], source))

    def _of_output(self, output: Fresh) -> Weights:
        if isinstance(output, Copy):
            return self._of(output.image)
        if isinstance(output, Retime):
            return self._mixed(output.left, output.right, output.t)
        if output.t < 1:
            return self._mixed(output.left, output.centre, output.t)
        return self._mixed(output.centre, output.right, output.t - 1)

    def _of(self, image: ImageId) -> Weights:
        return self._weights.get(image) or {image: Fraction(1)}

    def _mixed(self, left: ImageId, right: ImageId, t: Fraction) -> Weights:
        a, b = self._of(left), self._of(right)
        return {i: (1 - t) * a.get(i, 0) + t * b.get(i, 0) for i in a.keys() | b.keys()}
