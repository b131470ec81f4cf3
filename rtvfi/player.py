"""The mpv window with our track beside the original: attaching it, live choices, overlay, report.

mpv plays the file itself; in its ``on_preloaded`` hook we add the virtual track and select it.
Whatever fails here leaves the file playing as it is. Three threads meet: the main thread waits for
the end, python-mpv's event thread runs the handlers below (never slow work), and a worker does what
takes time: importing torch, loading models, building a track for another rate.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from rtvfi import osd, window
from rtvfi.errors import OpenError, RtvfiError
from rtvfi.libmpv import add_hook
from rtvfi.models.weights import find_weights
from rtvfi.opening import NothingToDo, Opener
from rtvfi.remarks import Remarks
from rtvfi.report import Report
from rtvfi.session import ModelHost, Viewing, recorder_for, resolve_device, target_rate
from rtvfi.stream.playhead import Playhead
from rtvfi.stream.rates import RateChoice
from rtvfi.track import Tracks
from rtvfi.wanted import Wanted
from rtvfi.watch import Watch
from rtvfi.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.config import PlayOptions

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.5
"""How often the overlay and the warning of a slow model are looked at."""
_LEAVE_SECONDS: Final = 0.5
"""Longest wait at the end for threads that are busy."""
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
        self._wanted = Wanted.of(options.model, options.fps, options.stream)
        self._playhead = Playhead()
        self._recorder = recorder_for(options, self._say)
        self._opener = Opener(options, self._playhead, self._recorder)
        self._models = ModelHost(options.device, options.stream, is_live=True)
        self._report = Report()
        self._viewing: Viewing | None = None
        self._joined: Viewing | None = None
        """The viewing whose model was asked for."""
        self._bad: dict[str, RtvfiError] = {}
        self._num_played = 0
        self._is_over = threading.Event()
        self._is_overlay_shown = False
        self._looked_at = 0.0
        self._remarks = Remarks(self._say)
        # Made by run(), in this order.
        self._worker: Worker
        self._mpv: Any = None
        self._tracks: Tracks
        self._watch: Watch

    # ---- life ----

    def run(self) -> int:
        """Everything from the first file to the last."""
        files = self._options.files
        self._opener.prefetch(files)
        self._worker = Worker(self._complain)
        self._mpv = player = window.open_window(self._options.mpv)
        self._tracks = Tracks(player)
        self._watch = Watch(player, self._playhead, self._report, self._shown)
        self._observe()
        add_hook(player, "on_preloaded", self._attach)
        if self._options.start is not None:
            player["start"] = self._options.start
        for path in files:
            player.loadfile(path, "append-play")
        code = self._wait()
        player.terminate()
        self._leave()
        if self._options.report is not None:
            self._report.write(self._options.report)
        if code == 0 and not self._num_played:
            raise next(iter(self._bad.values()), OpenError("nothing could be played"))
        return code

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
            return 130
        finally:
            if is_main:
                signal.signal(signal.SIGTERM, previous)
        return 0

    def _observe(self) -> None:
        player = self._mpv
        player.observe_property("time-pos", lambda *_: self._look())
        player.observe_property("display-fps", lambda _, rate: self._on_display(rate))
        player.event_callback("shutdown")(lambda _: self._is_over.set())
        player.event_callback("playback-restart")(lambda _: self._on_restart())
        player.event_callback("end-file")(self._on_end)
        handlers: dict[str, Callable[..., None]] = {
            "rtvfi-toggle": self._toggle,
            "rtvfi-model": self._choose_model,
            "rtvfi-fps": self._choose_rate,
            "rtvfi-style": self._choose_style,
            "rtvfi-stats": self._toggle_overlay,
        }
        window.bind(player, handlers)

    def _shown(self) -> Viewing | None:
        """The viewing on screen; None while the original is."""
        return self._viewing if self._wanted.is_on else None

    def _say(self, text: str) -> None:
        log.info("%s", text)
        self._show(text)

    def _complain(self, error: RtvfiError) -> None:
        log.warning("%s%s", error.message, f" ({error.hint})" if error.hint else "")
        self._show(error.message, 5)

    def _show(self, text: str, seconds: float = 2.5) -> None:
        """On the picture, while there is one: the recorder's last word comes when mpv is gone."""
        if self._mpv is not None and not self._is_over.is_set():
            window.show(self._mpv, text, seconds)

    # ---- attaching ----

    def _attach(self) -> None:
        """The hook: put our track beside the file that is about to play."""
        path = os.fsdecode(self._mpv.raw.path)
        self._viewing = None
        try:
            if self._tracks.begin(path):
                self._attach_to(path)
            else:
                log.info("%s plays as it is", path)
        except NothingToDo as error:
            self._say(error.message)
        except OpenError as error:
            # Nothing to look at: not what this player is for. Everything else still plays in mpv.
            self._bad[path] = error
            self._complain(error)
            self._mpv.command("playlist-next", "force")
        except RtvfiError as error:
            self._complain(error)

    def _attach_to(self, path: str) -> None:
        viewing = self._open(path)
        if self._recorder is not None:
            # Nothing is shown yet: the wait for the model is worth a file without stand-ins.
            self._use_model(viewing)
            self._joined = viewing
        self._tracks.offer(viewing)
        self._viewing = viewing
        self._tracks.choose(ours=self._wanted.is_on, is_playing=False)

    def _open(self, path: str) -> Viewing:
        viewing = self._opener.view(path, self._wanted.rate, self._mpv)
        viewing.stream.on_failure = self._on_failure
        self._retime(viewing)
        return viewing

    # ---- events (python-mpv's thread) ----

    def _look(self) -> None:
        """Now and then: overlay, and whether the model keeps up."""
        viewing, now = self._shown(), time.monotonic()
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        if self._is_overlay_shown:
            self._draw_overlay()
        if viewing is None:
            return
        self._remarks.look(viewing.pipeline.statistics(), self._wanted.model, now)

    def _on_display(self, rate: float | None) -> None:
        """The window came up on a display whose rate was not known before, or moved to another
        one.
        """
        viewing = self._viewing
        if viewing is None or not rate or self._wanted.rate != "display":
            return
        if target_rate(RateChoice("display"), viewing.info, rate) != viewing.target_rate:
            self._worker.do(self._change_grid)

    def _on_restart(self) -> None:
        """Playback begins: a file's first picture, or the end of a seek or switch."""
        if self._watch.playback_restart():
            return
        self._num_played += 1
        viewing = self._viewing
        if viewing is not None and viewing is not self._joined and self._wanted.model != "copy":
            self._joined = viewing
            self._worker.do(partial(self._join_in, viewing))

    def _on_end(self, event: Any) -> None:
        self._fold()
        self._watch.end_file()
        if event.data.reason == event.data.ERROR:
            name = window.entry_name(self._mpv, event.data.playlist_entry_id)
            if name not in self._bad:
                self._bad[name] = OpenError(f'"{name}" cannot be played', "is it a video file?")
                self._complain(self._bad[name])

    def _on_failure(self, error: RtvfiError) -> None:
        """Our decoder or pipeline gave up (mpv's reading thread): mpv goes on with the original."""
        self._worker.do(partial(self._complain, error))
        self._worker.do(partial(self._tracks.choose, ours=False))

    # ---- jobs (worker thread) ----

    def _join_in(self, viewing: Viewing, *, at_once: bool = False) -> None:
        """Hand the wanted model to a viewing; until then it shows source frames."""
        if not at_once:
            # Importing torch keeps the interpreter busy for moments on end; a full stock of frames
            # covers them.
            viewing.pipeline.wait_until_full(1.0)
        if viewing is not self._viewing:
            return
        self._use_model(viewing)
        if at_once:
            self._mpv.command("seek", 0, "relative+exact")

    def _use_model(self, viewing: Viewing) -> None:
        model = self._wanted.model
        if self._wanted.style not in self._wanted.styles:
            self._remarks.once(
                f"{self._wanted.style} needs a model that looks at three frames: plain with {model}"
            )
        viewing.pipeline.use(None if model == "copy" else self._models.executor(model, viewing))

    def _change_grid(self) -> None:
        """Another rate is another track: build it beside the old one, then swap."""
        old = self._viewing
        if old is None:
            return
        viewing = self._open(old.path)
        self._use_model(viewing)
        self._fold()
        before = self._tracks.offer(viewing)
        self._viewing = self._joined = viewing
        self._tracks.choose(ours=self._wanted.is_on)
        self._tracks.remove(before)

    # ---- what the user can ask for while playing ----

    def _toggle(self, *_: str) -> None:
        self._switch(is_on=not self._wanted.is_on)
        self._say("interpolation " + ("on" if self._wanted.is_on else "off"))

    def _switch(self, *, is_on: bool) -> None:
        self._wanted = replace(self._wanted, is_on=is_on)
        self._tracks.choose(ours=is_on)
        if self._watch.is_seeking:
            # mpv may finish the seek on a key frame of the track it switches to.
            self._mpv.command("seek", 0, "relative+exact")

    def _take(self, change: Callable[[str], Wanted], name: str) -> bool:
        """Want something else; False, and said why, when it cannot be had."""
        try:
            self._wanted = change(name)
        except RtvfiError as error:
            self._complain(error)
            return False
        return True

    def _choose_model(self, name: str = "", *_: str) -> None:
        before = self._wanted
        if not self._take(before.with_model, name):
            return
        model = self._wanted.model
        if model == before.model:
            self._say(f"model {model}, no other is here: rtvfi weights get NAME")
            return
        self._say(f"model {model}")
        if self._viewing is not None:
            self._worker.do(partial(self._join_in, self._viewing, at_once=True))

    def _choose_rate(self, text: str = "", *_: str) -> None:
        if not self._take(self._wanted.with_rate, text):
            return
        self._say(f"output rate {self._wanted.rate}")
        self._worker.do(self._change_grid)

    def _choose_style(self, name: str = "", *_: str) -> None:
        before = self._wanted
        if not self._take(before.with_style, name):
            return
        self._say(f"style {self._wanted.live_style}")
        viewing = self._viewing
        if viewing is not None and self._wanted.style != before.style:
            self._retime(viewing)
            if before.is_on:
                self._mpv.command("seek", 0, "relative+exact")
        if self._wanted.is_on != before.is_on:
            self._switch(is_on=self._wanted.is_on)

    def _retime(self, viewing: Viewing) -> None:
        viewing.pipeline.retime(self._wanted.retiming(self._options.stream.passes))

    def _toggle_overlay(self, *_: str) -> None:
        self._is_overlay_shown = not self._is_overlay_shown
        if self._is_overlay_shown:
            self._draw_overlay()
        else:
            window.overlay(self._mpv, None)

    def _draw_overlay(self) -> None:
        viewing = self._shown()
        lines = ["rtvfi: interpolation off"]
        if viewing is not None:
            lines = osd.lines(viewing, self._wanted, str(self._models.device), self._report)
        window.overlay(self._mpv, lines)

    # ---- the end ----

    def _fold(self) -> None:
        """Add the figures of the viewing that ends to the report."""
        viewing, self._viewing = self._viewing, None
        if viewing is None:
            return
        statistics = viewing.pipeline.statistics()
        self._watch.add(viewing.stream, statistics)
        self._report.live = {
            "decoder": statistics.decoder,
            "device": str(self._models.device) if self._models.device else None,
            "model": self._wanted.model,
            "style": self._wanted.live_style,
            "passes": None if statistics.plan is None else statistics.plan.passes,
            "level": statistics.level,
            "source_rate": str(viewing.info.source_rate),
            "target_rate": str(viewing.target_rate),
        }

    def _leave(self) -> None:
        """Stop what still runs, without waiting long for work that hangs."""
        self._fold()
        deadline = time.monotonic() + _LEAVE_SECONDS
        self._worker.stop(deadline)
        self._opener.stop(deadline)
        if self._recorder is not None:
            self._report.recording = self._recorder.close()
