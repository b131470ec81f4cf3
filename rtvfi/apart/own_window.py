"""An mpv window of ours whose engine is another process, so that its faults cannot end the film.

The window is libmpv in this process, with the script of ``rtvfi mpv`` in it. The first engine is
started before both (``early.py``). When an engine dies or hangs, the script shows the original and
starts another one. This process loads no decoder, no model and no torch.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rtvfi.apart.script import SCRIPT
from rtvfi.apart.sockets import FOR_MPV, place_for_mpv, remove_socket
from rtvfi.core.errors import NoScripts
from rtvfi.playing.mpv import window
from rtvfi.playing.mpv.life import Life
from rtvfi.playing.mpv.screen import PlayerGone, Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtvfi.apart.early import EarlyEngine
    from rtvfi.playing.mpv.player import Mpv
    from rtvfi.settings.config import PlayOptions

log = logging.getLogger(__name__)


def play_apart(options: PlayOptions, words: Sequence[str], engine: EarlyEngine | None) -> int:
    """Play files until the user or the playlist ends; returns the exit code as ``player.play``.

    Args:
        options: what to play; only files, mpv's options and the start position are used here.
        words: command-line options for an engine that the script starts.
        engine: already started, with checked options; it is ended here.

    Raises:
        NoScripts: libmpv has no Lua; nothing was played.
        RtvfiError: nothing could be played.
    """
    try:
        return ApartPlayer(options, engine).run(words)
    finally:
        if engine is not None:
            engine.close()


class ApartPlayer:
    """One mpv window whose engine is in another process.

    Args:
        options: already checked.
        engine: the first engine; None = the script starts it.
    """

    def __init__(self, options: PlayOptions, engine: EarlyEngine | None) -> None:
        self._options = options
        self._engine = engine
        self._screen = Screen()
        self._life = Life(options, self._screen)
        self._is_first = False
        self._own_socket: Path | None = None

    def run(self, words: Sequence[str]) -> int:
        """Play all files; returns the exit code."""
        os.environ["RTVFI_SCRIPT"] = str(SCRIPT)  # disables one in the user's own folder
        player = window.open_window(self._options.mpv)
        try:
            self._screen.open(player)
            self._life.begin(player)
            player.event_callback("file-loaded")(lambda _: self._on_file())
            player.event_callback("playback-restart")(lambda _: self._on_restart())
            command = json.dumps([sys.executable, "-P", "-m", "rtvfi"])
            settings = {"command": command, "words": json.dumps([*words])}
            if self._engine is not None:
                settings |= self._introduce(player, self._engine)
            for name, value in settings.items():
                player.command("change-list", "script-opts", "append", f"rtvfi-{name}={value}")
            self._load(player)
            code = self._life.play(lambda: None)
        finally:
            player.terminate()
            if self._own_socket is not None:  # an engine that died early has left it there
                remove_socket(self._own_socket, FOR_MPV)
        return self._life.check(code)

    def _introduce(self, player: Mpv, engine: EarlyEngine) -> dict[str, str]:
        """Connect the engine and the script as soon as the script is loaded; returns the script's
        settings for that.

        Args:
            player: the window.
            engine: already started.
        """
        own, listens_at = "", player["input-ipc-server"]
        if not listens_at:
            own = listens_at = str(place_for_mpv())
            player["input-ipc-server"] = own
            self._own_socket = Path(own)
        path = Path(str(player.command("expand-path", listens_at)))

        def ended(script: str, status: int, words: str) -> None:
            with suppress(PlayerGone, SystemError):  # mpv, or the script
                told = ("rtvfi-engine-ended", str(status), words)
                player.command("script-message-to", script, *told)

        def meet(script: bytes) -> None:
            engine.meet(path, script.decode())
            engine.watch(partial(ended, script.decode()))

        player.register_message_handler("rtvfi-script", meet)
        player.register_message_handler("rtvfi-kill-engine", engine.kill)
        return {"begun": "yes", "socket": own}

    def _load(self, player: Mpv) -> None:
        """Load the script.

        Raises:
            NoScripts: this mpv has no Lua.
        """
        try:
            player.command("load-script", str(SCRIPT))
        except (SystemError, RuntimeError) as error:
            raise NoScripts("this libmpv runs no scripts", "try --engine inside") from error

    def _on_file(self) -> None:
        self._is_first = True
        self._life.film_opened()

    def _on_restart(self) -> None:
        is_first, self._is_first = self._is_first, False
        if is_first:
            self._life.first_picture()
