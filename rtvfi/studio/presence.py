"""Whether anybody still looks at the page. Pure."""

from __future__ import annotations

from typing import Final

SILENCE: Final = 240.0
"""Seconds without a word from any page: browsers let hidden ones speak once a minute."""
FAREWELL: Final = 8.0
"""Seconds after a page said that it closes: a page loaded anew speaks again within them."""


class Presence:
    """Pages tell that they are there, and that they go."""

    def __init__(self) -> None:
        self._until: float | None = None
        """Clock at which nobody is there any more; None before the first page."""

    def seen(self, now: float) -> None:
        """A page spoke."""
        self._until = now + SILENCE

    def leaving(self, now: float) -> None:
        """A page closes; others, if any, speak in time."""
        if self._until is not None:
            self._until = min(self._until, now + FAREWELL)

    def is_over(self, now: float) -> bool:
        """Whether all pages are gone."""
        return self._until is not None and now > self._until
