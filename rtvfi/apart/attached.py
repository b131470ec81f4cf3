"""The engine of an mpv in another process, controlled by our script inside that mpv.

The script starts this process when a film is opened, and makes mpv wait in its ``on_preloaded``
hook until our track is added. The connection is mpv's own JSON IPC: when it closes, however mpv
ended, this process ends.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from rtvfi.apart.figures import line_of
from rtvfi.apart.memory import Bound, end
from rtvfi.apart.watchdog import PATIENCE_SECONDS, Watchdog
from rtvfi.core.errors import PlayerError, RtvfiError, UsageError
from rtvfi.engine.trusted import check_options
from rtvfi.playing.front import Front
from rtvfi.playing.mpv.events import add_viewing
from rtvfi.playing.mpv.remote import RemoteMpv
from rtvfi.playing.mpv.screen import PlayerGone
from rtvfi.playing.worker import Worker
from rtvfi.stream.record.relay import Relay
from rtvfi.stream.serve.peer import SCHEME
from rtvfi.stream.serve.web import PictureServer

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.engine.build import Viewing
    from rtvfi.settings.config import PlayOptions
    from rtvfi.stream.record.recorder import Recorder

log = logging.getLogger(__name__)

SCRIPT_VERSION: Final = "1"
"""Version of the messages between script and engine; ``rtvfi.lua`` has the same number."""
_LEAVE_SECONDS: Final = 0.5
_ALIVE_SECONDS: Final = 1.0
"""Seconds between two signs of life to the script."""
_LOOK_SECONDS: Final = 0.2
"""Seconds between two checks whether this process should end."""


class WebDoor(PictureServer):
    """Makes our tracks available to an mpv in another process: over HTTP on this machine.

    Args:
        player: the mpv; one of ours says in its options that it reads from a Unix socket.
    """

    # mpv treats a URL as network: it would fill its cache with raw pictures, and pause for that.
    options: Final = {"cache": "no"}

    def __init__(self, player: RemoteMpv) -> None:
        told: object = None
        with suppress(PlayerGone):
            told = player["script-opts"]
        super().__init__(is_unix=isinstance(told, dict) and told.get("rtvfi-reads") == SCHEME)


def connect(path: Path) -> socket.socket:
    """Connect to an mpv's ``input-ipc-server``.

    Raises:
        PlayerError: nobody listens there.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise PlayerError(f'no mpv listens at "{path}": {error.strerror}') from error
    return connection


def attach(
    options: PlayOptions,
    connection: socket.socket,
    script: str,
    version: str,
    *,
    tells_figures: bool = False,
) -> int:
    """Serve the mpv behind a connection until it ends; returns the exit code.

    Args:
        options: how films are shown; its files are ignored.
        connection: a connection to mpv's JSON IPC.
        script: name of our script in that mpv.
        version: the script's ``SCRIPT_VERSION``.
        tells_figures: print statistics, for a report that another process writes.

    Raises:
        UsageError: the script has another version.
        RtvfiError: the options cannot be carried out.
    """
    if version != SCRIPT_VERSION:
        raise UsageError(
            f"the script in mpv speaks version {version} and this rtvfi version {SCRIPT_VERSION}",
            "rtvfi mpv --install installs the right one",
        )
    check_options(options)
    return Attached(options, tells_figures=tells_figures).run(connection, script)


class Attached(Front):
    """Controls one mpv in another process."""

    def __init__(self, options: PlayOptions, *, tells_figures: bool = False) -> None:
        super().__init__(options)
        self._tells_figures = tells_figures
        self._bound = Bound()
        self._patience = PATIENCE_SECONDS
        self._watched: Viewing | None = None
        self._watchdog = Watchdog(self._patience)

    def _make_recorder(self) -> Recorder | None:
        """None yet: ``run`` makes it, because an early engine is there before the window has looked
        at what an older recording left.
        """
        return None

    def prefetch(self) -> None:
        """Open the first file before the player requests it; errors are reported when it does."""
        with suppress(RtvfiError):
            self._opener.prefetch(self._options.files)

    def run(self, connection: socket.socket, script: str) -> int:
        """Serve the player until the connection closes."""
        path = self._options.record
        if path is not None:
            self._recorder = Relay(path, self._options.encode, self._screen.say)
            self._opener.record(self._recorder)
        player = RemoteMpv(connection)
        door = WebDoor(player)
        hooks = Worker("rtvfi-hook", self._screen.complain, PlayerGone)
        try:
            with suppress(PlayerGone):
                self.connect(player, door)
                tell = partial(player.command, "script-message-to", script)
                player.register_message_handler(
                    "rtvfi-attach", lambda *words: hooks.do(partial(self._on_hook, tell, *words))
                )
                player.register_message_handler("rtvfi-tell", lambda *_: self._tell(player))
                tell("rtvfi-ready", door.root)
                told_at = 0.0
                while not player.wait(_LOOK_SECONDS):
                    now = time.monotonic()
                    if said := self._bound.complaint():
                        end(said)
                    self._end_a_hang(now)
                    if now - told_at >= _ALIVE_SECONDS:
                        told_at = now
                        self._tell_alive(tell)
                        self._print_figures(with_viewing=True)
        finally:
            self._screen.close()
            deadline = time.monotonic() + _LEAVE_SECONDS
            self._opener.abandon()
            hooks.stop(deadline)
            self._leave(deadline)
            player.close()
            door.close()
            self._print_figures(with_viewing=False)
        return 0

    def _print_figures(self, *, with_viewing: bool) -> None:
        """Tell all figures so far to who started this process, if anybody wants them."""
        if not self._tells_figures:
            return
        report, viewing = self._report.copy(), self._showing.viewing
        if with_viewing and viewing is not None:
            statistics = viewing.pipeline.statistics()
            add_viewing(report, viewing.stream, statistics)
            report.live = self._live_facts(viewing, statistics)
        error = None if self._recorder is None else self._recorder.error
        with suppress(OSError):  # nobody listens any more
            sys.stdout.write(line_of(report, None if error is None else error.message) + "\n")
            sys.stdout.flush()

    def _tell_alive(self, tell: partial[object]) -> None:
        now = self._choice.now
        style = now.style if now.is_on else "off"
        place = self._showing.model.host.place or ""
        tell("rtvfi-alive", place, now.model, style, now.rate)

    def _end_a_hang(self, now: float) -> None:
        """End this process if it hangs, because a thread that waits for a GPU for ever cannot be
        ended by itself; the script in mpv notices. Until a hang is certain, the original is shown.
        """
        viewing = self._showing.shown
        if viewing is not self._watched:
            self._watched, self._watchdog = viewing, Watchdog(self._patience)
        if viewing is None:
            return
        wanted, made = viewing.stream.blocked_on, viewing.pipeline.num_made
        verdict = self._watchdog.look(wanted, self._playhead.now(), made, now)
        if verdict == "hangs":
            end("rtvfi's engine makes no pictures any more")
        elif verdict != "well":
            log.debug("pictures that are due do not come, or come again: %s", verdict)
            self._showing.stand_in(film=verdict == "aside")

    def _tell(self, player: RemoteMpv) -> None:
        """Answer a request for the state, made by a script, a status bar or a test."""
        viewing = self._showing.viewing
        told: dict[str, Any] = {"pid": os.getpid(), "is_on": self._choice.now.is_on}
        if viewing is not None:
            statistics = viewing.pipeline.statistics()
            told |= {
                **self._live_facts(viewing, statistics),
                "is_shown": self._showing.is_on_screen,
                "frames": statistics.frames,
                "avsync_ms": [round(ms, 2) for ms in self._report.avsync_ms],
            }
        player.command("script-message", "rtvfi-told", json.dumps(told))

    def _on_hook(self, tell: partial[object], number: str, moment: str, *limits: str) -> None:
        """A film was opened (on the hook's thread; mpv waits, unless the film plays already).

        Args:
            tell: sends a message to the script.
            number: number of the film, counted by the script.
            moment: "late" if the film plays already.
            limits: the script's settings ``patience`` (s) and ``memory`` (GB).
        """
        if limits:
            patience, memory = map(float, limits)
            self._patience, self._bound = patience, Bound(int(memory * 1e9))
        try:
            self._attach(is_playing=moment == "late")
            if moment == "late":
                self._is_first = False
                self._showing.join()
        finally:
            original = self._showing.original
            tell("rtvfi-attached", number, "" if original is None else str(original))
