"""Keeps an engine apart from taking all memory: it ends before the machine or the kernel must act.

A limit by ``setrlimit`` is of no use: GPU drivers reserve far more addresses than they use.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from rtvfi.core.hardware import machine

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

_FAULT: Final = 70
"""Exit code of an engine that ends itself, hanging or too large: another one may do better."""
_SHARE: Final = 0.75
"""Of all memory, that of a container where there is one."""
_LARGE: Final = 0.25
"""Of all memory: whoever holds less is not why memory runs out."""
_LITTLE: Final = 0.05
"""Of all memory: less than this available means that it runs out."""
_FIRST: Final = 500
"""Thousandths of all memory that the kernel adds to ours when it looks for whom to end."""


def go_first(root: Path = machine.ROOT) -> None:
    """Where memory is used up, the kernel shall end this process, not the player's."""
    path = root / "proc/self/oom_score_adj"
    with suppress(OSError, ValueError):
        if int(path.read_text()) < _FIRST:
            path.write_text(str(_FIRST))


def end(said: str) -> NoReturn:
    """End this process at once, whatever its threads do, with a sentence for whoever started it."""
    log.error("%s", said)
    os._exit(_FAULT)


def held_bytes(root: Path = machine.ROOT) -> int:
    """Memory of this process that nothing but its end gives back: no mapped files."""
    text = machine.read(root / "proc/self/status")
    held = re.findall(r"^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB", text, re.MULTILINE)
    return sum(map(int, held)) << 10


class Bound:
    """What this process may hold.

    Args:
        most: bytes; 0: three quarters of all memory.
        root: of the system's files.
    """

    def __init__(self, most: int = 0, root: Path = machine.ROOT) -> None:
        self._most = most
        self._root = root

    def complaint(self) -> str:
        """A sentence when this process must end; else nothing."""
        held = held_bytes(self._root)
        total, available = machine.memory_bytes(self._root)
        most = self._most or int(total * _SHARE)
        if 0 < most < held:
            return f"rtvfi's engine holds {_gigabytes(held)} and may have {_gigabytes(most)}"
        if held > total * _LARGE and available < total * _LITTLE:
            return f"memory is nearly used up, rtvfi's engine holds {_gigabytes(held)} of it"
        return ""


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
