"""Observes mpv while it plays, for the playhead, the report and reads that are blocked.

Handlers run on python-mpv's event thread and must never wait.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.playing.mpv.player import Mpv
    from rtvfi.playing.report import Report
    from rtvfi.stream.run.parts import Statistics
    from rtvfi.stream.run.playhead import Playhead
    from rtvfi.stream.serve.frame_stream import FrameStream


class Watch:
    """Keeps playhead and report up to date.

    Args:
        player: the mpv.
        playhead: receives every change of mpv's clock.
        report: receives A/V sync, drops, seeks and the time of the first picture.
        shown: returns something while our track is on screen, None while the original is.
    """

    def __init__(
        self, player: Mpv, playhead: Playhead, report: Report, shown: Callable[[], object | None]
    ) -> None:
        self._mpv = player
        self._playhead = playhead
        self.report = report
        self._shown = shown
        self._seek: tuple[float, float] | None = None
        """(target, clock time of its start) of the current seek, seconds."""
        self._num_drops = 0
        observe = player.observe_property
        observe("time-pos", lambda _, seconds: playhead.report(seconds))
        observe("speed", lambda _, speed: playhead.set_speed(speed or 1.0))
        observe("core-idle", lambda _, is_idle: playhead.set_running(is_idle is False))
        observe("avsync", lambda _, seconds: self._on_avsync(seconds))
        observe("frame-drop-count", lambda _, count: self._on_drops(count or 0))
        player.event_callback("seek")(lambda _: self._on_seek())

    @property
    def is_seeking(self) -> bool:
        """Whether a seek is under way."""
        return self._seek is not None

    def end_file(self) -> None:
        """Forget a seek under way, because the file has ended."""
        self._seek = None

    def playback_restart(self, *, is_first: bool) -> None:
        """Playback begins.

        Args:
            is_first: with a file's first picture; otherwise a seek or switch has ended.
        """
        self._playhead.restarted()
        if self.report.first_picture_ms is None:
            self.report.first_picture_ms = process_age_ms()
        if is_first or self._seek is None:
            self._seek = None
            return
        target, began = self._seek
        self._seek = None
        latency = round((time.monotonic() - began) * 1e3, 1)
        self.report.seeks.append({"target": round(target, 3), "latency_ms": latency})

    def _on_avsync(self, seconds: float | None) -> None:
        if seconds is None:
            return
        self._playhead.set_late(seconds)
        if self._seek is None and self._shown() is not None:
            self.report.avsync_ms.append(abs(seconds) * 1e3)

    def _on_drops(self, count: int) -> None:
        """Add dropped frames; mpv counts them per file, starting at 0."""
        self.report.drops += max(0, count - self._num_drops)
        self._num_drops = count

    def _on_seek(self) -> None:
        target = self._mpv.time_pos
        if target is None:
            return
        self._seek = (target, time.monotonic())


def add_viewing(report: Report, stream: FrameStream, statistics: Statistics) -> None:
    """Add the figures of a viewing so far."""
    report.add_counts(statistics.counts, stream.num_asked)
    for name, values in statistics.samples_ms.items():
        report.add_stage(name, values)
    report.add_stage("serve", stream.serve_ms)
    if report.first_interpolated_ms is None and stream.first_synthetic_at is not None:
        age = (time.monotonic() - stream.first_synthetic_at) * 1e3
        report.first_interpolated_ms = process_age_ms() - age


def process_age_ms() -> float:
    """Milliseconds since this process was started, including the interpreter's start (Linux)."""
    fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return (time.clock_gettime(time.CLOCK_BOOTTIME) - started) * 1e3
