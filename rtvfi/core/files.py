"""Names of files and addresses: what one is, whether two are the same, in which order they come."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_address(text: str) -> bool:
    """Whether ``text`` is a URL, which goes to mpv as it is (``-``, standard input, does too)."""
    return text == "-" or _ADDRESS.match(text) is not None


def is_same(a: str | Path, b: str | Path) -> bool:
    """Whether two paths lead to one file that is there, through whatever links."""
    try:
        return Path(a).samefile(b)  # by device and inode
    except (OSError, ValueError):
        return False


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that counts numbers as numbers (2 before 10) and ignores case."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", name.casefold())
        if part
    )
