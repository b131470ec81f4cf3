"""The stamp of a source frame, all that scheduling needs: number, time, cut, repeat. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

ImageId = tuple[int, int]
"""(0, i) = source frame i; (k, i) = B_k(i), made by pass k (``stream.plan.planner``). Equal
pictures share one id.
"""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A source frame without its picture, as the planner sees it."""

    index: int
    """Number of the frame since the last reset; its picture has the id (0, index)."""
    pts: Fraction
    end: Fraction
    """When the next frame is due; the end of the film for the last frame."""
    cut: bool = False
    """The frame starts a scene."""
    same: bool = False
    """Its picture equals the frame before."""
