"""The mpv window with our track beside the original, from the first file to the last.

mpv plays the file itself; in its ``on_preloaded`` hook we add the virtual track and select it.
Whatever fails here leaves the file playing as it is. Four threads meet: the main thread waits for
the end; python-mpv's event thread runs the handlers and does nothing that takes time; the hook's
thread opens a file while mpv waits for it; and the worker does what takes time while a film plays:
importing torch, loading models, building a track for another rate.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from rtvfi.core.errors import OpenError, PlayerError, RtvfiError
from rtvfi.core.program import command_line
from rtvfi.engine.device import resolve_device
from rtvfi.models.weights.store import find_weights
from rtvfi.playing.controls import Controls
from rtvfi.playing.mpv import window
from rtvfi.playing.mpv.events import Watch
from rtvfi.playing.mpv.libmpv import PlayerGone, add_hook
from rtvfi.playing.mpv.window import Screen
from rtvfi.playing.opening import NothingToDo, Opener
from rtvfi.playing.recording import recorder_for
from rtvfi.playing.report import Report
from rtvfi.playing.showing import Showing
from rtvfi.playing.wanted import Choice, Wanted
from rtvfi.playing.worker import Worker
from rtvfi.stream.run.playhead import Playhead

if TYPE_CHECKING:
    from rtvfi.engine.build import Viewing
    from rtvfi.settings.config import PlayOptions

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.5
"""How often the overlay and the warning of a slow model are looked at."""
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


def check(options: PlayOptions) -> None:
    """Refuse what cannot run while there is no window yet.

    Raises:
        WeightsMissing, DeviceError, UsageError: said in one sentence.
    """
    find_weights(options.model)
    if options.device not in ("auto", "cpu"):
        resolve_device(options.device)


class Player:
    """One mpv window and what hangs on it.

    Args:
        options: checked already (``check``).
    """

    def __init__(self, options: PlayOptions) -> None:
        self._options = options
        self._screen = Screen()
        self._playhead = Playhead()
        self._recorder = recorder_for(options, self._screen.say)
        self._opener = Opener(options, self._playhead, self._recorder)
        self._report = Report()
        self._choice = Choice(Wanted.of(options.model, options.fps, options.stream))
        self._bad: dict[str, RtvfiError] = {}
        self._num_played = 0
        self._is_window_missing = False
        self._is_first = False
        """The file under way has not shown a picture yet."""
        self._has_begun = False
        """It was counted as played."""
        self._is_over = threading.Event()
        self._looked_at = 0.0
        # Made by run(), in this order.
        self._mpv: Any = None
        self._showing: Showing
        self._watch: Watch
        self._controls: Controls
        self._hooks: Worker

    # ---- life ----

    def run(self) -> int:
        """Everything from the first file to the last."""
        files = self._options.files
        self._opener.prefetch(files)
        self._mpv = player = window.open_window(self._options.mpv)
        self._screen.open(player)
        self._showing = showing = Showing(
            player, self._options, self._opener, self._screen, self._choice
        )
        showing.finished = self._fold
        self._watch = Watch(player, self._playhead, self._report, lambda: showing.shown)
        self._controls = Controls(player, self._choice, showing, self._screen, self._watch)
        self._observe()
        self._hooks = Worker("rtvfi-hook", self._screen.complain, PlayerGone)
        try:
            add_hook(player, "on_preloaded", self._attach, self._hooks.do)
            self._set_up(player)
            window.load(player, files)
            code = self._wait()
        finally:
            player.terminate()
            self._leave()
        if self._options.report is not None:
            self._report.write(self._options.report)
        if code == 0 and not self._num_played:
            raise next(iter(self._bad.values()), OpenError("nothing could be played"))
        return code

    def _set_up(self, player: Any) -> None:
        """What was asked for besides the options of mpv."""
        options = self._options
        if options.start is not None:
            player["start"] = window.start_for_mpv(options.start)
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

    def _observe(self) -> None:
        player, showing = self._mpv, self._showing
        player.observe_property("time-pos", lambda *_: self._look())
        player.observe_property("vid", lambda *_: showing.selected())
        player.observe_property("display-fps", lambda _, rate: self._on_display(rate))
        player.observe_property(
            "window-minimized", lambda _, is_hidden: showing.rest(is_hidden=bool(is_hidden))
        )
        player.event_callback("shutdown")(lambda _: self._on_shutdown())
        player.event_callback("playback-restart")(lambda _: self._on_restart())
        player.event_callback("end-file")(self._on_end)

    def _attach(self) -> None:
        """The hook, on its own thread: put our track beside the file that is about to play."""
        path = os.fsdecode(self._mpv.raw.path)
        self._is_first, self._has_begun = True, False
        start = self._options.start
        if start is not None and (said := window.beyond_end(self._mpv, start)):
            self._screen.say(said)
        try:
            self._showing.attach(path)
        except NothingToDo as reason:
            self._screen.say(reason.message)
        except RtvfiError as error:
            self._screen.complain(error)

    # ---- events (python-mpv's thread) ----

    def _look(self) -> None:
        """Now and then: overlay, and whether the model keeps up."""
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._controls.draw_overlay()
            self._showing.look(now)

    def _on_display(self, rate: float | None) -> None:
        """The window came up on a display whose rate was not known before, or moved to another
        one.
        """
        viewing = self._showing.viewing
        wanted = self._choice.now.rate
        if viewing is None or not rate or wanted not in ("display", "auto"):
            return
        if self._opener.rate_of(viewing.info, wanted, rate) != viewing.target_rate:
            self._showing.change_rate()

    def _on_restart(self) -> None:
        """Playback begins: a file's first picture, or the end of a seek or switch."""
        # With a place to begin at, mpv tells of a seek before the first picture.
        is_first, self._is_first = self._is_first, False
        self._watch.playback_restart(is_first=is_first)
        self._showing.settled()
        if is_first:
            self._num_played += 1
            self._has_begun = True
            self._look_for_window()
            self._showing.join()

    def _look_for_window(self) -> None:
        """Once: why there is nothing to see."""
        if not self._is_window_missing and window.is_missing(self._mpv):
            self._is_window_missing = True
            hint = f"the sound plays on; {command_line('doctor')} tells more"
            self._screen.complain(PlayerError("no window could be opened (no display?)", hint))

    def _on_end(self, event: Any) -> None:
        self._showing.end_file()
        self._watch.end_file()
        # A file that mpv cannot open at all ends without coming to the hook.
        had_begun, self._has_begun = self._has_begun, False
        if event.data.reason == event.data.ERROR:
            if had_begun:  # and yet nothing could be shown or heard
                self._num_played -= 1
            name = window.entry_name(self._mpv, event.data.playlist_entry_id)
            if name not in self._bad:
                is_its_own = event.data.error in _NO_FILM
                hint = "is it a video file?" if is_its_own else command_line("doctor tells more")
                self._bad[name] = OpenError(f'"{name}" cannot be played', hint)
                self._screen.complain(self._bad[name])

    def _on_shutdown(self) -> None:
        self._screen.close()
        self._is_over.set()

    # ---- the end ----

    def _fold(self, viewing: Viewing) -> None:
        """Add the figures of a viewing that ends to the report (any thread, one at a time)."""
        showing, statistics = self._showing, viewing.pipeline.statistics()
        self._watch.add(viewing.stream, statistics)
        self._report.live = {
            "decoder": statistics.decoder,
            "device": showing.model.place,
            "model": self._choice.now.model,
            "style": self._choice.now.live_style,
            "passes": None if statistics.plan is None else statistics.plan.passes,
            "level": statistics.standing.level,
            "levels": max(0, len(statistics.standing.steps) - 1),
            "given_up": statistics.standing.given_up,
            "failure": None if showing.model.failure is None else showing.model.failure.message,
            "source_rate": str(viewing.info.source_rate),
            "target_rate": str(viewing.target_rate),
        }

    def _leave(self) -> None:
        """Stop what still runs, without waiting long for work that hangs."""
        self._showing.end_file()
        deadline = time.monotonic() + _LEAVE_SECONDS
        self._opener.abandon()
        self._hooks.stop(deadline)
        self._showing.stop(deadline)
        self._opener.stop(deadline)
        if self._recorder is not None:
            self._report.recording = self._recorder.close()
