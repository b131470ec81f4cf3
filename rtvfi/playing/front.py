"""Controls one mpv, in this process or another: takes its events; gives tracks, messages, numbers.

Handlers of events run on the player's event thread and must return at once; ``attach`` runs while
mpv waits in its ``on_preloaded`` hook, and may take time. If anything here fails, the file plays
without interpolation.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import RtvfiError
from rtvfi.playing.controls import Controls
from rtvfi.playing.mpv.display import Display
from rtvfi.playing.mpv.events import Watch, add_viewing
from rtvfi.playing.mpv.screen import Screen
from rtvfi.playing.opening import NothingToDo, Opener
from rtvfi.playing.recording import recorder_for
from rtvfi.playing.report import Fact, Report
from rtvfi.playing.showing import Showing
from rtvfi.playing.wanted import Choice, Wanted
from rtvfi.stream.run.playhead import Playhead

if TYPE_CHECKING:
    from rtvfi.engine.build import Viewing
    from rtvfi.playing.mpv.player import Mpv
    from rtvfi.playing.track import Door
    from rtvfi.settings.config import PlayOptions
    from rtvfi.stream.record.recorder import Recorder
    from rtvfi.stream.run.parts import Statistics

_LOOK_SECONDS: Final = 0.5
"""Seconds between two updates of the overlay and checks for a slow model."""
_SWITCH_INTERVAL: Final = 0.0005
"""Python's default of 5 ms would let a busy thread keep mpv's reads waiting that long."""


class Front:
    """Controls one mpv: create it first, then ``connect`` it to the player.

    Args:
        options: already checked with ``check_options``.
    """

    _takes_lists = False
    """The player accepts an EDL of several of our files as one track."""

    def __init__(self, options: PlayOptions) -> None:
        self._options = options
        self._screen = Screen()
        self._playhead = Playhead()
        self._recorder = self._make_recorder()
        self._opener = Opener(
            options, self._playhead, self._recorder, keeps_shapes=self._takes_lists
        )
        self._display = Display(self._on_display)
        self._opener.display_rate = lambda player: self._display.rate or player.display_fps
        self._report = Report()
        self._choice = Choice(Wanted.of(options.model, options.fps, options.stream))
        self._is_first = False
        """The current file has not shown a picture yet."""
        self._looked_at = 0.0
        # Made by connect(), in this order.
        self._mpv: Mpv
        self._showing: Showing
        self._watch: Watch
        self._controls: Controls

    def _make_recorder(self) -> Recorder | None:
        """What records the viewing, if that was asked for."""
        return recorder_for(self._options, self._screen.say)

    def connect(self, player: Mpv, door: Door) -> None:
        """Connect to a player.

        Args:
            player: an mpv, in this process or another.
            door: makes our tracks available to it.
        """
        sys.setswitchinterval(_SWITCH_INTERVAL)
        self._mpv = player
        self._screen.open(player)
        self._showing = showing = Showing(player, door, self._opener, self._screen, self._choice)
        showing.finished = self._add_to_report
        self._watch = Watch(player, self._playhead, self._report, lambda: showing.shown)
        self._controls = Controls(player, self._choice, showing, self._screen, self._watch)
        player.observe_property("time-pos", lambda *_: self._look())
        player.observe_property("vid", lambda *_: showing.selected())
        player.observe_property(
            "display-fps", lambda _, rate: self._display.tell(rate, time.monotonic())
        )
        player.observe_property(
            "window-minimized", lambda _, is_hidden: showing.rest(is_hidden=bool(is_hidden))
        )
        player.event_callback("seek")(lambda _: showing.sought())
        player.event_callback("playback-restart")(lambda _: self._on_restart())
        player.event_callback("end-file")(lambda _: self._on_end())

    def _attach(self, *, is_playing: bool = False) -> None:
        """Add our track to the file about to play; runs in mpv's hook, on a thread of its own.

        Args:
            is_playing: the file plays already, and mpv does not wait.
        """
        path = os.fsdecode(self._mpv.raw.path)
        self._is_first = True
        try:
            self._showing.attach(path, is_playing=is_playing)
        except NothingToDo as reason:
            self._screen.say(reason.message)
        except RtvfiError as error:
            self._screen.complain(error)

    # ---- events ----

    def _look(self) -> None:
        """Update the overlay, and check whether the model keeps up; called periodically."""
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._controls.draw_overlay()
            self._showing.look(now)
            self._display.look(self._mpv, now)

    def _on_display(self, rate: float) -> None:
        """Adapt the output grid to a new display rate: after the window opened or moved, or when
        the reported rate turned out wrong.
        """
        viewing = self._showing.viewing
        wanted = self._choice.now.rate
        if viewing is None or wanted not in ("display", "auto", "vrr"):
            return
        if self._opener.rate_of(viewing.info, wanted, rate) != viewing.target_rate:
            self._showing.change_rate()

    def _on_restart(self) -> None:
        """Playback begins: at a file's first picture, or at the end of a seek or switch."""
        # With a start position, mpv reports a seek before the first picture.
        is_first, self._is_first = self._is_first, False
        self._watch.playback_restart(is_first=is_first)
        self._showing.settled()
        if is_first:
            self._display.restart(time.monotonic())
            self._showing.join()

    def _on_end(self) -> None:
        """The file has ended."""
        self._showing.end_file()
        self._watch.end_file()

    # ---- the end ----

    def _add_to_report(self, viewing: Viewing) -> None:
        """Add the numbers of a finished viewing to the report (any thread, one at a time)."""
        statistics = viewing.pipeline.statistics()
        add_viewing(self._report, viewing.stream, statistics)
        self._report.live = self._live_facts(viewing, statistics)

    def _live_facts(self, viewing: Viewing, statistics: Statistics) -> dict[str, Fact]:
        """What is in use (model, device, rates, ...), for the JSON report."""
        showing = self._showing
        return {
            "decoder": statistics.decoder,
            "device": showing.model.host.place,
            "dtype": showing.model.host.dtype,
            "selftest": showing.model.host.remark,
            "flow_scale": showing.model.host.scale,
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

    def _leave(self, deadline: float) -> None:
        """Stop everything; wait for threads no longer than until ``deadline`` (monotonic)."""
        self._showing.end_file()
        self._opener.abandon()
        self._showing.stop(deadline)
        self._opener.stop(deadline)
        if self._recorder is not None:
            self._report.recording = self._recorder.close()
