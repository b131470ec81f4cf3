"""The folder of a training run: what is in it, and how it survives a kill at any moment.

``last.pt`` everything to go on from, ``best.pt`` the weights that scored highest, ``log.jsonl`` a
line per validation, ``log.svg`` the same as a picture, ``recipe.toml`` what the run is made by.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from rtvfi.core.errors import RtvfiError, UsageError
from rtvfi.core.files import replacing, write_whole
from rtvfi.train.plot import plot_log, read_log
from rtvfi.train.recipe import changed_keys, read_recipe, recipe_text

Checkpoint = dict[str, Any]
"""What torch stores of a run: numbers, tensors, and states of optimizers and generators."""

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

    from rtvfi.train.plot import Entry
    from rtvfi.train.recipe import Recipe

log = logging.getLogger(__name__)


class RunFolder:
    """One run's files. Each is written aside and renamed, so that nobody ever meets half of one;
    only the log grows in place, and its readers leave out half a line."""

    def __init__(self, path: Path) -> None:
        """Make the folder; raises UsageError where that is not possible."""
        self.path = path
        self.log = path / "log.jsonl"
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f'the folder "{path}" cannot be made: {error.strerror}', "name another with --out"
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other trainers out; raises RtvfiError where one is at work.

        The lock is the kernel's and goes with the process, however it ends.
        """
        with (self.path / "lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RtvfiError(
                    f'another process is training in "{self.path}"',
                    "wait for it, or name another folder with --out",
                ) from error
            yield

    def checkpoint(self) -> Checkpoint | None:
        """What ``save_checkpoint`` stored, on the CPU; None in a fresh folder."""
        path = self.path / "last.pt"
        if not path.exists():
            return None
        stored: Checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        return stored

    def save_checkpoint(self, state: Checkpoint) -> None:
        """Everything that is needed to go on; the log is trimmed to ``state["step"]`` then."""
        _save(dict(state), self.path / "last.pt")

    def save_best(self, weights: Mapping[str, Tensor]) -> None:
        """The weights to export."""
        _save(dict(weights), self.path / "best.pt")

    def append(self, entry: Entry) -> None:
        """A line for the log, and the plot with it."""
        with self.log.open("a") as stream:
            stream.write(json.dumps(dict(entry)) + "\n")
        write_whole(self.path / "log.svg", plot_log(read_log(self.log)))

    def trim(self, step: int) -> None:
        """Forget what the log says of steps after ``step``: a kill came before their
        checkpoint."""
        if not self.log.exists():
            return
        kept = [entry for entry in read_log(self.log) if entry["step"] <= step]
        write_whole(self.log, "".join(json.dumps(entry) + "\n" for entry in kept))

    def record(self, recipe: Recipe) -> None:
        """Write the recipe down; a change since the last time is reported, and the old one kept."""
        path = self.path / "recipe.toml"
        text = recipe_text(recipe)
        if path.exists() and path.read_text() != text:
            changes = changed_keys(read_recipe(path), recipe)
            if changes:
                log.warning("the recipe has changed since: %s", ", ".join(changes))
            number = len(list(self.path.glob("recipe-*.toml"))) + 1
            path.rename(self.path / f"recipe-{number}.toml")
        write_whole(path, text)


def _save(value: object, path: Path) -> None:
    with replacing(path) as part, part.open("wb") as stream:
        torch.save(value, stream)
        stream.flush()
        os.fsync(stream.fileno())
