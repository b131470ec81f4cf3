"""Shared code of three-frame models: checking timesteps, and the centre frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    Side = Callable[[int, list[float]], Tensor]
    """Interpolates one side of the centre frame.

    Arguments: -1 for left or 1 for right, and at least one timestep. Returns the pictures,
    (len(timesteps), 3, H, W).
    """

EXACT: Final = 1e-3
"""A timestep this close to 1 gives the centre frame; half precision rounds 1 - 2**-12 to 1."""

P = TypeVar("P")
L = TypeVar("L")
Three = tuple[P, P, P]
"""Left, centre and right frame."""
Both = tuple[L, L]
"""The links of the pairs left and right of the centre."""


class Triples(Generic[P, L]):
    """Base class of a ``base.TripleInterpolator`` that computes one side at a time."""

    def triple(self, frames: Three[P], links: Both[L], ts: Sequence[float]) -> Tensor:
        """Interpolate around the centre frame; see ``base.TripleInterpolator``.

        Args:
            frames: the prepared left, centre and right frame.
            links: the links of the left and of the right pair.
            ts: timesteps in [0.5, 1.5], 1 = the centre frame.

        Returns:
            (len(ts), 3, H, W).

        Raises:
            ValueError: a timestep is outside [0.5, 1.5].
        """
        return around_centre(ts, self.shown(frames[1]), self._sides(frames, links))

    def shown(self, picture: P) -> Tensor:
        """The original picture of a prepared frame, (1, 3, H, W)."""
        raise NotImplementedError

    def _sides(self, frames: Three[P], links: Both[L]) -> Side:
        """The function that interpolates one side."""
        raise NotImplementedError


def around_centre(ts: Sequence[float], centre: Tensor, make: Side) -> Tensor:
    """Interpolate around the centre frame of a triple, each side in one call.

    Args:
        ts: timesteps in [0.5, 1.5], 1 = the centre frame.
        centre: the centre frame, (1, 3, H, W), returned unchanged for t = 1.
        make: interpolates one side.

    Returns:
        (len(ts), 3, H, W) in the order of ``ts``.

    Raises:
        ValueError: a timestep is outside [0.5, 1.5].
    """
    outside = [t for t in ts if not 0.5 <= t <= 1.5]
    if outside:
        raise ValueError(f"timesteps {outside} of a triple are outside 0.5 to 1.5")
    made: dict[float, Tensor] = {}
    for sign in (-1, 1):
        near = sorted({t for t in ts if sign * (t - 1) >= EXACT})
        if near:
            made |= dict(zip(near, make(sign, near), strict=True))
    return torch.stack([made.get(t, centre[0]) for t in ts])
