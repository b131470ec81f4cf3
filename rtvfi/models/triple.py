"""What three-frame models share: which timesteps are legal, which need no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    Side = Callable[[int, list[float]], Tensor]
    """From the sign of a side (-1 left, 1 right) and its timesteps (at least one) to their
    pictures, (len, 3, H, W)."""

EXACT: Final = 1e-3
"""A timestep this near to 1 is the centre picture; half precision rounds 1 - 2**-12 to 1."""

P = TypeVar("P")
L = TypeVar("L")
Three = tuple[P, P, P]
"""Pictures, left, centre and right."""
Both = tuple[L, L]
"""What the pairs left and right of the centre share."""


class Triples(Generic[P, L]):
    """A ``base.TripleInterpolator`` whose sides are made one at a time; a base class."""

    def triple(self, frames: Three[P], links: Both[L], ts: Sequence[float]) -> Tensor:
        """(len(ts), 3, H, W), t in [0.5, 1.5], 1 = the centre; see ``base.TripleInterpolator``."""
        return around_centre(ts, self.shown(frames[1]), self._sides(frames, links))

    def shown(self, picture: P) -> Tensor:
        """The (1, 3, H, W) picture that was prepared."""
        raise NotImplementedError

    def _sides(self, frames: Three[P], links: Both[L]) -> Side:
        """How pictures beside the centre are made."""
        raise NotImplementedError


def around_centre(ts: Sequence[float], centre: Tensor, make: Side) -> Tensor:
    """Pictures at ``ts`` around the centre of a triple, each side made in one call.

    Args:
        ts: timesteps in [0.5, 1.5], 1 = the centre.
        centre: (1, 3, H, W), returned as it is for t = 1.
        make: the pictures of one side.

    Returns:
        (len(ts), 3, H, W) in the order of ``ts``.

    Raises:
        ValueError: a t outside [0.5, 1.5].
    """
    outside = [t for t in ts if not 0.5 <= t <= 1.5]
    if outside:
        raise ValueError(f"timesteps {outside} are outside 0.5 to 1.5 of a triple")
    made: dict[float, Tensor] = {}
    for sign in (-1, 1):
        near = sorted({t for t in ts if sign * (t - 1) >= EXACT})
        if near:
            made |= dict(zip(near, make(sign, near), strict=True))
    return torch.stack([made.get(t, centre[0]) for t in ts])
