"""Tells that the engine hangs: a picture that is due has been waited for too long. Pure."""

from __future__ import annotations

from typing import Final, Literal

PATIENCE_SECONDS: Final = 6.0
"""As ``patience`` in the script's settings."""
_ASIDE: Final = 0.5
"""Of the patience: so long a picture that is due may be missing before the film's own is shown."""
_END: Final = 2.5
"""Of the patience: a disk that spins up, or a server that stalls, takes less; a GPU that hangs
takes for ever.
"""
_NEAR_SECONDS: Final = 0.5
"""A picture due later than this is not waited for: it is held back because it is early."""

Verdict = Literal["well", "aside", "back", "hangs"]


class Watchdog:
    """Looked at now and then, while one viewing is shown.

    Args:
        patience: seconds; how long nothing may happen follows from it.
    """

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._waited: tuple[float, float] | None = None
        """The picture that was waited for, and since when."""
        self._aside: tuple[int, float] | None = None
        """Pictures made when we stepped aside, and since when the next one was waited for."""

    def look(self, wanted: float | None, position: float | None, made: int, now: float) -> Verdict:
        """What is to be done.

        Args:
            wanted: the time of the picture that the player's read waits for, None when for none.
            position: where the player is.
            made: pictures made so far.
            now: seconds, monotonic.

        Returns:
            ``aside`` once, when the film's own pictures should be shown meanwhile; then ``back``
            when ours come again, or ``hangs`` when they never will.
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
