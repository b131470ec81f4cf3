"""Tells that the engine hangs: a picture that is due has been waited for too long. Pure."""

from __future__ import annotations

from typing import Final

PATIENCE_SECONDS: Final = 15.0
"""A disk that spins up, or a server that stalls, takes less; a GPU that hangs takes for ever."""
_NEAR_SECONDS: Final = 0.5
"""A picture due later than this is not waited for: it is held back because it is early."""


class Watchdog:
    """Looked at now and then."""

    def __init__(self) -> None:
        self._waited: tuple[float, float] | None = None
        """The picture that was waited for, and since when."""

    def is_stuck(self, wanted: float | None, position: float | None, now: float) -> bool:
        """Whether nothing moves any more.

        Args:
            wanted: the time of the picture that the player's read waits for, None when for none.
            position: where the player is.
            now: seconds, monotonic.
        """
        if wanted is None or position is None or wanted > position + _NEAR_SECONDS:
            self._waited = None
            return False
        if self._waited is None or self._waited[0] != wanted:
            self._waited = (wanted, now)
        return now - self._waited[1] > PATIENCE_SECONDS
