"""How far a rendering is: a moving line for people, lines of JSON for programs."""

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
    """In the file so far, taken-over ones included."""
    num_made: int
    """Of them, rendered in this run."""
    total: int | None
    """Expected; None when the length is unknown."""
    num_bytes: int
    """Size of the file."""
    stages_ms: Mapping[str, float]
    """Mean time of each stage per frame it works on."""


class Progress(Protocol):
    """Shows states; called often."""

    def show(self, state: State) -> None:
        """A new state."""
        ...

    def end(self) -> None:
        """Nothing more comes."""
        ...


class Pace:
    """Frames per second and time left, from the states seen."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = 0.0

    def is_due(self) -> bool:
        """Whether half a second has passed since it last was."""
        now = time.monotonic()
        if now - self._shown < _EVERY_SECONDS:
            return False
        self._shown = now
        return True

    def pace(self, state: State) -> tuple[float, float | None]:
        """(Frames per second, seconds left or None)."""
        passed = max(time.monotonic() - self._began, 1e-6)
        rate = state.num_made / passed
        if state.total is None or not rate:
            return rate, None
        return rate, max(0, state.total - state.num_frames) / rate


class _Told:
    """States as one JSON object each; ``docs/render.md`` lists what stands in it."""

    def __init__(self, source: str, target: Path) -> None:
        self.clock = Pace()
        self._last: State | None = None
        self._names = {"input": source, "output": str(target)}

    def show(self, state: State) -> None:
        """A new state."""
        self._last = state
        if self.clock.is_due():
            self.write(self._object("progress", state))

    def end(self) -> None:
        """Nothing more comes."""
        if self._last is not None:
            self.write(self._object("end", self._last))

    def write(self, text: str) -> None:
        """Where it goes."""
        raise NotImplementedError

    def _object(self, event: str, state: State) -> str:
        rate, left = self.clock.pace(state)
        told: dict[str, object] = {
            "event": event,
            **self._names,
            "frames": state.num_frames,
            "total": state.total,
            "fps": round(rate, 2),
            "eta_seconds": None if left is None else round(left, 1),
            "bytes": state.num_bytes,
            "stages_ms": {name: round(ms, 2) for name, ms in state.stages_ms.items()},
        }
        return json.dumps(told) + "\n"


class JsonProgress(_Told):
    """One JSON object per line on standard output."""

    def write(self, text: str) -> None:
        """Whole lines, at once."""
        sys.stdout.write(text)
        sys.stdout.flush()


class StatusFile(_Told):
    """The newest JSON object alone in a file, replaced as a whole, for whoever looks in."""

    def __init__(self, path: Path, source: str, target: Path) -> None:
        super().__init__(source, target)
        self._path: Path | None = path

    def write(self, text: str) -> None:
        """A file that cannot be written is reported once, and does not stop the work."""
        if self._path is None:
            return
        try:
            write_whole(self._path, text)
        except OSError as error:
            log.warning('--status "%s" cannot be written: %s', self._path, first_line(error))
            self._path = None


class RichProgress:
    """A moving line on standard error; nothing when that is no terminal."""

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
        """A new state."""
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
        """Nothing more comes."""
        if self._task is not None:
            self._bar.stop()


def left_text(seconds: float | None) -> str:
    """The time left, as ``m:ss``; a question mark when it is not known."""
    return "?" if seconds is None else clock(seconds)
