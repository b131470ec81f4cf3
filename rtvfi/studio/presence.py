"""Determines whether a page of the studio is still open. Pure."""

from __future__ import annotations

from typing import Final

SILENCE: Final = 240.0
"""Seconds without a request from any page after which the studio exits. Browsers let hidden pages
send one only every minute.
"""
FAREWELL: Final = 8.0
"""Seconds after a page was closed; a page that is reloaded sends a request within this time."""


class Presence:
    """Keeps track of open pages by their requests."""

    def __init__(self) -> None:
        self._until: float | None = None
        """Time after which all pages count as closed; None before the first page."""

    def seen(self, now: float) -> None:
        """A page sent a request; ``now`` is ``time.monotonic()``."""
        self._until = now + SILENCE

    def leaving(self, now: float) -> None:
        """A page is being closed; other open pages will send requests in time."""
        if self._until is not None:
            self._until = min(self._until, now + FAREWELL)

    def is_over(self, now: float) -> bool:
        """Whether all pages are closed."""
        return self._until is not None and now > self._until
