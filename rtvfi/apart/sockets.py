"""Names of sockets in the file system that only this user can reach. Pure but for the names."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

FOR_MPV: Final = "rtvfi-mpv-"
"""What the name of a folder begins with that holds nothing but a socket mpv listens at."""


def place_for_mpv() -> Path:
    """A name for the socket of the mpv in this process; the script has the same rule."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(runtime) if runtime else Path(tempfile.mkdtemp(prefix=FOR_MPV))
    return folder / f"{FOR_MPV}{os.getpid()}.sock"


def remove_socket(path: Path, folder: str) -> None:
    """Remove a socket's name, so that nobody else connects and nothing is left behind.

    Args:
        path: of the socket.
        folder: what the name of a folder begins with that was made for it alone.
    """
    with suppress(OSError):
        path.unlink()
    if path.parent.name.startswith(folder):
        with suppress(OSError):
            path.parent.rmdir()
