"""An mpv window of ours whose engine is another process: no fault of it takes the film away.

The window is libmpv in this process, with the script of ``rtvfi mpv`` in it: the script starts the
engine, lets go of it when it dies or hangs, and starts it once more. This process loads no decoder,
no model and no torch.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING

from rtvfi.apart.script import SCRIPT
from rtvfi.core.errors import PlayerError
from rtvfi.engine.trusted import check_options
from rtvfi.playing.mpv import window
from rtvfi.playing.mpv.life import Life
from rtvfi.playing.mpv.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtvfi.playing.mpv.player import Mpv
    from rtvfi.settings.config import PlayOptions

log = logging.getLogger(__name__)


def play_apart(options: PlayOptions, words: Sequence[str]) -> int:
    """Play files until the user or the playlist ends; returns the exit code as ``player.play``.

    Args:
        options: how; only files, mpv's options and the place to begin at count here.
        words: the settings of the engine, as on a command line.

    Raises:
        RtvfiError: what was asked for cannot run; raised before a window opens.
    """
    check_options(options)
    return ApartPlayer(options).run(words)


class ApartPlayer:
    """One mpv window without an engine of its own.

    Args:
        options: checked already.
    """

    def __init__(self, options: PlayOptions) -> None:
        self._options = options
        self._screen = Screen()
        self._life = Life(options, self._screen)
        self._is_first = False

    def run(self, words: Sequence[str]) -> int:
        """Everything from the first file to the last."""
        os.environ["RTVFI_SCRIPT"] = str(SCRIPT)  # one in the user's own folder stays out
        player = window.open_window(self._options.mpv)
        try:
            self._screen.open(player)
            self._life.begin(player)
            player.event_callback("file-loaded")(lambda _: self._on_file())
            player.event_callback("playback-restart")(lambda _: self._on_restart())
            command = json.dumps([sys.executable, "-P", "-m", "rtvfi"])
            for setting in (f"command={command}", f"words={json.dumps([*words])}"):
                player.command("change-list", "script-opts", "append", f"rtvfi-{setting}")
            self._load(player)
            code = self._life.play(lambda: None)
        finally:
            player.terminate()
        return self._life.check(code)

    def _load(self, player: Mpv) -> None:
        """Load the script.

        Raises:
            PlayerError: this mpv has no Lua.
        """
        try:
            player.command("load-script", str(SCRIPT))
        except (SystemError, RuntimeError) as error:
            raise PlayerError("this libmpv runs no scripts", "try --engine inside") from error

    def _on_file(self) -> None:
        self._is_first = True
        self._life.film_opened()

    def _on_restart(self) -> None:
        is_first, self._is_first = self._is_first, False
        if is_first:
            self._life.first_picture()
