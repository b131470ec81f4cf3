"""An mpv window of ours whose engine is another process, so that its faults cannot end the film.

The window is libmpv in this process, with the script of ``rtvfi mpv`` in it. The first engine is
started before both (``early.py``). When an engine dies or hangs, the script shows the original and
asks for another one. This process loads no decoder, no model and no torch while the window is open
(the checks of a recording load PyAV). What the engines recorded is joined here after mpv has ended.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.apart import figures
from rtvfi.apart.early import LEAVE_SECONDS
from rtvfi.apart.engines import Engines
from rtvfi.apart.reader import ServedFile
from rtvfi.apart.script import SCRIPT
from rtvfi.apart.sockets import FOR_MPV, place_for_mpv, remove_socket
from rtvfi.core.errors import NoScripts
from rtvfi.playing.mpv import window
from rtvfi.playing.mpv.events import Watch
from rtvfi.playing.mpv.libmpv import StreamProtocol
from rtvfi.playing.mpv.life import Life
from rtvfi.playing.mpv.screen import PlayerGone, Screen, bind
from rtvfi.playing.report import Report
from rtvfi.stream.run.playhead import Playhead
from rtvfi.stream.serve.peer import SCHEME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtvfi.apart.early import EarlyEngine
    from rtvfi.playing.mpv.player import Libmpv, Mpv
    from rtvfi.settings.config import PlayOptions

log = logging.getLogger(__name__)

_ROOTS: Final = (f"{SCHEME}://", "http://127.0.0.1:")
"""The beginnings of the addresses of our tracks."""
_SCRIPT_SECONDS: Final = 10.0
"""Longest wait for the script to be loaded."""
_FINISH_SECONDS: Final = 120.0
"""Longest wait at the end for an engine that is recording: it still writes what waits for the
encoder.
"""


def play_apart(options: PlayOptions, words: Sequence[str], engine: EarlyEngine | None) -> int:
    """Play files until the user or the playlist ends; returns the exit code as ``player.play``.

    Args:
        options: what to play; engines get theirs from ``words``.
        words: command-line options for an engine that the script asks for.
        engine: already started, with checked options; it is ended here.

    Raises:
        NoScripts: libmpv has no Lua; nothing was played.
        RtvfiError: nothing could be played.
    """
    try:
        if options.record is not None:
            from rtvfi.stream.record.recorder import check  # PyAV

            check(options.record, options.files, options.encode, force=options.force)
        with window.only_script(str(SCRIPT)):
            return ApartPlayer(options, engine).run([*words, *_report_words(options)])
    finally:
        if engine is not None:
            engine.close()


def _report_words(options: PlayOptions) -> list[str]:
    """Command-line options of an engine for recording and report, without those of the encoder."""
    words = [] if options.record is None else ["--record", str(options.record)]
    if words or options.report is not None:
        words.append("--figures")
    codepage = options.encode.sub_codepage
    return words if codepage == "auto" else [*words, "--mpv", f"sub-codepage={codepage}"]


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
        self._engines = Engines(self._tell_script)
        self._report = Report()
        self._is_first = False
        self._shown: str | None = None
        """The address of our track while it is on screen; None while the original is."""
        self._own_socket: Path | None = None
        # Made by run().
        self._protocol: StreamProtocol
        self._mpv: Mpv
        self._watch: Watch

    def run(self, words: Sequence[str]) -> int:
        """Play all files; returns the exit code."""
        player = window.open_window(self._options.mpv)
        self._mpv = player
        try:
            self._screen.open(player)
            self._life.begin(player)
            self._watch = Watch(player, Playhead(), self._report, lambda: self._shown)
            player.observe_property("vid", lambda _, number: self._on_track(number))
            player.event_callback("file-loaded")(lambda _: self._on_file())
            player.event_callback("playback-restart")(lambda _: self._on_restart())
            player.event_callback("end-file")(lambda _: self._watch.end_file())
            self._load(player, words)
            code = self._life.play(lambda: None)
        finally:
            self._engines.about_to_leave()
            player.terminate()
            if self._engine is not None:
                self._engine.leave()
            is_recording = self._options.record is not None
            self._engines.leave(_FINISH_SECONDS if is_recording else LEAVE_SECONDS)
            if self._own_socket is not None:  # an engine that died early has left it there
                remove_socket(self._own_socket, FOR_MPV)
        self._finish()
        return self._life.check(code)

    def _introduce(
        self, player: Mpv, engine: EarlyEngine
    ) -> tuple[dict[str, str], Callable[[str], None]]:
        """Prepare a connection between the engine and the script.

        Args:
            player: the window.
            engine: already started.

        Returns:
            The script's settings for that, and what to call with the script's name once it is
            loaded.
        """
        own, listens_at = "", player["input-ipc-server"]
        if not listens_at:
            own = listens_at = str(place_for_mpv())
            player["input-ipc-server"] = own
            self._own_socket = Path(own)
        path = Path(str(player.command("expand-path", listens_at)))
        watch = self._engines.adopt(engine)

        def meet(script: str) -> None:
            engine.meet(path, script)
            watch()

        return {"begun": "yes", "socket": own}, meet

    def _tell_script(self, status: int | None, messages: str) -> None:
        """Report to the script that an engine has ended (on a thread of ``Engines``)."""
        code = "none" if status is None else str(status)
        with suppress(PlayerGone, SystemError):  # mpv, or the script
            self._mpv.command("script-message", "rtvfi-engine-ended", code, messages)

    def _load(self, player: Libmpv, words: Sequence[str]) -> None:
        """Load the script, and wait for it: mpv runs it on a thread of its own, and a film that was
        opened before would begin without our track, and unrecorded.

        Raises:
            NoScripts: this mpv has no Lua.
        """
        settings = {
            "command": json.dumps([sys.executable, "-P", "-m", "rtvfi"]),
            "words": json.dumps([*words]),
            "hosted": "yes",
            "records": "no" if self._options.record is None else "yes",
        }
        with suppress(OSError):  # then engines serve it as any other player
            self._protocol = StreamProtocol(player, SCHEME, ServedFile)
            settings["reads"] = SCHEME
        meet: Callable[[str], None] | None = None
        if self._engine is not None:
            more, meet = self._introduce(player, self._engine)
            settings |= more
        for name, value in settings.items():
            player.command("change-list", "script-opts", "append", f"rtvfi-{name}={value}")
        is_loaded = threading.Event()

        def loaded(script: str) -> None:
            if meet is not None:
                meet(script)
            is_loaded.set()

        engines = self._engines
        messages = {"rtvfi-start-engine": engines.start, "rtvfi-end-engine": engines.end}
        bind(player, {**messages, "rtvfi-script": loaded}, {})
        try:
            player.command("load-script", str(SCRIPT))
        except (SystemError, RuntimeError) as error:
            raise NoScripts("this libmpv runs no scripts", "try --engine inside") from error
        if not is_loaded.wait(_SCRIPT_SECONDS):
            log.warning("mpv has not run our script for a long time: films begin without it")

    def _finish(self) -> None:
        """Make the recording and the report, after mpv and the engines have ended."""
        engines = self._engines.all
        for engine in engines:
            figures.add(self._report, engine.figures)
        ends = [why for engine in engines if (why := engine.early_end)]
        self._report.engines = {"started": len(engines), "ended_early": ends}
        if self._options.record is not None:
            from rtvfi.playing.recording import recorded_apart  # all that renders, torch too

            recording = recorded_apart(self._options, self._screen.say)
            errors = [engine.figures.get("recording_error") for engine in engines]
            recording["error"] = next((e for e in errors if e), recording["error"])
            self._report.recording = recording
        if self._options.report is not None:
            self._report.write(self._options.report)

    def _on_track(self, number: object) -> None:
        """Another video track was selected."""
        # Before the first picture no track is selected yet, whatever number mpv reports.
        chosen = (t for t in self._mpv.track_list if (t["type"], t["id"]) == ("video", number))
        names = (str(track.get("external-filename", "")) for track in chosen)
        self._shown = next((name for name in names if name.startswith(_ROOTS)), None)

    def _on_file(self) -> None:
        self._is_first = True
        self._life.film_opened()

    def _on_restart(self) -> None:
        is_first, self._is_first = self._is_first, False
        self._watch.playback_restart(is_first=is_first)
        if is_first:
            self._life.first_picture()
