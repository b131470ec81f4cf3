"""Runs one mpv window of ours: gives it its files, waits for its end, returns the exit code."""

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
"""libmpv's error codes for a bad file: it cannot be loaded, or has an unknown format."""
_NO_SOUND: Final = -14
"""libmpv's error code at the end of a film that was played without a sound device."""


class Life:
    """The life of a window.

    Args:
        options: already checked.
        shown: shows messages.
    """

    def __init__(self, options: PlayOptions, shown: Screen) -> None:
        self._options = options
        self._screen = shown
        self._mpv: Libmpv
        self._bad: dict[str, RtvfiError] = {}
        self._num_played = 0
        self._is_window_missing = False
        self._has_begun = False
        """The current file was counted as played."""
        self._is_seen = False
        """A window or another output for its pictures exists."""
        self._is_over = threading.Event()

    def begin(self, player: Libmpv) -> None:
        """Set up a new window with those options of ours that are not mpv options.

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
        """Give mpv its files and wait until it ends; Ctrl+C and SIGTERM end it cleanly.

        Args:
            abandon: cancels work that mpv may be waiting for.

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
        """The final exit code.

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
        """A file shows its first picture, or begins to sound."""
        self._num_played += 1
        self._has_begun = True
        self._is_seen = self._mpv.current_vo is not None
        self._look_for_window()

    def _look_for_window(self) -> None:
        """Report once if no window could be opened."""
        if not self._is_window_missing and window.is_missing(self._mpv):
            self._is_window_missing = True
            hint = f"the sound plays on; {command_line('doctor')} tells more"
            self._screen.complain(PlayerError("no window could be opened (no display?)", hint))

    def _film_ended(self, event: Event[EndFile]) -> None:
        """A file has ended, or could not be played."""
        # A file that mpv cannot open at all ends without coming to the hook.
        had_begun, self._has_begun = self._has_begun, False
        if had_begun and self._is_seen and event.data.error == _NO_SOUND:
            return  # mpv reported it at the start, and the film was shown
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
