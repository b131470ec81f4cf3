"""The life of one mpv window of ours: given its files, waited for, ended."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import OpenError, PlayerError, RtvfiError
from rtvfi.core.program import command_line
from rtvfi.playing.mpv import screen, window

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.playing.mpv.player import EndFile, Event, Libmpv
    from rtvfi.playing.mpv.screen import Screen
    from rtvfi.settings.config import PlayOptions

LEAVE_SECONDS: Final = 0.5
"""Longest wait at the end for threads that are busy."""
_NO_FILM: Final = (-13, -17)
"""Errors of libmpv that are the file's: it does not load, or is of no known kind."""
_NO_SOUND: Final = -14
"""The error of libmpv that a film ends with which played without a sound device."""


class Life:
    """What every window of ours does.

    Args:
        options: checked already.
        shown: where things are said.
    """

    def __init__(self, options: PlayOptions, shown: Screen) -> None:
        self._options = options
        self._screen = shown
        self._mpv: Libmpv
        self._bad: dict[str, RtvfiError] = {}
        self._num_played = 0
        self._is_window_missing = False
        self._has_begun = False
        """The file under way was counted as played."""
        self._is_seen = False
        """Its pictures have somewhere to go."""
        self._is_over = threading.Event()

    def begin(self, player: Libmpv) -> None:
        """There is a window now; it is told what was asked for besides the options of mpv.

        Args:
            player: an mpv in this process.
        """
        self._mpv = player
        player.event_callback("shutdown")(lambda _: self._on_shutdown())
        player.event_callback("end-file")(self._film_ended)
        options = self._options
        if options.start is not None:
            player["start"] = screen.start_for_mpv(options.start)
        for kind, files in (("sub", options.sub_files), ("audio", options.audio_files)):
            for file in files:
                player.command("change-list", f"{kind}-files", "append", file)

    def play(self, abandon: Callable[[], None]) -> int:
        """Give mpv its files and sleep until it is over; Ctrl+C and SIGTERM end it in order.

        Args:
            abandon: ends what mpv may be waiting for.

        Returns:
            The exit code.
        """
        window.load(self._mpv, self._options.files)

        def quit_player(_signal: int, _frame: object) -> None:
            self._mpv.command("quit")

        is_main = threading.current_thread() is threading.main_thread()
        previous = signal.signal(signal.SIGTERM, quit_player) if is_main else None
        try:
            self._is_over.wait()
        except KeyboardInterrupt:
            self._mpv.command("quit")
            abandon()
            self._is_over.wait(LEAVE_SECONDS)
            return 130
        finally:
            if is_main:
                signal.signal(signal.SIGTERM, previous)
        return 0

    def check(self, code: int) -> int:
        """The exit code, after everything.

        Raises:
            RtvfiError: nothing could be played.
        """
        if code == 0 and not self._num_played:
            raise next(iter(self._bad.values()), OpenError("nothing could be played"))
        return code

    # ---- events ----

    def film_opened(self) -> None:
        """A file is about to play."""
        self._has_begun = self._is_seen = False
        start = self._options.start
        if start is not None and (said := screen.beyond_end(self._mpv, start)):
            self._screen.say(said)

    def first_picture(self) -> None:
        """A file shows its first picture, or is heard."""
        self._num_played += 1
        self._has_begun = True
        self._is_seen = self._mpv.current_vo is not None
        self._look_for_window()

    def _look_for_window(self) -> None:
        """Once: why there is nothing to see."""
        if not self._is_window_missing and window.is_missing(self._mpv):
            self._is_window_missing = True
            hint = f"the sound plays on; {command_line('doctor')} tells more"
            self._screen.complain(PlayerError("no window could be opened (no display?)", hint))

    def _film_ended(self, event: Event[EndFile]) -> None:
        """The file is over, or could not be played."""
        # A file that mpv cannot open at all ends without coming to the hook.
        had_begun, self._has_begun = self._has_begun, False
        if had_begun and self._is_seen and event.data.error == _NO_SOUND:
            return  # mpv has said it at the start, and showed the film
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
