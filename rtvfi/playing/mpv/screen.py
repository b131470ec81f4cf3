"""Messages and the overlay on a player's picture, key bindings, and start positions in mpv's
syntax; for any player, in this process or another.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from rtvfi.core.clock import seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rtvfi.core.errors import RtvfiError
    from rtvfi.playing.mpv.player import Mpv

log = logging.getLogger(__name__)


class PlayerGone(SystemError):  # noqa: N818 - an ending, not a failure
    """Raised by every access to a player that has ended."""


def bind(
    player: Mpv, handlers: Mapping[str, Callable[..., None]], keys: Mapping[str, tuple[str, str]]
) -> None:
    """Register script-messages and bind their keys, without overriding the user's own bindings.

    Args:
        player: the mpv.
        handlers: by message.
        keys: message and description, by key.
    """
    for message, handler in handlers.items():
        player.register_message_handler(message, partial(_call, handler))
    for key, (message, _) in keys.items():
        # "default" sections yield to input.conf; python-mpv's own default would override the user.
        player.register_key_binding(key, f"script-message {message}", mode="default")


def _call(handler: Callable[..., None], *words: bytes | str) -> None:
    """Call a handler with text: python-mpv 1.0 passes the arguments of a message as bytes."""
    handler(*(word.decode() if isinstance(word, bytes) else word for word in words))


def line_of(commands: Sequence[Sequence[str]]) -> str:
    """Commands as one line of input.conf, which mpv runs without anything in between."""
    return "; ".join(" ".join(("no-osd", *map(json.dumps, command))) for command in commands)


def overlay(player: Mpv, lines: Sequence[str] | None) -> None:
    """Show lines of text on a dark background, below the line of messages; None removes them."""
    if lines is None:
        player.command("osd-overlay", 7, "none", "")
        return
    # Sizes in the coordinates of osd-overlay, which has 720 rows.
    left, top, size, above = 16, 14, 22, 96
    width = left * 2 + round(max(map(len, lines)) * size * 0.52)
    height = top * 2 + len(lines) * size
    box = f"m 0 0 l {width} 0 {width} {height} 0 {height}"
    plate = rf"{{\an7\pos(0,{above})\bord0\shad0\1c&H000000&\1a&H50&\p1}}" + box
    style = rf"{{\an7\pos({left},{above + top})\fs{size}\bord1\shad0\fnmonospace}}"
    player.command("osd-overlay", 7, "ass-events", plate + "\n" + style + r"\N".join(lines))


class Screen:
    """Shows messages to the user, from any thread: in the log, and on the picture while a window is
    open. It never waits for the player, which may itself be waiting for the thread that speaks.
    """

    def __init__(self) -> None:
        self._player: Mpv | None = None

    def open(self, player: Mpv) -> None:
        """Show messages on this player's picture from now on."""
        self._player = player

    def close(self) -> None:
        """Show messages only in the log from now on; the recorder's last ones come later."""
        self._player = None

    def say(self, text: str) -> None:
        """Show what happened."""
        log.info("%s", text)
        self._show(text, 2.5)

    def complain(self, error: RtvfiError) -> None:
        """Show an error."""
        log.warning("%s%s", error.message, f" ({error.hint})" if error.hint else "")
        self._show(error.message, 5)

    def _show(self, text: str, seconds: float) -> None:
        player = self._player
        if player is not None:
            with suppress(PlayerGone):  # it may end at any moment
                player.soon("show-text", text, int(seconds * 1000))


def start_for_mpv(start: str) -> str:
    """A start position in a form that every mpv accepts: from 0.40 on it refuses 90:90."""
    seconds = _seconds(start)
    return start if seconds is None else f"{seconds:.6f}"


def _seconds(start: str) -> float | None:
    """Seconds of a position that is a time; None for others (percent, chapters)."""
    seconds = seconds_of(start.removeprefix("+"))
    return None if seconds is None else float(seconds)


def beyond_end(player: Mpv, start: str) -> str:
    """A message if the start position is a time beyond the end of the file; else empty.

    Args:
        player: has the file open.
        start: mpv's option of that name.
    """
    length = player.duration
    seconds = _seconds(start)
    if not length or seconds is None or seconds < length:
        return ""
    return f"--start {start} is beyond the end: the film lasts {length:.1f} s"


def entry_name(player: Mpv, number: int) -> str:
    """File name of a playlist entry; by now mpv may be at the next one."""
    names = {entry["id"]: entry["filename"] for entry in player.playlist}
    return names.get(number, "the file")
