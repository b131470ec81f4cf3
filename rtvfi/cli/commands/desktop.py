"""``rtvfi desktop``: adds rtvfi to the desktop's menu and to the programs that open video files.

Source: the Desktop Entry Specification 1.5 of freedesktop.org.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import RtvfiError
from rtvfi.core.files import write_whole
from rtvfi.core.program import command_line, launch_words

if TYPE_CHECKING:
    import argparse

SUMMARY: Final = "add rtvfi to the desktop menu"

log = logging.getLogger(__name__)

MIME_TYPES: Final = (
    *("video/mp4", "video/mpeg", "video/mp2t", "video/ogg", "video/quicktime", "video/webm"),
    *("video/x-flv", "video/x-matroska", "video/x-ms-asf", "video/x-ms-wmv", "video/x-msvideo"),
    *("video/3gpp", "video/vnd.avi", "video/x-theora+ogg", "video/x-ogm+ogg"),
)
_RESERVED: Final = '"`$\\'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi desktop``."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--install", action="store_true", help="install the desktop entry")
    what.add_argument(
        "--remove", "--uninstall", action="store_true", help="remove the desktop entry"
    )


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi desktop``; returns the exit code."""
    path = entry_path()
    if not (arguments.install or arguments.remove):
        sys.stdout.write(entry(launch_words()))
        return 0
    if arguments.remove and not path.exists():
        log.info('there is no "%s"', path)
        return 0
    try:
        if arguments.install:
            _write(path, entry(launch_words()))
        else:
            path.unlink()
    except OSError as error:
        raise RtvfiError(
            f'"{path}" cannot be changed: {error.strerror}',
            command_line("desktop without options prints the entry, to be saved elsewhere"),
        ) from error
    log.info('"%s" was %s', path, "installed" if arguments.install else "removed")
    _update(path.parent)
    return 0


def entry_path() -> Path:
    """The path of the entry in the user's own applications folder."""
    data = os.environ.get("XDG_DATA_HOME", "")
    # The XDG Base Directory Specification says to ignore relative paths.
    base = Path(data) if data.startswith("/") else Path.home() / ".local" / "share"
    return base / "applications" / "rtvfi.desktop"


def entry(words: list[str]) -> str:
    """The text of the desktop entry.

    Args:
        words: the command line up to, and without, ``play``.
    """
    program = " ".join(map(_quoted, words))
    return f"""\
[Desktop Entry]
Type=Application
Version=1.0
Name=rtvfi
GenericName=Video player
GenericName[de]=Videoabspieler
Comment=Plays films with smooth motion
Comment[de]=Spielt Filme mit weichen Bewegungen ab
Exec={program} play -- %U
Icon=video-x-generic
Terminal=false
Categories=AudioVideo;Video;Player;
Keywords=anime;film;interpolation;mpv;
MimeType={";".join(MIME_TYPES)};
StartupNotify=true
"""


def _quoted(word: str) -> str:
    """A word of Exec: quoted as the specification requires, then escaped like any value."""
    inner = "".join("\\" + letter if letter in _RESERVED else letter for letter in word)
    return f'"{inner}"'.replace("\\", "\\\\").replace("%", "%%")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text, errors="surrogateescape")


def _update(folder: Path) -> None:
    """Update the index that some desktops read instead of the folder."""
    program = shutil.which("update-desktop-database")
    if program is not None:
        subprocess.run([program, "--", str(folder)], check=False, capture_output=True)
