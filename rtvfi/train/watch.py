"""Shows the progress of a training run: a progress bar on a terminal, otherwise log lines."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rtvfi.train.plot import Entry
    from rtvfi.train.run import Watch

SMOOTHING = 0.98


class BarWatch:
    """A ``run.Watch`` that shows steps, loss and time left in a bar, and validations above it."""

    def __init__(self, progress: Progress, steps: int, done: int) -> None:
        self._progress = progress
        self._task = progress.add_task("steps", total=steps, completed=done, loss="", score="")
        self._loss: float | None = None

    def step(self, step: int, losses: Mapping[str, float]) -> None:
        """Update the bar with the number of steps and the smoothed loss."""
        new = losses["picture"]
        self._loss = new if self._loss is None else SMOOTHING * self._loss + (1 - SMOOTHING) * new
        self._progress.update(self._task, completed=step, loss=f"loss {self._loss:.4f}")

    def report(self, entry: Entry) -> None:
        """Print a validation above the bar."""
        self._progress.console.print(line_of(entry), highlight=False)
        score = entry.get("select", entry["held"])
        self._progress.update(self._task, score=f"{score:.2f} dB")


def line_of(entry: Entry) -> str:
    """A log entry as readable text."""
    scores = (f"{n} {v:.4g}" for n, v in entry.items() if n not in ("step", "seconds", "rate"))
    return f"step {entry['step']}  {entry['seconds']:.0f} s  {'  '.join(scores)}"


class _Run(Protocol):
    """The part of ``TrainingRun`` that is needed to watch a training."""

    watch: Watch
    step: int
    num_steps: int


@contextmanager
def watching(trainer: _Run) -> Iterator[None]:
    """Show the trainer's progress: with a bar on a terminal, else through its log messages."""
    if not sys.stderr.isatty():
        yield
        return
    progress = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}  {task.fields[score]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with progress:
        trainer.watch = BarWatch(progress, trainer.num_steps, trainer.step)
        yield
