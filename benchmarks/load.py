"""What a stretch of work cost: wall time, processor time, and which threads had it. Linux only."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_EVERY_SECONDS = 0.02


@dataclass
class Load:
    """Measures from ``with`` to its end.

    Threads of Python go by their name; those of FFmpeg's decoders are one group, all others in C
    (x264's, torch's) another.
    """

    wall: float = 0.0
    """Seconds."""
    cpu: float = 0.0
    """Of this process and the children it has waited for, s."""
    threads: dict[str, float] = field(default_factory=dict)
    """CPU seconds by group of threads."""

    def __enter__(self) -> Self:
        self._is_over = threading.Event()
        self._seen: dict[int, tuple[str, float]] = {}
        self._look()
        self._before = dict(self._seen)
        self._watcher = threading.Thread(target=self._watch, name="benchmark")
        self._watcher.start()
        self._begin = time.perf_counter(), _cpu()
        return self

    def __exit__(self, *_: object) -> None:
        wall, cpu = self._begin
        self.wall, self.cpu = time.perf_counter() - wall, _cpu() - cpu
        self._is_over.set()
        self._watcher.join()
        for tid, (name, seconds) in self._seen.items():
            self.threads[name] = self.threads.get(name, 0.0) + seconds
            self.threads[name] -= self._before.get(tid, (name, 0.0))[1]

    def _watch(self) -> None:
        while not self._is_over.wait(_EVERY_SECONDS):
            self._look()
        self._look()

    def _look(self) -> None:
        """The newest time of every thread; one that ends between two looks loses its last bit."""
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        for task in Path("/proc/self/task").iterdir():
            try:
                comm, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue
            words = rest.split()
            seconds = (int(words[11]) + int(words[12])) * _TICK
            tid = int(task.name)
            name = names.get(tid) or ("decoder in C" if comm.startswith("av:") else "others in C")
            self._seen[tid] = (self._seen.get(tid, (name, 0.0))[0], seconds)


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
