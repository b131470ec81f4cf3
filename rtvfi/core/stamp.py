"""What scheduling knows of a source frame: number, time, whether it cuts or repeats. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

ImageId = tuple[int, int]
"""(0, i): source frame i. (k, i): B_k(i), made by a pass (``stream.plan``). Equal pictures share
one identity.
"""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the planner must know of a source frame."""

    index: int
    """Number of the frame since the last reset; names its picture."""
    pts: Fraction
    end: Fraction
    """When the next frame is due: no frame is shown before it. For the last frame, its end."""
    cut: bool = False
    """It starts a scene."""
    same: bool = False
    """Its picture equals the frame before."""
