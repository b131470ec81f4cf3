"""File names and identity, natural order, and writing a file atomically."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
"""A JSON object as read from outside: check the type of every value that you take from it."""

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_address(text: str) -> bool:
    """Whether ``text`` is passed to mpv unchanged: a URL, or ``-`` for standard input."""
    return text == "-" or _ADDRESS.match(text) is not None


def is_same(a: str | Path, b: str | Path) -> bool:
    """Whether two paths lead to the same existing file, links included."""
    try:
        return Path(a).samefile(b)  # by device and inode
    except (OSError, ValueError):
        return False


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that compares numbers by value (2 before 10) and ignores case."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", name.casefold())
        if part
    )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Context manager that writes a file atomically.

    Yields the path to write to, ``NAME.part`` beside ``path``. When the block succeeds, that file
    replaces ``path``; otherwise it is deleted. It is in the same folder because a rename is atomic
    only inside one file system.

    Raises:
        OSError: ``path`` cannot be replaced.
    """
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str, errors: str = "strict") -> None:
    """Write UTF-8 text atomically; ``errors`` as in ``str.encode``.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", errors=errors)
