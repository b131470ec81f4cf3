"""Paths of Unix sockets that only this user can reach."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

FOR_MPV: Final = "rtvfi-mpv-"
"""Prefix of a folder that was created only for the socket at which mpv listens."""


def private_folder(prefix: str) -> Path:
    """A folder for sockets that only this user may enter; ``rtvfi.lua`` has the same rule.

    Args:
        prefix: of the name of a new folder, if ``XDG_RUNTIME_DIR`` cannot be used: in containers
            and after ``su`` it may be missing, or another user's.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and Path(runtime).is_dir() and os.access(runtime, os.W_OK | os.X_OK):
        return Path(runtime)
    return Path(tempfile.mkdtemp(prefix=prefix))


def place_for_mpv() -> Path:
    """A path for the socket of the mpv in this process."""
    return private_folder(FOR_MPV) / f"{FOR_MPV}{os.getpid()}.sock"


def remove_socket(path: Path, folder: str) -> None:
    """Delete a socket's path, so that nobody else connects and nothing is left behind.

    Args:
        path: path of the socket.
        folder: prefix of folders that were created only for a socket; such a folder is deleted,
            too.
    """
    with suppress(OSError):
        path.unlink()
    if path.parent.name.startswith(folder):
        with suppress(OSError):
            path.parent.rmdir()
