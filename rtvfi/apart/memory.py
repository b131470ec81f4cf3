"""Ends an engine that uses too much memory, before the machine becomes unusable.

A limit with ``setrlimit`` is no use, because GPU drivers reserve far more addresses than they use.
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
"""Exit code of an engine that ends itself because it hangs or is too large; ``rtvfi.lua`` then
starts another one.
"""
_SHARE: Final = 0.75
"""Fraction of all memory (of the container's, if there is a limit) that an engine may hold."""
_LARGE: Final = 0.25
"""Fraction of all memory: an engine that holds less is not why memory runs out."""
_LITTLE: Final = 0.05
"""Fraction of all memory: if less is available, memory is running out."""
_FIRST: Final = 500
"""``oom_score_adj``: thousandths of all memory that the kernel adds to this process's share when it
chooses a process to kill.
"""


def go_first(root: Path = machine.ROOT) -> None:
    """Make the kernel kill this process, and not the player, when memory runs out."""
    path = root / "proc/self/oom_score_adj"
    with suppress(OSError, ValueError):
        if int(path.read_text()) < _FIRST:
            path.write_text(str(_FIRST))


def end(said: str) -> NoReturn:
    """End this process at once, whatever its threads do, with a message for its parent."""
    log.error("%s", said)
    os._exit(_FAULT)


def held_bytes(root: Path = machine.ROOT) -> int:
    """Bytes of memory that only the end of this process can free: without mapped files."""
    text = machine.read(root / "proc/self/status")
    held = re.findall(r"^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB", text, re.MULTILINE)
    return sum(map(int, held)) << 10


class Bound:
    """The memory limit of this process.

    Args:
        most: limit in bytes; 0 = three quarters of all memory.
        root: root of the system's files, for tests.
    """

    def __init__(self, most: int = 0, root: Path = machine.ROOT) -> None:
        self._most = most
        self._root = root

    def complaint(self) -> str:
        """A message if this process must end; else empty."""
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
