"""The folder of a training run, which remains usable when the process is killed at any moment.

``last.pt`` has the state to continue from, ``best.pt`` the weights with the highest score,
``log.jsonl`` a line per validation, ``log.svg`` a plot of it, ``recipe.toml`` the run's recipe.
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
    """The files of one run. Each is written to a temporary file and renamed, so that readers never
    see a partial one. Only the log grows in place; its readers ignore an incomplete last line.
    """

    def __init__(self, path: Path) -> None:
        """Create the folder; raises UsageError if that is not possible."""
        self.path = path
        self.log = path / "log.jsonl"
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f'the folder "{path}" cannot be created: {error.strerror}',
                "choose another with --out",
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder; raises RtvfiError if another trainer has locked it.

        The kernel holds the lock and releases it when the process ends in any way.
        """
        with (self.path / "lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RtvfiError(
                    f'another process is training in "{self.path}"',
                    "wait for it, or choose another folder with --out",
                ) from error
            yield

    def checkpoint(self) -> Checkpoint | None:
        """The last state stored by ``save_checkpoint``, on the CPU; None in a new folder."""
        path = self.path / "last.pt"
        if not path.exists():
            return None
        stored: Checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        return stored

    def save_checkpoint(self, state: Checkpoint) -> None:
        """Store the state to continue from; it must have the key "step"."""
        _save(dict(state), self.path / "last.pt")

    def save_best(self, weights: Mapping[str, Tensor]) -> None:
        """Store the weights to export."""
        _save(dict(weights), self.path / "best.pt")

    def append(self, entry: Entry) -> None:
        """Append a validation to the log and redraw the plot."""
        with self.log.open("a") as stream:
            stream.write(json.dumps(dict(entry)) + "\n")
        write_whole(self.path / "log.svg", plot_log(read_log(self.log)))

    def trim(self, step: int) -> None:
        """Remove log entries of steps after ``step``, which were lost when the run was killed."""
        if not self.log.exists():
            return
        kept = [entry for entry in read_log(self.log) if entry["step"] <= step]
        write_whole(self.log, "".join(json.dumps(entry) + "\n" for entry in kept))

    def record(self, recipe: Recipe) -> None:
        """Store the recipe. If it has changed, log the changes and keep the old file."""
        path = self.path / "recipe.toml"
        text = recipe_text(recipe)
        if path.exists() and path.read_text() != text:
            changes = changed_keys(read_recipe(path), recipe)
            if changes:
                log.warning("the recipe has changed: %s", ", ".join(changes))
            number = len(list(self.path.glob("recipe-*.toml"))) + 1
            path.rename(self.path / f"recipe-{number}.toml")
        write_whole(path, text)


def _save(value: object, path: Path) -> None:
    with replacing(path) as part, part.open("wb") as stream:
        torch.save(value, stream)
        stream.flush()
        os.fsync(stream.fileno())
