"""A run of training, whatever is trained: it stops, goes on, and keeps its best weights."""

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
"""Norm to which gradients are cut."""

Net = TypeVar("Net", bound=nn.Module)


class Watch(Protocol):
    """Is told how a run goes."""

    def step(self, step: int, losses: Mapping[str, float]) -> None:
        """``step`` steps are done; the losses are those of the last."""
        ...

    def report(self, entry: Entry) -> None:
        """A validation; ``entry`` as in ``log.jsonl``."""
        ...


class LogWatch:
    """Validations into the program's log."""

    def step(self, step: int, losses: Mapping[str, float]) -> None:
        """``step`` steps are done; the losses are those of the last."""

    def report(self, entry: Entry) -> None:
        """A validation; ``entry`` as in ``log.jsonl``."""
        log.info("%s", dict(entry))


class TrainingRun(Generic[Net]):
    """One run in one folder (see ``RunFolder``); a base class.

    Args:
        net: what is trained, on its device.
        optimizer: of its parameters.
        out: the folder.
    """

    clock: Callable[[], float] = staticmethod(time.monotonic)
    """What ``seconds`` are measured with."""
    num_steps: int
    """At the end, if nothing ends the run before."""
    validate_every: int
    """Steps."""
    checkpoint_every: int = 0
    """Steps that a killed run loses at most; 0: as many as between two validations."""

    averaging: float = 0.999
    """Share of the averaged weights that is kept in the long run."""

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
        """Losses since the last validation, and their count."""
        self.is_stopping = False

    # ---- what is trained, and on what ----

    @property
    def is_done(self) -> bool:
        """Whether this was the last step."""
        return self.step >= self.num_steps

    def rate(self) -> float:
        """The learning rate of the next step."""
        raise NotImplementedError

    def losses(self) -> tuple[Tensor, dict[str, float]]:
        """Of the next step: what to descend, and its parts."""
        raise NotImplementedError

    def scores(self) -> dict[str, float]:
        """Of the averaged weights: ``select``, or else ``held``, chooses the best."""
        raise NotImplementedError

    def check(self, stored: Checkpoint) -> None:
        """Raise WeightsMismatch where a checkpoint is of another network."""

    def described(self) -> dict[str, object]:
        """What a checkpoint says of the run besides its state."""
        return {}

    def begin(self) -> None:
        """Called once the folder is this run's alone."""

    # ---- the run ----

    def resume(self) -> bool:
        """Go on at the last checkpoint; False where there is none.

        Raises:
            WeightsMismatch: it is of another network.
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
        """Let ``run`` keep what there is after the step in hand, and return."""
        self.is_stopping = True

    def run(self) -> None:
        """Train to the end; safe to kill or to suspend at any time."""
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
        """Move the weights; a gradient of NaN or infinity moves nothing."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), _STEEPEST)
        if bool(torch.isfinite(norm)):
            self.optimizer.step()

    @torch.no_grad()
    def _follow(self) -> None:
        """Let the averaged weights follow those of the network."""
        # Young averages forget faster, or they would drag the first random weights along.
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
