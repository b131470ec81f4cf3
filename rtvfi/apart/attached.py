"""The engine of an mpv that runs in another process, told by a script of ours inside that mpv.

The script starts this process when a film is opened, and lets mpv wait in its ``on_preloaded`` hook
until our track is beside the film. The connection is mpv's own JSON IPC: when it closes, in
whatever way mpv ended, this process ends.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from rtvfi.apart.memory import Bound, end
from rtvfi.apart.watchdog import PATIENCE_SECONDS, Watchdog
from rtvfi.core.errors import PlayerError, RtvfiError, UsageError
from rtvfi.engine.trusted import check_options
from rtvfi.playing.front import Front
from rtvfi.playing.mpv.remote import RemoteMpv
from rtvfi.playing.mpv.screen import PlayerGone
from rtvfi.playing.worker import Worker
from rtvfi.stream.serve.web import PictureServer

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.engine.build import Viewing
    from rtvfi.settings.config import PlayOptions

log = logging.getLogger(__name__)

SCRIPT_VERSION: Final = "1"
"""Of what script and engine say to each other."""
_LEAVE_SECONDS: Final = 0.5
_ALIVE_SECONDS: Final = 1.0
"""How often the script is told that we are there."""
_LOOK_SECONDS: Final = 0.2
"""How often we look whether we should end."""


class WebDoor(PictureServer):
    """How an mpv apart gets our tracks: over HTTP on this machine."""

    # An address counts as network: mpv would fill its cache with raw pictures, and pause for it.
    options: Final = {"cache": "no"}


def connect(path: Path) -> socket.socket:
    """A connection to an mpv's ``input-ipc-server``.

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


def attach(options: PlayOptions, connection: socket.socket, script: str, version: str) -> int:
    """Serve the mpv behind a connection until it ends; returns the exit code.

    Args:
        options: how films are shown; its files do not count.
        connection: to mpv's JSON IPC.
        script: name of our script in that mpv.
        version: of what it speaks.

    Raises:
        UsageError: the script is of another version.
        RtvfiError: what was asked for cannot run.
    """
    if version != SCRIPT_VERSION:
        raise UsageError(
            f"the script in mpv speaks version {version} and this rtvfi version {SCRIPT_VERSION}",
            "rtvfi mpv --install puts the right one there",
        )
    check_options(options)
    return Attached(options).run(connection, script)


class Attached(Front):
    """One mpv apart and what hangs on it."""

    def __init__(self, options: PlayOptions) -> None:
        super().__init__(options)
        self._bound = Bound()
        self._patience = PATIENCE_SECONDS
        self._watched: Viewing | None = None
        self._watchdog = Watchdog(self._patience)

    def prefetch(self) -> None:
        """Open the first file before anybody asks for it; what fails will be said when one does."""
        with suppress(RtvfiError):
            self._opener.prefetch(self._options.files)

    def run(self, connection: socket.socket, script: str) -> int:
        """Everything from the connection to its end."""
        door = WebDoor()
        player = RemoteMpv(connection)
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
        finally:
            self._screen.close()
            deadline = time.monotonic() + _LEAVE_SECONDS
            self._opener.abandon()
            hooks.stop(deadline)
            self._leave(deadline)
            player.close()
            door.close()
        return 0

    def _tell_alive(self, tell: partial[object]) -> None:
        now = self._choice.now
        style = now.style if now.is_on else "off"
        place = self._showing.model.host.place or ""
        tell("rtvfi-alive", place, now.model, style, now.rate)

    def _end_a_hang(self, now: float) -> None:
        """No thread can be ended that waits for a GPU for ever, but the process: the script in mpv
        notices. Until that is sure the film's own pictures are shown.
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
        """Say how it goes, for whoever asks: a script, a status bar, a test."""
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
        """A film was opened (the hook's worker; mpv waits, unless it plays already).

        Args:
            tell: the script.
            number: of the film, by the script's count.
            moment: "late" when it plays already.
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
