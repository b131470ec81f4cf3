"""Estimates the cadence of a scene (how many frames a drawing is held), and the passes it needs.

Animators draw on ones, twos, threes or fours. A *run* is a drawing and its repeats. The cadence is
the smallest C for which runs of up to C frames make up most of the scene; single longer holds are
poses and do not count.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_CADENCE: Final = 4
START_CADENCE: Final = 2
"""Assumed before there is evidence: most anime is drawn on twos."""

_WINDOW: Final = 48
_LONGEST_RUN: Final = 6
_COVERED: Final = (4, 5)
"""Fraction of the counted frames that runs of up to C frames must cover: (numerator, denominator).
"""
_ENOUGH: Final = 12
"""Smallest number of counted frames for an estimate."""
_RAISE_AFTER: Final = 12
LOWER_AFTER: Final = 24
"""Frames in a row that must agree before the cadence is lowered inside a scene. It is more than for
raising it, because too few passes stutter at once, while too many only blur.
"""
SETTLING_FRAMES: Final = _WINDOW + LOWER_AFTER
"""Number of frames after a seek from which the cadence is certainly the same as in unbroken
playback: all frames that are remembered of a scene, plus those that must agree.
"""

_PASSES: Final = {"even": (0, 1, 2, 3), "smooth": (0, 1, 3, 5)}


def estimate(changes: Iterable[bool]) -> int | None:
    """Cadence of consecutive frames of one scene, 1 to 4; None with too little evidence.

    Args:
        changes: for each frame, whether its picture differs from the one before. Frames before the
            first change and after the last one are ignored, because their runs are incomplete.
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
    """Number of midpoint passes for a cadence.

    ``even`` (C - 1) removes every stop; ``smooth`` makes the speed more even at a higher cost;
    ``cap`` is the maximum.
    """
    return min(_PASSES[table][cadence - 1], cap)


class CadenceEstimator:
    """Follows the cadence of a stream; inside a scene it changes only after enough evidence."""

    def __init__(self, lower_after: int = LOWER_AFTER) -> None:
        """Start without evidence.

        Args:
            lower_after: frames in a row that must agree to lower the cadence inside a scene.
        """
        self._lower_after = lower_after
        self._cadence = START_CADENCE
        self._changes: deque[bool] = deque(maxlen=_WINDOW)
        self._found: int | None = None
        """The newest estimate, which may not have been accepted yet."""
        self._candidate: int | None = None
        self._agreeing = 0

    @property
    def cadence(self) -> int:
        """The accepted cadence, 1 to 4."""
        return self._cadence

    def push(self, changed: bool, cut: bool = False, slowest: int | None = None) -> int:
        """Take the next frame and return ``cadence``.

        Inside a scene, 12 frames that agree raise it and 24 lower it. A cut accepts the newest
        estimate of the previous scene, if there was enough evidence.

        Args:
            changed: the picture differs from the one before.
            cut: the frame starts a scene.
            slowest: cadence of the slowest part of the picture in this scene, if known: a character
                may be drawn on threes in front of a pan on ones.
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
        """Forget the scene, for a seek; the cadence stays until there is new evidence."""
        self._changes.clear()
        self._found = None
        self._candidate, self._agreeing = None, 0
