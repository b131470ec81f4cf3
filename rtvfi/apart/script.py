"""Installs, updates and removes our script in the folder of the user's own mpv."""

from __future__ import annotations

import json
import logging
import os
import re
from pathlib import Path
from typing import Final

from rtvfi.core.errors import RtvfiError
from rtvfi.core.files import write_whole

log = logging.getLogger(__name__)

SCRIPT: Final = Path(__file__).with_name("rtvfi.lua")
"""The script that runs inside mpv."""
_MARK: Final = "-- Smooth motion by rtvfi"
"""First characters of every version of our script, by which it is recognised: do not change them.
"""

_SETTINGS: Final = """\
# rtvfi inside mpv: smooth motion for whatever is played. Lines that begin with # are comments;
# a value holds from the next start of mpv on.

# The command that starts rtvfi; a command of several words is written ["one", "two"].
# "rtvfi mpv --install" writes this line.
command={command}

# yes: films are smooth from the start; no: only after you press Ctrl+i.
#on=yes

# As for "rtvfi play"; empty: the values of your rtvfi configuration.
#model=
#style=
#fps=

# More options of "rtvfi play", separated by spaces: --device cpu --scale 0.5
#more=

# yes: bind Ctrl+i, m, f, y and o, unless input.conf uses them. To use other keys, put lines like
# this one into input.conf: Alt+i script-binding rtvfi/rtvfi-toggle-key
# (also rtvfi-model-key, rtvfi-fps-key, rtvfi-style-key, rtvfi-stats-key).
#keys=yes

# The longest time, in seconds, that a film waits for rtvfi before it begins without it.
#wait=15

# Seconds after which an engine that does not answer is ended. After half of that time the film's
# own pictures are shown. An engine that answers but makes no pictures that are due has half of
# that time, too, before the film's own are shown, and is ended after two and a half times of it.
#patience=6

# Gigabytes of memory that an engine may use; 0: three quarters of the machine's.
#memory=0

# Whether the engine ends when the film has been paused or minimised for `rest` seconds; it starts
# again when the film plays. gpu: if it uses a GPU; always: on a CPU, too; never.
#letgo=gpu
#rest=30

# Write all messages to this file, for bug reports: ~~/rtvfi.log
#log=
"""


def mpv_folder() -> Path:
    """The configuration folder of the user's mpv."""
    home = os.environ.get("MPV_HOME", "")
    if home:
        return Path(home)
    config = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification says that relative paths are ignored.
    base = Path(config) if config.startswith("/") else Path.home() / ".config"
    return base / "mpv"


def settings(command: list[str]) -> str:
    """The commented settings file, all values at their defaults except the command."""
    said = command[0] if len(command) == 1 else json.dumps(command, ensure_ascii=False)
    return _SETTINGS.format(command=said)


def install(folder: Path, command: list[str]) -> list[Path]:
    """Write the script and its settings; existing settings are kept except for the command.

    Args:
        folder: mpv's configuration folder; created if necessary.
        command: program and arguments that start rtvfi from any folder.

    Returns:
        The files written.

    Raises:
        RtvfiError: a file cannot be written, or another script has the name.
    """
    script, conf = _paths(folder)
    _check_ours(script)
    fresh = settings(command)
    try:
        if conf.exists():
            line = fresh[fresh.index("\ncommand=") + 1 :].partition("\n")[0]
            before = conf.read_text(encoding="utf-8", errors="surrogateescape")
            after, count = re.subn(r"(?m)^command=.*$", lambda _: line, before, count=1)
            fresh = after if count else f"{before.rstrip()}\n{line}\n".lstrip()
        for path, text in ((script, SCRIPT.read_text(encoding="utf-8")), (conf, fresh)):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text, errors="surrogateescape")
    except OSError as error:
        raise RtvfiError(
            f'"{error.filename or folder}" cannot be written: {error.strerror}',
            "another folder of mpv is named with --dir",
        ) from error
    return [script, conf]


def uninstall(folder: Path) -> tuple[list[Path], list[Path]]:
    """Remove the script, and also the settings if the user has not changed them.

    Returns:
        (files removed, files kept).

    Raises:
        RtvfiError: a file cannot be removed, or the script is not ours.
    """
    script, conf = _paths(folder)
    _check_ours(script)
    gone, left = [], []
    try:
        for path in (script, conf):
            if not path.exists():
                continue
            if path == conf and not _is_as_installed(conf):
                left.append(path)
                continue
            path.unlink()
            gone.append(path)
    except OSError as error:
        raise RtvfiError(f'"{error.filename}" cannot be removed: {error.strerror}') from error
    return gone, left


def _paths(folder: Path) -> tuple[Path, Path]:
    return folder / "scripts" / "rtvfi.lua", folder / "script-opts" / "rtvfi.conf"


def _check_ours(script: Path) -> None:
    """Raise an error if a script of that name exists and is not ours."""
    try:
        begin = script.read_bytes()[: len(_MARK)]
    except FileNotFoundError:
        return
    except OSError as error:
        raise RtvfiError(f'"{script}" cannot be read: {error.strerror}') from error
    if begin != _MARK.encode():
        raise RtvfiError(
            f'"{script}" is another script and is not overwritten', "rename or remove it"
        )


def _is_as_installed(conf: Path) -> bool:
    text = conf.read_text(encoding="utf-8", errors="surrogateescape")
    return re.sub(r"(?m)^command=.*$", "", text) == re.sub(r"(?m)^command=.*$", "", settings(["x"]))
