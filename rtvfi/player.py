"""The mpv window with our track beside the original, from the first file to the last.

mpv plays the file itself; in its ``on_preloaded`` hook we add the virtual track and select it.
Whatever fails here leaves the file playing as it is. Four threads meet: the main thread waits for
the end; python-mpv's event thread runs the handlers and does nothing that takes time; the hook's
thread opens a file while mpv waits for it; and the worker does what takes time while a film plays:
importing torch, loading models, building a track for another rate.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from rtvfi.core.errors import OpenError, PlayerError, RtvfiError
from rtvfi.core.program import command_line
from rtvfi.playing.front import Front, check
from rtvfi.playing.mpv import screen, trial, window
from rtvfi.playing.mpv.libmpv import InsideDoor, add_hook
from rtvfi.playing.mpv.screen import PlayerGone
from rtvfi.playing.worker import Worker

if TYPE_CHECKING:
    from rtvfi.settings.config import PlayOptions

_LEAVE_SECONDS: Final = 0.5
"""Longest wait at the end for threads that are busy."""
_NO_FILM: Final = (-13, -17)
"""Errors of libmpv that are the file's: it does not load, or is of no known kind."""
_SWITCH_INTERVAL: Final = 0.0005
"""Python's default of 5 ms would let a busy thread keep mpv's reads waiting that long."""


def play(options: PlayOptions) -> int:
    """Play files until the user or the playlist ends.

    Returns:
        0 when something was played, 1 when nothing could be, 130 after Ctrl+C in the terminal.

    Raises:
        RtvfiError: what was asked for cannot run; raised before a window opens.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL)
    check(options)
    return Player(options).run()


class Player(Front):
    """One mpv window and what hangs on it.

    Args:
        options: checked already (``check``).
    """

    _takes_lists = True

    def __init__(self, options: PlayOptions) -> None:
        super().__init__(options)
        self._bad: dict[str, RtvfiError] = {}
        self._num_played = 0
        self._is_window_missing = False
        self._has_begun = False
        """The file under way was counted as played."""
        self._is_over = threading.Event()
        self._can: trial.Can = "lists"
        self._hooks: Worker

    # ---- life ----

    def run(self) -> int:
        """Everything from the first file to the last."""
        files = self._options.files
        self._opener.prefetch(files)
        player = window.open_window(self._options.mpv)
        self.connect(player, InsideDoor(player))
        player.event_callback("shutdown")(lambda _: self._on_shutdown())
        self._hooks = Worker("rtvfi-hook", self._screen.complain, PlayerGone)
        self._can = trial.capacity(str(player.mpv_version))
        self._opener.keeps_shapes &= self._can == "lists"
        if self._can == "nothing":
            self._screen.complain(PlayerError(trial.NOTHING, f"supported: {trial.SUPPORTED}"))
        try:
            add_hook(player, "on_preloaded", self._attach, self._hooks.do)
            self._set_up(player)
            window.load(player, files)
            code = self._wait()
        finally:
            player.terminate()
            deadline = time.monotonic() + _LEAVE_SECONDS
            self._opener.abandon()  # the hook may wait for a file of ours to open
            self._hooks.stop(deadline)
            self._leave(deadline)
        if self._options.report is not None:
            self._report.write(self._options.report)
        if code == 0 and not self._num_played:
            raise next(iter(self._bad.values()), OpenError("nothing could be played"))
        return code

    def _set_up(self, player: Any) -> None:
        """What was asked for besides the options of mpv."""
        options = self._options
        if options.start is not None:
            player["start"] = screen.start_for_mpv(options.start)
        for kind, files in (("sub", options.sub_files), ("audio", options.audio_files)):
            for file in files:
                player.command("change-list", f"{kind}-files", "append", file)

    def _wait(self) -> int:
        """Sleep until the player is over; Ctrl+C and SIGTERM end it in order."""

        def quit_player(_signal: int, _frame: object) -> None:
            self._mpv.command("quit")

        is_main = threading.current_thread() is threading.main_thread()
        previous = signal.signal(signal.SIGTERM, quit_player) if is_main else None
        try:
            self._is_over.wait()
        except KeyboardInterrupt:
            self._mpv.command("quit")
            self._opener.abandon()  # mpv may be waiting for a file of ours to open
            self._is_over.wait(_LEAVE_SECONDS)
            return 130
        finally:
            if is_main:
                signal.signal(signal.SIGTERM, previous)
        return 0

    # ---- events ----

    def _attach(self) -> None:
        self._has_begun = False
        start = self._options.start
        if start is not None and (said := screen.beyond_end(self._mpv, start)):
            self._screen.say(said)
        self._is_first = True
        if self._can != "nothing":
            super()._attach()

    def _on_restart(self) -> None:
        if self._is_first:
            self._num_played += 1
            self._has_begun = True
            self._look_for_window()
        super()._on_restart()

    def _look_for_window(self) -> None:
        """Once: why there is nothing to see."""
        if not self._is_window_missing and window.is_missing(self._mpv):
            self._is_window_missing = True
            hint = f"the sound plays on; {command_line('doctor')} tells more"
            self._screen.complain(PlayerError("no window could be opened (no display?)", hint))

    def _on_end(self, event: Any) -> None:
        super()._on_end(event)
        # A file that mpv cannot open at all ends without coming to the hook.
        had_begun, self._has_begun = self._has_begun, False
        if event.data.reason == event.data.ERROR:
            if had_begun:  # and yet nothing could be shown or heard
                self._num_played -= 1
            name = screen.entry_name(self._mpv, event.data.playlist_entry_id)
            if name not in self._bad:
                is_its_own = event.data.error in _NO_FILM
                hint = "is it a video file?" if is_its_own else command_line("doctor tells more")
                self._bad[name] = OpenError(f'"{name}" cannot be played', hint)
                self._screen.complain(self._bad[name])

    def _on_shutdown(self) -> None:
        self._screen.close()
        self._is_over.set()
