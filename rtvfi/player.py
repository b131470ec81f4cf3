"""The mpv window with our track beside the original, from the first file to the last.

mpv plays the file itself; in its ``on_preloaded`` hook we add the virtual track and select it.
If anything here fails, the file plays without interpolation. Four threads take part: the main
thread waits for the end; python-mpv's event thread runs the handlers, which must return at once;
the hook's thread opens a file while mpv waits for it; and the worker does slow work while a film
plays: importing torch, loading models, building a track for another rate.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rtvfi.core.errors import PlayerError
from rtvfi.engine.trusted import check_options
from rtvfi.playing.controls import KEYS
from rtvfi.playing.front import Front
from rtvfi.playing.mpv import menu, trial, window
from rtvfi.playing.mpv.libmpv import InsideDoor, add_hook
from rtvfi.playing.mpv.life import LEAVE_SECONDS, Life
from rtvfi.playing.mpv.screen import PlayerGone
from rtvfi.playing.worker import Worker

if TYPE_CHECKING:
    from rtvfi.settings.config import PlayOptions


def play(options: PlayOptions) -> int:
    """Play files until the user or the playlist ends.

    Returns:
        0 when something was played, 1 when nothing could be, 130 after Ctrl+C in the terminal.

    Raises:
        RtvfiError: the options cannot be carried out; raised before a window opens.
    """
    check_options(options)
    with window.only_script("none"):
        return Player(options).run()


class Player(Front):
    """One mpv window in this process, and everything that controls it.

    Args:
        options: already checked with ``check_options``.
    """

    _takes_lists = True

    def __init__(self, options: PlayOptions) -> None:
        super().__init__(options)
        self._life = Life(options, self._screen)
        self._can: trial.Can = "lists"
        self._hooks: Worker

    # ---- life ----

    def run(self) -> int:
        """Play all files; returns the exit code."""
        self._opener.prefetch(self._options.files)
        player = window.open_window(self._options.mpv)
        self.connect(player, InsideDoor(player))
        menu.offer(player, KEYS)
        self._hooks = Worker("rtvfi-hook", self._screen.complain, PlayerGone)
        self._can = trial.capacity(str(player.mpv_version))
        self._opener.keeps_shapes &= self._can == "lists"
        if self._can == "nothing":
            self._screen.complain(PlayerError(trial.NOTHING, f"supported: {trial.SUPPORTED}"))
        try:
            add_hook(player, "on_preloaded", self._attach, self._hooks.do)
            self._life.begin(player)
            code = self._life.play(self._opener.abandon)
        finally:
            player.terminate()
            deadline = time.monotonic() + LEAVE_SECONDS
            self._opener.abandon()  # the hook may wait for a file of ours to open
            self._hooks.stop(deadline)
            self._leave(deadline)
        if self._options.report is not None:
            self._report.write(self._options.report)
        return self._life.check(code)

    # ---- events ----

    def _attach(self, *, is_playing: bool = False) -> None:
        self._life.film_opened()
        self._is_first = True
        if self._can != "nothing":
            super()._attach(is_playing=is_playing)

    def _on_restart(self) -> None:
        if self._is_first:
            self._life.first_picture()
        super()._on_restart()
