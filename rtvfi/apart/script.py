"""Our script in the folder of the user's own mpv: put there, brought up to date, taken away."""

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
"""What runs inside mpv."""
_MARK: Final = "-- Smooth motion by rtvfi"
"""How a script of ours begins."""

_SETTINGS: Final = """\
# rtvfi inside mpv: smooth motion for whatever is played. Lines that begin with # are comments;
# a value holds from the next start of mpv on.

# How rtvfi is started; several words as ["one", "two"]. "rtvfi mpv --install" writes this line.
command={command}

# Films are shown smooth from the start; with "no" only after the key Ctrl+i.
#on=yes

# As on the command line of "rtvfi play"; empty: what your own settings of rtvfi say.
#model=
#style=
#fps=

# More options of "rtvfi play", with spaces between them: --device cpu --scale 0.5
#more=

# The keys Ctrl+i, m, f, y, o, where input.conf leaves them free. Others are bound there:
# Alt+i script-binding rtvfi/rtvfi-toggle-key (rtvfi-model-key, -fps-key, -style-key, -stats-key)
#keys=yes

# Seconds that a film waits for rtvfi before it begins as it is.
#wait=15

# Seconds after which an engine that does not answer is ended; after half of them the film goes on
# as it is. Pictures that are due may be missing for half of it and two and a half times as long.
#patience=6

# Gigabytes of memory that an engine may hold; 0: three quarters of all there is.
#memory=0

# An engine on a GPU ends when the film was paused or minimised for so many seconds, and is back
# when it plays again: letgo=gpu; "always" on a processor, too, "never" keeps it.
#letgo=gpu
#rest=30

# A file that gets all messages, for bug reports: ~~/rtvfi.log
#log=
"""


def mpv_folder() -> Path:
    """Where the user's mpv looks for its configuration."""
    home = os.environ.get("MPV_HOME", "")
    if home:
        return Path(home)
    config = os.environ.get("XDG_CONFIG_HOME", "")
    # The specification of these folders takes no relative ones.
    base = Path(config) if config.startswith("/") else Path.home() / ".config"
    return base / "mpv"


def settings(command: list[str]) -> str:
    """The commented settings, all at their defaults but the command."""
    said = command[0] if len(command) == 1 else json.dumps(command, ensure_ascii=False)
    return _SETTINGS.format(command=said)


def install(folder: Path, command: list[str]) -> list[Path]:
    """Put the script and its settings there; settings that are there keep all but the command.

    Args:
        folder: mpv's configuration folder; made where it is missing.
        command: the words that start rtvfi from anywhere.

    Returns:
        What was written.

    Raises:
        RtvfiError: it cannot be written, or another script has the name.
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
    """Take the script away, and the settings where nothing was changed in them.

    Returns:
        What is gone, and what was left.

    Raises:
        RtvfiError: it cannot be removed, or is no script of ours.
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
    """Raise where another script has the name."""
    try:
        begin = script.read_bytes()[: len(_MARK)]
    except FileNotFoundError:
        return
    except OSError as error:
        raise RtvfiError(f'"{script}" cannot be read: {error.strerror}') from error
    if begin != _MARK.encode():
        raise RtvfiError(f'"{script}" is another script and stays as it is', "rename or remove it")


def _is_as_installed(conf: Path) -> bool:
    text = conf.read_text(encoding="utf-8", errors="surrogateescape")
    return re.sub(r"(?m)^command=.*$", "", text) == re.sub(r"(?m)^command=.*$", "", settings(["x"]))
