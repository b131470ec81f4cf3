"""Messages about how playback keeps up; each is shown once, not continuously. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.stream.run.parts import Statistics

_BEHIND_SECONDS: Final = 1.5
_SAID_AGAIN_SECONDS: Final = 30.0


class Remarks:
    """Turns statistics into messages.

    Args:
        say: shows a line on the screen.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        """Shows a message every time it is called."""
        self._said: set[str] = set()
        self._level = 0
        """The lowest quality level reported since quality was last full."""
        self._given_up: list[str] = []
        """What was reported as given up; the next message has only what is new."""
        self._behind_since: float | None = None
        self._live = ""
        """The last description that was shown."""

    def once(self, text: str) -> None:
        """Show a message, unless it was shown before."""
        if text not in self._said:
            self._said.add(text)
            self.say(text)

    def live(self, line: str) -> None:
        """Show a description of what is in use when it changes; "" = nothing is in use."""
        if line and line != self._live:
            self.say(line)
        self._live = line

    def look(self, now: Statistics, model: str, clock: float) -> None:
        """Show a message if something has become worse.

        Args:
            now: the pipeline's statistics.
            model: its model.
            clock: monotonic seconds.
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
