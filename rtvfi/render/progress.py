"""The progress of a rendering: a progress bar on the terminal, or JSON."""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from rtvfi.core.clock import clock
from rtvfi.core.errors import first_line
from rtvfi.core.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.progress import TaskID

log = logging.getLogger(__name__)

_EVERY_SECONDS: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A snapshot of a rendering."""

    num_frames: int
    """Frames in the file so far, including those of an earlier, interrupted run."""
    num_made: int
    """Frames rendered in this run."""
    total: int | None
    """Expected number of frames; None if the length of the film is unknown."""
    num_bytes: int
    """Size of the file."""
    stages_ms: Mapping[str, float]
    """Mean time of each stage, milliseconds per frame that it processed."""


class Progress(Protocol):
    """A way to show progress."""

    def show(self, state: State) -> None:
        """Show a new state; called often."""
        ...

    def end(self) -> None:
        """Stop showing; called once, after the last state."""
        ...


class Pace:
    """Computes frames per second and time left, and limits how often they are shown."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = 0.0

    def is_due(self) -> bool:
        """Whether half a second has passed since this last returned True."""
        now = time.monotonic()
        if now - self._shown < _EVERY_SECONDS:
            return False
        self._shown = now
        return True

    def pace(self, state: State) -> tuple[float, float | None]:
        """Frames per second, and seconds left (None if unknown)."""
        passed = max(time.monotonic() - self._began, 1e-6)
        rate = state.num_made / passed
        if state.total is None or not rate:
            return rate, None
        return rate, max(0, state.total - state.num_frames) / rate


class _JsonObjects:
    """Writes each state as a JSON object; ``docs/render.md`` lists its fields."""

    def __init__(self, source: str, target: Path) -> None:
        self.clock = Pace()
        self._last: State | None = None
        self._names = {"input": source, "output": str(target)}

    def show(self, state: State) -> None:
        """Write a state, if the last one is at least half a second old."""
        self._last = state
        if self.clock.is_due():
            self.write(self._object("progress", state))

    def end(self) -> None:
        """Write the last state again, as the end."""
        if self._last is not None:
            self.write(self._object("end", self._last))

    def write(self, text: str) -> None:
        """Write one line of JSON to its destination."""
        raise NotImplementedError

    def _object(self, event: str, state: State) -> str:
        rate, left = self.clock.pace(state)
        fields: dict[str, object] = {
            "event": event,
            **self._names,
            "frames": state.num_frames,
            "total": state.total,
            "fps": round(rate, 2),
            "eta_seconds": None if left is None else round(left, 1),
            "bytes": state.num_bytes,
            "stages_ms": {name: round(ms, 2) for name, ms in state.stages_ms.items()},
        }
        return json.dumps(fields) + "\n"


class JsonProgress(_JsonObjects):
    """Prints one JSON object per line to stdout."""

    def write(self, text: str) -> None:
        """Print a line and flush, so that a reader gets it immediately."""
        sys.stdout.write(text)
        sys.stdout.flush()


class StatusFile(_JsonObjects):
    """Keeps the latest JSON object in a file, which is replaced atomically."""

    def __init__(self, path: Path, source: str, target: Path) -> None:
        super().__init__(source, target)
        self._path: Path | None = path

    def write(self, text: str) -> None:
        """Replace the file; if that fails, log it once and continue without it."""
        if self._path is None:
            return
        try:
            write_whole(self._path, text)
        except OSError as error:
            log.warning('--status "%s" cannot be written: %s', self._path, first_line(error))
            self._path = None


class RichProgress:
    """A progress bar on stderr, if that is a terminal."""

    def __init__(self, source: str, target: Path) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        del source
        self._clock = Pace()
        self._bar = Bar(
            TextColumn("{task.fields[name]}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None
        self._name = target.name
        if self._bar.console.is_terminal:
            self._task = self._bar.add_task("", total=None, name=self._name, text="")
            self._bar.start()

    def show(self, state: State) -> None:
        """Update the bar, at most twice a second."""
        if self._task is None or not self._clock.is_due():
            return
        rate, left = self._clock.pace(state)
        stages = " ".join(f"{name} {ms:.0f}" for name, ms in state.stages_ms.items())
        text = (
            f"{state.num_frames}/{state.total or '?'} frames  {rate:.1f} fps  "
            f"{left_text(left)} left  {state.num_bytes / 1e6:.0f} MB  ({stages} ms)"
        )
        self._bar.update(self._task, total=state.total, completed=state.num_frames, text=text)

    def end(self) -> None:
        """Remove the bar."""
        if self._task is not None:
            self._bar.stop()


def left_text(seconds: float | None) -> str:
    """The time left as ``m:ss``, or a question mark if it is unknown."""
    return "?" if seconds is None else clock(seconds)
