"""The training loop shared by all networks: resumable, and keeping the best weights."""

from __future__ import annotations

import copy
import logging
import time
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

import torch
from torch import nn

from rtvfi.train.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

    from rtvfi.train.folder import Checkpoint
    from rtvfi.train.plot import Entry

log = logging.getLogger(__name__)

_STEEPEST: Final = 1.0
"""Maximum norm of gradients."""

Net = TypeVar("Net", bound=nn.Module)


class Watch(Protocol):
    """An observer of a run."""

    def step(self, step: int, losses: Mapping[str, float]) -> None:
        """Called after every step with the number of steps so far and the step's losses."""
        ...

    def report(self, entry: Entry) -> None:
        """Called after every validation with its entry of ``log.jsonl``."""
        ...


class LogWatch:
    """Writes validations to the program's log."""

    def step(self, step: int, losses: Mapping[str, float]) -> None:
        """Does nothing."""

    def report(self, entry: Entry) -> None:
        """Log a validation."""
        log.info("%s", dict(entry))


class TrainingRun(Generic[Net]):
    """A base class for training runs; each has its folder, see ``RunFolder``.

    Args:
        net: the network to train, on its device.
        optimizer: the optimiser of its parameters.
        out: folder of the run.
    """

    clock: Callable[[], float] = staticmethod(time.monotonic)
    """The clock that ``seconds`` is measured with."""
    num_steps: int
    """Number of steps of the whole run."""
    validate_every: int
    """Steps between validations."""
    checkpoint_every: int = 0
    """Steps between checkpoints; 0 = a checkpoint at every validation."""

    averaging: float = 0.999
    """Decay of the averaged weights after the first steps."""

    def __init__(self, net: Net, optimizer: torch.optim.Optimizer, out: Path) -> None:
        self.net = net
        self.average = copy.deepcopy(net).eval().requires_grad_(False)
        self.optimizer = optimizer
        self.folder = RunFolder(out)
        self.watch: Watch = LogWatch()
        self.step = 0
        self.seconds = 0.0
        self.best = float("-inf")
        self.sums: dict[str, float] = {}
        """Sums of the losses since the last validation, and their count."""
        self.is_stopping = False

    # ---- for subclasses ----

    @property
    def is_done(self) -> bool:
        """Whether the last step has been done."""
        return self.step >= self.num_steps

    def rate(self) -> float:
        """The learning rate of the next step."""
        raise NotImplementedError

    def losses(self) -> tuple[Tensor, dict[str, float]]:
        """The loss of the next step, and its parts by name."""
        raise NotImplementedError

    def scores(self) -> dict[str, float]:
        """Validate the averaged weights.

        Returns:
            Scores by name. The best weights are those with the highest "select" or, without it,
            "held".
        """
        raise NotImplementedError

    def check(self, stored: Checkpoint) -> None:
        """Raise WeightsMismatch if a checkpoint belongs to another network."""

    def described(self) -> dict[str, object]:
        """What a checkpoint stores besides the state of the training."""
        return {}

    def begin(self) -> None:
        """Called after the folder has been locked, before the first step."""

    # ---- the run ----

    def resume(self) -> bool:
        """Continue from the last checkpoint; returns False if there is none.

        Raises:
            WeightsMismatch: the checkpoint belongs to another network.
        """
        stored = self.folder.checkpoint()
        if stored is not None:
            self.check(stored)
        self.folder.trim(stored["step"] if stored else 0)
        if stored is None:
            return False
        self.net.load_state_dict(stored["net"])
        self.average.load_state_dict(stored["average"])
        self.optimizer.load_state_dict(stored["optimizer"])
        self.step, self.seconds, self.best = stored["step"], stored["seconds"], stored["best"]
        self.sums = stored.get("sums", {})
        return True

    def stop(self) -> None:
        """Make ``run`` write a checkpoint after the current step, and return."""
        self.is_stopping = True

    def run(self) -> None:
        """Train to the end; the process may be killed or suspended at any time."""
        with self.folder.locked():
            self.begin()
            while not self.is_done and not self.is_stopping:
                started = self.clock()
                losses = self._train_step()
                self.seconds += self.clock() - started
                for name, value in {**losses, "count": 1}.items():
                    self.sums[name] = self.sums.get(name, 0.0) + value
                self.watch.step(self.step, losses)
                if self.step % self.validate_every == 0 or self.is_done:
                    self._report()
                    self._keep()
                elif self.checkpoint_every and self.step % self.checkpoint_every == 0:
                    self._keep()
            if self.is_stopping:
                self._keep()

    def _train_step(self) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        loss, parts = self.losses()
        self._descend(loss)
        self.step += 1
        self._follow()
        return parts

    def _descend(self, loss: Tensor) -> None:
        """Update the weights, unless the gradient contains NaN or infinity."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), _STEEPEST)
        if bool(torch.isfinite(norm)):
            self.optimizer.step()

    @torch.no_grad()
    def _follow(self) -> None:
        """Update the averaged weights."""
        # The decay is lower at first, so that the random initial weights are forgotten quickly.
        keep = min(self.averaging, (1 + self.step) / (10 + self.step))
        for mean, current in zip(self.average.parameters(), self.net.parameters(), strict=True):
            mean.lerp_(current, 1 - keep)

    def _report(self) -> None:
        count = self.sums.pop("count", 1.0)
        losses = {name: value / count for name, value in self.sums.items()}
        self.sums = {}
        scores = self.scores()
        entry = {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "rate": self.rate(),
            **{name: round(value, 4) for name, value in {**losses, **scores}.items()},
        }
        self.folder.append(entry)
        self.watch.report(entry)
        score = scores.get("select", scores["held"])
        if score > self.best:
            self.best = score
            self.folder.save_best(self.average.state_dict())

    def _keep(self) -> None:
        self.folder.save_checkpoint(
            {
                **self.described(),
                "net": self.net.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "best": self.best,
                "sums": self.sums,
            }
        )
