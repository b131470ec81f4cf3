"""Worker processes that draw batches of scenes in advance.

A batch depends only on the seed and its number, not on which worker draws it or how many there are.
The textures are drawn once, into a file that all workers map into memory. A worker exits when its
pipe is closed, so it does not outlive its trainer.
"""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from rtvfi.core.errors import RtvfiError
from rtvfi.draw.extras import Props
from rtvfi.draw.scenes import Bank, SceneBatch, Scenes

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from rtvfi.draw.options import SceneOptions

AHEAD = 2
"""Number of batches requested from a worker in advance."""


class SceneWorkers:
    """Like ``Scenes``, but drawn by ``num_workers`` processes, at least one; must be closed.

    Batches should be requested in ascending order with the same ``num_scenes``; other requests
    work, too, but are not drawn in advance.
    """

    def __init__(self, scenes: Scenes, num_workers: int) -> None:
        self.options = scenes.options
        self.seed = scenes.seed
        self._folder = tempfile.TemporaryDirectory(prefix="rtvfi-train-")
        bank = Path(self._folder.name) / "bank.pt"
        torch.save((*scenes.bank[:3], tuple(scenes.bank.props)), bank)
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        self._asked: list[set[tuple[int, int]]] = [set() for _ in range(num_workers)]
        self._drawn: dict[tuple[int, int], SceneBatch] = {}
        for _ in range(num_workers):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work, args=(theirs, self.options, self.seed, bank), daemon=True
            )
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def batch(self, number: int, num_scenes: int) -> SceneBatch:
        """Batch ``number`` at random times, as ``Scenes.batch`` draws it.

        Raises:
            RtvfiError: a worker has died.
        """
        for ahead in range(number, number + AHEAD * len(self._pipes)):
            self._ask(ahead, num_scenes)
        wanted = (number, num_scenes)
        while wanted not in self._drawn:
            self._take(number % len(self._pipes))
        # discard batches that were drawn in advance but skipped
        self._drawn = {key: value for key, value in self._drawn.items() if key[0] >= number}
        return self._drawn.pop(wanted)

    def _ask(self, number: int, num_scenes: int) -> None:
        worker, wanted = number % len(self._pipes), (number, num_scenes)
        if wanted in self._asked[worker] or wanted in self._drawn:
            return
        # Limit the number of outstanding requests: with a pipe that is full in both directions,
        # trainer and worker would wait for each other forever.
        while len(self._asked[worker]) >= 2 * AHEAD:
            self._take(worker)
        try:
            self._pipes[worker].send(wanted)
        except OSError as error:
            raise self._dead(worker) from error
        self._asked[worker].add(wanted)

    def _take(self, worker: int) -> None:
        try:
            wanted, arrays = self._pipes[worker].recv()
        except (EOFError, OSError) as error:
            raise self._dead(worker) from error
        self._asked[worker].discard(wanted)
        self._drawn[wanted] = SceneBatch(*map(torch.from_numpy, arrays))

    def _dead(self, worker: int) -> RtvfiError:
        self._processes[worker].join(1.0)
        code = self._processes[worker].exitcode
        return RtvfiError(
            f"a process that draws scenes has exited with code {code}",
            "run the same command again; --workers 0 draws scenes in the trainer's own process",
        )

    def close(self) -> None:
        """End the workers; may be called several times."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(5.0)
            if process.is_alive():
                process.terminate()
                process.join()
            process.close()
        self._pipes, self._processes = [], []
        self._folder.cleanup()


def _work(pipe: Connection, options: SceneOptions, seed: int, bank: Path) -> None:
    """The main function of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the trainer handles Ctrl-C
    torch.set_num_threads(1)
    backgrounds, sprites, letters, props = torch.load(bank, mmap=True, weights_only=True)
    scenes = Scenes(options, seed, Bank(backgrounds, sprites, letters, Props(*props)))
    while True:
        try:
            number, num_scenes = pipe.recv()
            batch = scenes.batch(number, num_scenes)
            arrays = [tensor.numpy() for tensor in batch]
            pipe.send(((number, num_scenes), arrays))
        except (EOFError, OSError):
            return
