"""Detects that the engine hangs: a picture that is due has not come for too long. Pure."""

from __future__ import annotations

from typing import Final, Literal

PATIENCE_SECONDS: Final = 6.0
"""Default of ``patience`` in the script's settings, which must have the same value."""
_ASIDE: Final = 0.5
"""In units of the patience: if a due picture is missing for this long, the original is shown."""
_END: Final = 2.5
"""In units of the patience: if it is missing for this long, the engine ends. A disk that spins up,
or a server that stalls, takes less; a GPU that hangs takes for ever.
"""
_NEAR_SECONDS: Final = 0.5
"""A picture due later than this is not overdue: it is held back because it is early."""

Verdict = Literal["well", "aside", "back", "hangs"]


class Watchdog:
    """Watches one viewing; ``look`` is called periodically.

    Args:
        patience: seconds; all time limits are multiples of it.
    """

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._waited: tuple[float, float] | None = None
        """(time of the picture that is waited for, clock time since when)."""
        self._aside: tuple[int, float] | None = None
        """While the original is shown: (pictures made when that began, clock time of the wait)."""

    def look(self, wanted: float | None, position: float | None, made: int, now: float) -> Verdict:
        """Decide what to do.

        Args:
            wanted: time of the picture that the player's read waits for; None = it does not wait.
            position: the player's position, seconds.
            made: number of pictures made so far.
            now: monotonic seconds.

        Returns:
            ``aside`` once, when the original should be shown; then ``back`` when our pictures come
            again, or ``hangs`` when they never will; otherwise ``well``.
        """
        if self._aside is not None:
            made_before, since = self._aside
            if made != made_before:
                self._aside = self._waited = None
                return "back"
            return "hangs" if now - since > _END * self._patience else "well"
        if wanted is None or position is None or wanted > position + _NEAR_SECONDS:
            self._waited = None
            return "well"
        if self._waited is None or self._waited[0] != wanted:
            self._waited = (wanted, now)
        since = self._waited[1]
        if now - since > _ASIDE * self._patience:
            self._aside = (made, since)
            return "aside"
        return "well"
