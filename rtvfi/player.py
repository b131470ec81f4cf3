"""The mpv window with our track beside the original: attaching it, keys, overlay, playhead, report.

mpv plays the file itself; in its ``on_preloaded`` hook we add the virtual track and select it.
Whatever fails here leaves the file playing as it is. Three threads meet: the main thread waits for
the end, python-mpv's event thread runs the handlers below (never slow work), and a worker does
what takes time: importing torch, loading models, building a track for another rate.
"""

from __future__ import annotations

import itertools
import logging
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rtvfi import osd, window
from rtvfi.errors import OpenError, RtvfiError, WeightsMissing
from rtvfi.libmpv import StreamProtocol, add_hook
from rtvfi.models.catalogue import MODELS
from rtvfi.playlist import is_address
from rtvfi.report import Report
from rtvfi.session import (
    ModelHost,
    Place,
    Viewing,
    pipeline_for,
    resolve_device,
    target_rate,
    view,
)
from rtvfi.stream.playhead import Playhead
from rtvfi.stream.rates import RateChoice, parse_rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.config import PlayOptions
    from rtvfi.stream.pipeline import Pipeline

log = logging.getLogger(__name__)

SCHEME: Final = "rtvfi"
_RATES: Final = ("2x", "60", "display")
_OVERLAY_SECONDS: Final = 0.5
_BEHIND_SECONDS: Final = 1.5
_LEAVE_SECONDS: Final = 0.8
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
    from rtvfi.models.weights import find_weights

    find_weights(options.model)
    if options.device not in ("auto", "cpu"):
        resolve_device(options.device)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the live keys change."""

    model: str
    rate: str
    is_on: bool = True


class Worker:
    """One thread for what must not be done on the event thread; jobs run in order."""

    def __init__(self, complain: Callable[[RtvfiError], None]) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._complain = complain
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="rtvfi-worker", daemon=True)
        self._thread.start()

    def do(self, job: Callable[[], None]) -> None:
        """Run ``job`` after those before it."""
        self._jobs.put(job)

    def stop(self, deadline: float) -> None:
        """Drop jobs not begun and wait until ``deadline`` for the one under way."""
        self._is_stopping = True
        self._jobs.put(None)
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None and not self._is_stopping:
            try:
                job()
            except RtvfiError as error:
                self._complain(error)
            except Exception:
                if not self._is_stopping:  # the player may be gone under a job's feet
                    log.exception("a background job failed")


class Player:
    """One mpv window and what hangs on it.

    Args:
        options: checked already (``check``).
        clock: seconds, monotonic.
    """

    def __init__(self, options: PlayOptions) -> None:
        self._options = options
        self._playhead = Playhead()
        self._models = ModelHost(options.device, options.stream)
        self._wanted = Wanted(options.model, options.fps, options.stream.style != "off")
        self._report = Report()
        self._tokens = itertools.count(1)
        self._offered: dict[str, Viewing] = {}
        """Viewings by the URI mpv will open."""
        self._viewing: Viewing | None = None
        self._track: int | None = None
        self._original: int | None = None
        self._prefetched: tuple[str, Pipeline] | None = None
        self._pipelines: list[Pipeline] = []
        """Those whose threads may still run."""
        self._bad: dict[str, RtvfiError] = {}
        self._num_played = 0
        self._is_over = threading.Event()
        self._is_overlay_shown = False
        self._overlay_at = 0.0
        self._behind_since: float | None = None
        self._seek: tuple[float, float] | None = None
        self._base_rotation: int | None = None
        """The user's own video-rotate, to which a file's is added."""
        self._drops = 0
        self._worker: Worker | None = None
        self._mpv: Any = None

    # ---- life ----

    def run(self) -> int:
        """Everything from the first file to the last."""
        files = self._options.files
        self._prefetch(files)
        self._worker = Worker(self._complain)
        self._mpv = player = window.open_window(self._options.mpv)
        protocol = StreamProtocol(player, SCHEME, lambda uri: self._offered.pop(uri).stream)
        self._observe()
        add_hook(player, "on_preloaded", self._attach)
        if self._options.start is not None:
            player["start"] = self._options.start
        for path in files:
            player.loadfile(path, "append-play")
        code = self._wait()
        player.terminate()
        self._leave()
        del protocol  # its callbacks had to outlive the player
        if self._options.report is not None:
            self._report.write(self._options.report)
        if code == 0 and not self._num_played:
            raise next(iter(self._bad.values()), OpenError("nothing could be played"))
        return code

    def _prefetch(self, files: tuple[str, ...]) -> None:
        """Open the first file while mpv starts; a file that is bad and alone never gets a
        window.
        """
        first = files[0]
        if is_address(first):
            return
        pipeline = self._new_pipeline(first)
        try:
            pipeline.open()
        except OpenError:
            pipeline.close()
            if len(files) == 1:
                raise
            return  # mpv meets it in its turn, and it is said then
        except RtvfiError:
            pipeline.close()
            raise
        self._prefetched = (first, pipeline)

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
        head = self._playhead
        player.observe_property("time-pos", lambda _, value: self._on_time(value))
        player.observe_property("avsync", lambda _, value: self._on_avsync(value))
        player.observe_property("speed", lambda _, value: head.set_speed(value or 1.0))
        player.observe_property("core-idle", lambda _, value: head.set_running(value is False))
        player.observe_property("display-fps", lambda _, value: self._on_display(value))
        player.observe_property("frame-drop-count", lambda _, value: self._on_drops(value))
        player.event_callback("shutdown")(lambda _: self._is_over.set())
        player.event_callback("seek")(lambda _: self._on_seek())
        player.event_callback("playback-restart")(lambda _: self._on_restart())
        player.event_callback("end-file")(self._on_end)
        window.bind(
            player,
            {
                "rtvfi-toggle": lambda *_: self._toggle(),
                "rtvfi-model": lambda *args: self._choose_model(*args),
                "rtvfi-fps": lambda *args: self._choose_rate(*args),
                "rtvfi-style": lambda *args: self._choose_style(*args),
                "rtvfi-stats": lambda *_: self._toggle_overlay(),
            },
        )

    def _say(self, text: str) -> None:
        log.info("%s", text)
        window.show(self._mpv, text)

    def _complain(self, error: RtvfiError) -> None:
        log.warning("%s%s", error.message, f" ({error.hint})" if error.hint else "")
        if self._mpv is not None and not self._is_over.is_set():
            window.show(self._mpv, error.message, 5)

    # ---- attaching ----

    def _attach(self) -> None:
        """The hook: put our track beside the file that is about to play."""
        path = os.fsdecode(self._mpv.raw.path)
        self._viewing = self._track = None
        try:
            self._attach_to(path)
        except OpenError as error:
            # Nothing to look at: not what this player is for. Everything else still plays in mpv.
            self._bad[path] = error
            self._complain(error)
            self._mpv.command("playlist-next", "force")
        except RtvfiError as error:
            self._complain(error)

    def _attach_to(self, path: str) -> None:
        videos = [
            track
            for track in self._mpv.track_list
            if track["type"] == "video" and not track.get("albumart") and not track.get("image")
        ]
        if not videos:
            raise OpenError(f'"{path}" holds no video', "rtvfi plays video files")
        # The one mpv would take, and the source takes too.
        self._original = next((t for t in videos if t.get("default")), videos[0])["id"]
        if self._mpv["vid"] not in ("auto", True):
            return  # the user chose a track, or none
        if not Path(path).is_file():
            log.info("%s is not a local file: it plays as it is", path)
            return
        pipeline = self._take_pipeline(path)
        try:
            info = pipeline.open()
            place = self._place(info)
            if place is None:
                pipeline.close()
                return
            viewing = view(pipeline, path, info, self._options.stream, place, self._playhead)
        except BaseException:
            pipeline.stop()
            raise
        self._offer(viewing)
        if self._wanted.is_on:
            self._mpv.file_local["vid"] = self._track
        self._turn()

    def _take_pipeline(self, path: str) -> Pipeline:
        prefetched, self._prefetched = self._prefetched, None
        if prefetched is not None:
            if prefetched[0] == path:
                return prefetched[1]
            prefetched[1].stop()
        return self._new_pipeline(path)

    def _new_pipeline(self, path: str) -> Pipeline:
        options = self._options
        pipeline = pipeline_for(path, options.source, options.stream, self._playhead)
        self._pipelines = [*(p for p in self._pipelines if p.is_running), pipeline]
        return pipeline

    def _place(self, info: Any) -> Place | None:
        """Where the file stands on mpv's clock; None when there is nothing to interpolate."""
        player = self._mpv
        rate = target_rate(parse_rate(self._wanted.rate), info, player.display_fps)
        if rate <= info.source_rate:
            self._say(f"{float(info.source_rate):.5g} fps already: it plays as it is")
            return None
        # The player's figure may be rounded down: a second too long shows the last frame, one too
        # short would lose it.
        length = info.duration or (player.duration and Fraction(player.duration) + 1)
        if not length:
            self._say("length unknown: it plays as it is")
            return None
        start = player.demuxer_start_time or 0.0
        origin = Fraction(round(start * 1_000_000), 1_000_000)
        return Place(rate, origin, length)

    def _offer(self, viewing: Viewing) -> None:
        """Add the track of a viewing to the running file and remember its number."""
        player = self._mpv
        uri = f"{SCHEME}://{next(self._tokens)}"
        self._offered[uri] = viewing
        # A back buffer of raw frames is useless, and a kicked read relies on seeks that reach us.
        player.file_local["demuxer-seekable-cache"] = "no"
        player.command("video-add", uri, "auto", "Interpolated")
        self._track = next(t["id"] for t in player.track_list if t.get("external-filename") == uri)
        self._viewing = viewing

    def _turn(self) -> None:
        """Turn our pictures upright; mpv does so itself for the original."""
        viewing = self._viewing
        if viewing is not None and viewing.info.rotation:
            base = (
                int(self._mpv["video-rotate"] or 0)
                if self._base_rotation is None
                else self._base_rotation
            )
            self._base_rotation = base
            turn = viewing.info.rotation if self._wanted.is_on else 0
            self._mpv.file_local["video-rotate"] = (base + turn) % 360

    # ---- events (python-mpv's thread) ----

    def _on_time(self, seconds: float | None) -> None:
        self._playhead.report(seconds)
        viewing, now = self._viewing, time.monotonic()
        if viewing is None or now - self._overlay_at < _OVERLAY_SECONDS:
            return
        self._overlay_at = now
        statistics = viewing.pipeline.statistics()
        if self._is_overlay_shown:
            self._draw_overlay()
        if not statistics.is_behind or self._mpv.pause:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = now
        elif now - self._behind_since > _BEHIND_SECONDS:
            self._behind_since = now + 30  # said again half a minute later at the earliest
            cost = statistics.cost_ms or 0.0
            self._say(f"{self._wanted.model} is too slow ({cost:.0f} ms): source frames fill in")

    def _on_avsync(self, seconds: float | None) -> None:
        if seconds is None:
            return
        self._playhead.set_late(seconds)
        if self._is_ours_shown() and self._seek is None:
            self._report.avsync_ms.append(abs(seconds) * 1e3)

    def _is_ours_shown(self) -> bool:
        return self._viewing is not None and self._wanted.is_on

    def _on_drops(self, count: int | None) -> None:
        """mpv counts per file and starts again at 0."""
        count = count or 0
        self._report.drops += max(0, count - self._drops)
        self._drops = count

    def _on_display(self, rate: float | None) -> None:
        """The window came up on a display whose rate was not known before, or moved to another
        one.
        """
        viewing = self._viewing
        if viewing is None or not rate or self._wanted.rate != "display":
            return
        if target_rate(RateChoice("display"), viewing.info, rate) != viewing.target_rate:
            self._rebuild()

    def _on_seek(self) -> None:
        target = self._mpv.time_pos
        if target is None:
            return
        self._seek = (target, time.monotonic())
        if self._viewing is not None:
            self._viewing.stream.kick(target)

    def _on_restart(self) -> None:
        """Playback begins: a file's first picture, or the end of a seek."""
        self._playhead.restarted()
        now = time.monotonic()
        if self._report.first_picture_ms is None:
            self._report.first_picture_ms = _process_age_ms()
        if self._seek is not None:
            target, began = self._seek
            self._seek = None
            latency = round((now - began) * 1e3, 1)
            self._report.seeks.append({"target": round(target, 3), "latency_ms": latency})
            return
        self._num_played += 1
        if self._viewing is not None and self._wanted.model != "copy":
            self._do(partial(self._join_in, self._viewing))

    def _on_end(self, event: Any) -> None:
        self._fold()
        self._seek = None
        if event.data.reason == event.data.ERROR:
            path = self._mpv.raw.path
            name = os.fsdecode(path) if path else "the file"
            if name not in self._bad:
                self._bad[name] = OpenError(f'"{name}" cannot be played', "is it a video file?")
                self._complain(self._bad[name])

    # ---- jobs (worker thread) ----

    def _do(self, job: Callable[[], None]) -> None:
        assert self._worker is not None
        self._worker.do(job)

    def _join_in(self, viewing: Viewing, *, at_once: bool = False) -> None:
        """Load the wanted model and hand it to a viewing; until then it shows source frames."""
        model = self._wanted.model
        if not at_once:
            # Importing torch keeps the interpreter busy for moments on end; a full stock of frames
            # covers them.
            viewing.pipeline.wait_until_full(1.0)
        if viewing is not self._viewing:
            return
        viewing.pipeline.use(None if model == "copy" else self._models.executor(model, viewing))
        if at_once:
            self._mpv.command("seek", 0, "relative+exact")

    def _rebuild(self) -> None:
        """Another rate is another grid and another track: build it beside the old one, then
        swap.
        """
        self._do(self._swap_track)

    def _swap_track(self) -> None:
        old, old_track = self._viewing, self._track
        if old is None:
            return
        pipeline = self._new_pipeline(old.path)
        info = pipeline.open()
        place = self._place(info)
        if place is None:
            pipeline.close()
            return
        viewing = view(pipeline, old.path, info, self._options.stream, place, self._playhead)
        if self._wanted.model != "copy":
            pipeline.use(self._models.executor(self._wanted.model, viewing))
        self._fold()
        self._offer(viewing)
        if self._wanted.is_on:
            self._mpv.vid = self._track
        self._mpv.command("video-remove", old_track)

    # ---- what the user can ask for while playing ----

    def _toggle(self) -> None:
        self._wanted = replace(self._wanted, is_on=not self._wanted.is_on)
        if self._track is not None:
            self._mpv.vid = self._track if self._wanted.is_on else self._original
            self._turn()
        self._say("interpolation " + ("on" if self._wanted.is_on else "off"))

    def _choose_model(self, name: str = "") -> None:
        from rtvfi.models.weights import is_available

        here = [name for name, info in MODELS.items() if is_available(info)]
        if name and name not in here:
            self._complain(WeightsMissing(f'model "{name}" is not here', "rtvfi models lists them"))
            return
        current = here.index(self._wanted.model) if self._wanted.model in here else -1
        model = name or here[(current + 1) % len(here)]
        self._wanted = replace(self._wanted, model=model)
        self._say(f"model {model}")
        if self._viewing is not None:
            self._do(partial(self._join_in, self._viewing, at_once=True))

    def _choose_rate(self, text: str = "") -> None:
        try:
            rate = text or _RATES[(_RATES.index(self._wanted.rate) + 1) % len(_RATES)]
            parse_rate(rate)
        except ValueError:
            rate = _RATES[0]  # a rate of the command line is not in the cycle
        except RtvfiError as error:
            self._complain(error)
            return
        self._wanted = replace(self._wanted, rate=rate)
        self._say(f"output rate {rate}")
        self._rebuild()

    def _choose_style(self, name: str = "") -> None:
        if name not in ("", "plain", "off"):
            self._complain(RtvfiError(f'style "{name}" is not known, there are plain and off'))
            return
        if name in ("", "off" if self._wanted.is_on else "plain"):
            self._toggle()

    def _toggle_overlay(self) -> None:
        self._is_overlay_shown = not self._is_overlay_shown
        if self._is_overlay_shown:
            self._draw_overlay()
        else:
            window.overlay(self._mpv, None)

    def _draw_overlay(self) -> None:
        viewing = self._viewing
        if viewing is None or not self._wanted.is_on:
            window.overlay(self._mpv, ["rtvfi: interpolation off"])
            return
        window.overlay(
            self._mpv,
            osd.lines(viewing, self._wanted.model, str(self._models.device), self._report),
        )

    # ---- the end ----

    def _fold(self) -> None:
        """Add the figures of the viewing that ends to the report."""
        viewing, self._viewing = self._viewing, None
        if viewing is None:
            return
        statistics = viewing.pipeline.statistics()
        stream, report = viewing.stream, self._report
        report.add_counts(statistics.counts, stream.num_asked)
        for name, values in statistics.samples_ms.items():
            report.add_stage(name, values)
        report.add_stage("serve", stream.serve_ms)
        if report.first_interpolated_ms is None and stream.first_synthetic_at is not None:
            age = (time.monotonic() - stream.first_synthetic_at) * 1e3
            report.first_interpolated_ms = _process_age_ms() - age
        report.live = {
            "decoder": viewing.info.decoder,
            "device": str(self._models.device),
            "model": self._wanted.model,
            "style": "plain" if self._wanted.is_on else "off",
            "source_rate": str(viewing.info.source_rate),
            "target_rate": str(viewing.target_rate),
        }

    def _leave(self) -> None:
        """Stop what still runs, without waiting long for work that hangs."""
        assert self._worker is not None
        self._fold()
        deadline = time.monotonic() + _LEAVE_SECONDS
        for pipeline in self._pipelines:
            pipeline.stop()
        self._worker.stop(deadline)
        for pipeline in self._pipelines:
            pipeline.close(max(0.0, deadline - time.monotonic()))


def _process_age_ms() -> float:
    """Milliseconds since this process was started, interpreter start included; Linux."""
    fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return (time.clock_gettime(time.CLOCK_BOOTTIME) - started) * 1e3
