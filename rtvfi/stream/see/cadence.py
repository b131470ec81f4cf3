"""How many frames a drawing is held: the cadence of a scene, and the midpoint passes it calls for.

Animators draw on ones, twos, threes or fours. A *run* is a drawing and its repeats. The cadence is
the smallest C for which runs of up to C frames make up most of what was seen; single longer holds
are poses, not cadence.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_CADENCE: Final = 4
START_CADENCE: Final = 2
"""Taken before there is evidence: what most of anime is drawn on."""

_WINDOW: Final = 48
_LONGEST_RUN: Final = 6
_COVERED: Final = (4, 5)
"""The share of counted frames that runs up to the cadence must cover, as a fraction."""
_ENOUGH: Final = 12
"""Counted frames below which there is no estimate."""
_RAISE_AFTER: Final = 12
LOWER_AFTER: Final = 24
"""Frames that must agree inside a scene: too few passes stutter at once, too many only blur."""
SETTLING_FRAMES: Final = _WINDOW + LOWER_AFTER
"""Frames after a seek until the cadence found is surely that of an unbroken run: all that is
remembered of a scene, and how many must agree then.
"""

_PASSES: Final = {"even": (0, 1, 2, 3), "smooth": (0, 1, 3, 5)}


def estimate(changes: Iterable[bool]) -> int | None:
    """Cadence of consecutive frames of one scene, 1 to 4; None with too little evidence.

    Args:
        changes: per frame, whether its picture differs from the one before. What comes before the
            first change and after the last one is left out: those runs are not whole.
    """
    runs: list[int] = []
    length: int | None = None
    for changed in changes:
        if changed:
            if length is not None and length <= _LONGEST_RUN:
                runs.append(length)
            length = 0
        if length is not None:
            length += 1
    counted = sum(runs)
    if counted < _ENOUGH:
        return None
    share, whole = _COVERED
    for cadence in range(1, MAX_CADENCE):
        if sum(n for n in runs if n <= cadence) * whole >= counted * share:
            return cadence
    return MAX_CADENCE


def passes_for(cadence: int, table: Literal["even", "smooth"] = "even", cap: int = 3) -> int:
    """Midpoint passes for a cadence.

    ``even`` (C - 1) removes every full stop, ``smooth`` evens out the speed further at a higher
    cost; ``cap`` is the most that is ever asked for.
    """
    return min(_PASSES[table][cadence - 1], cap)


class CadenceEstimator:
    """Follows the cadence of a stream, slow to change its mind inside a scene."""

    def __init__(self, lower_after: int = LOWER_AFTER) -> None:
        """Know nothing.

        Args:
            lower_after: frames of a scene that must agree to lower the cadence.
        """
        self._lower_after = lower_after
        self._cadence = START_CADENCE
        self._changes: deque[bool] = deque(maxlen=_WINDOW)
        self._found: int | None = None
        """What the scene shows, agreed on or not."""
        self._candidate: int | None = None
        self._agreeing = 0

    @property
    def cadence(self) -> int:
        """The cadence to schedule with, 1 to 4."""
        return self._cadence

    def push(self, changed: bool, cut: bool = False, slowest: int | None = None) -> int:
        """Take the next frame and return ``cadence``.

        Inside a scene 12 agreeing frames raise it and 24 lower it. A cut takes over what the scene
        before it showed, if that was enough.

        Args:
            changed: the picture differs from the one before.
            cut: the frame starts a scene.
            slowest: cadence of the slowest part of the picture in this scene, where that is known:
                a character may be drawn on threes before a pan on ones.
        """
        if cut:
            self._cadence = self._found or self._cadence
            self.reset()
        self._changes.append(changed or cut)
        found = max(estimate(self._changes) or 0, slowest or 0) or None
        self._found = found
        if found is None or found == self._cadence:
            self._candidate, self._agreeing = None, 0
            return self._cadence
        self._agreeing = self._agreeing + 1 if found == self._candidate else 1
        self._candidate = found
        if self._agreeing >= (_RAISE_AFTER if found > self._cadence else self._lower_after):
            self._cadence = found
            self._candidate, self._agreeing = None, 0
        return self._cadence

    def reset(self) -> None:
        """Forget the scene (a seek); its cadence stays until there is new evidence."""
        self._changes.clear()
        self._found = None
        self._candidate, self._agreeing = None, 0
