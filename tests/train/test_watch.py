from __future__ import annotations

import io

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from rtvfi.train.watch import BarWatch, line_of

ENTRY = {
    "step": 500, "seconds": 61.4, "rate": 1e-3, "picture": 0.0123, "held": 31.256, "select": 30.5,
}  # fmt: skip


def test_a_validation_is_one_line_for_people() -> None:
    assert line_of(ENTRY) == "step 500  61 s  picture 0.0123  held 31.26  select 30.5"


def test_the_bar_tells_steps_a_smooth_loss_and_the_score_that_chooses() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    columns = (MofNCompleteColumn(), TextColumn("{task.fields[loss]} {task.fields[score]}"))
    progress = Progress(*columns, console=console)
    watch = BarWatch(progress, steps=1000, done=400)
    watch.step(401, {"picture": 1.0, "flow": 5.0})
    watch.step(402, {"picture": 2.0, "flow": 5.0})
    watch.report(ENTRY)
    task = progress.tasks[0]
    assert (task.completed, task.total) == (402, 1000)
    assert task.fields["loss"] == "loss 1.0200"
    assert task.fields["score"] == "30.50 dB"
    assert isinstance(console.file, io.StringIO)
    assert "step 500" in console.file.getvalue()


def test_without_triplets_the_score_is_that_of_drawn_scenes() -> None:
    progress = Progress(console=Console(file=io.StringIO()))
    watch = BarWatch(progress, steps=2, done=0)
    watch.report({name: value for name, value in ENTRY.items() if name != "select"})
    assert progress.tasks[0].fields["score"] == "31.26 dB"
