"""What the player says unasked about how it keeps up: each thing once, not every moment. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.stream.run.parts import Statistics

_BEHIND_SECONDS: Final = 1.5
_SAID_AGAIN_SECONDS: Final = 30.0


class Remarks:
    """Watches the statistics of what is shown.

    Args:
        say: puts a line on the screen.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        """For what is said however often it happens."""
        self._said: set[str] = set()
        self._level = 0
        """The lowest quality said since full quality was had."""
        self._given_up: list[str] = []
        """What was said of it; the next time only what is new is."""
        self._behind_since: float | None = None
        self._live = ""
        """As it was said."""

    def once(self, text: str) -> None:
        """Say this, if it has not been said."""
        if text not in self._said:
            self._said.add(text)
            self.say(text)

    def live(self, line: str) -> None:
        """What is live, in a few words: said when it begins and when it changes; "" = nothing."""
        if line and line != self._live:
            self.say(line)
        self._live = line

    def look(self, now: Statistics, model: str, clock: float) -> None:
        """Say what has become worse.

        Args:
            now: the state of the pipeline.
            model: its model.
            clock: seconds, monotonic.
        """
        cost = f"{model} is too slow"
        if now.cost_ms is not None:
            cost += f" ({now.cost_ms:.0f} ms)"
        level, given_up = now.standing.level, now.standing.given_up
        if level > self._level:
            new = [phrase for phrase in given_up if phrase not in self._given_up]
            self.say(f"{cost}: {', '.join(new or given_up)}")
            self._given_up = given_up
            self._behind_since = clock + _SAID_AGAIN_SECONDS
        if not level:
            self._given_up = []
        self._level = max(level, self._level) if level else 0
        if not now.is_behind:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = clock
        elif clock - self._behind_since > _BEHIND_SECONDS:
            self._behind_since = clock + _SAID_AGAIN_SECONDS
            self.say(f"{cost}: source frames fill in")
