"""Files: what a name says, whether two are the same, their order; writing one whole."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
"""An object of JSON as it is read: whoever takes something out of it checks what that is."""

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


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all.

    Gives the name to write to, ``NAME.part`` beside it. When the block ends well, that file takes
    the place of ``path``; else it is removed. It is in the same folder because only inside a file
    system can a name be replaced in one step.

    Raises:
        OSError: it cannot be put in place.
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
    """Write UTF-8 text, whole or not at all; ``errors`` as in ``str.encode``.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", errors=errors)
