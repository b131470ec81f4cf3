"""Expands the files, folders and URLs of a command line into one list of files to play."""

from __future__ import annotations

import logging
import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import OpenError
from rtvfi.core.files import is_address, natural_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

log = logging.getLogger(__name__)

_VIDEO: Final = re.compile(
    r".+\.(3gp|asf|avi|divx|flv|gif|ivf|m2ts|m2v|m4v|mkv|mov|mp4|mpe?g|mts|mxf|nut|og[mv]|rm|rmvb"
    r"|ts|vob|webm|wmv|y4m)",
    re.IGNORECASE,
)
"""Names that count as videos inside a folder; a file given directly may have any name."""

_LIST: Final = re.compile(r".+\.(7z|cue|edl|iso|m3u8?|pls|rar|zip)", re.IGNORECASE)


def is_list(name: str) -> bool:
    """Whether mpv must unpack a file of that name: a playlist, an archive, a disc image."""
    return _LIST.fullmatch(name) is not None


def expand(arguments: Iterable[str]) -> tuple[str, ...]:
    """All files to play, in order: a folder gives the videos in it, without its subfolders.

    Missing files are logged and left out.

    Raises:
        OpenError: nothing is left to play.
    """
    files: list[str] = []
    bad: list[OpenError] = []
    for argument in arguments:
        try:
            files += _files(argument)
        except OpenError as error:
            bad.append(error)
    if bad and not files:
        raise bad[0]
    for entry in bad:
        log.warning("%s%s", entry.message, f" ({entry.hint})" if entry.hint else "")
    return tuple(files)


def check_there(files: Sequence[str]) -> tuple[str, ...]:
    """Check that files exist; URLs are not checked.

    Returns:
        The files, unchanged.

    Raises:
        OpenError: a file does not exist.
    """
    for file in files:
        if not is_address(file) and not Path(file).exists():
            raise _missing(Path(file))
    return tuple(files)


def _files(argument: str) -> list[str]:
    path = Path(argument)
    try:
        if path.is_dir():
            return _videos(path)
        is_there = is_address(argument) or path.exists()
    except OSError as error:  # for example a name that is too long
        raise OpenError(f'"{argument}" cannot be accessed: {error.strerror}') from error
    if is_there:
        return [argument]
    raise _missing(path)


def _videos(folder: Path) -> list[str]:
    try:
        names = [
            entry.name
            for entry in folder.iterdir()
            if _VIDEO.fullmatch(entry.name) and not entry.name.startswith(".") and entry.is_file()
        ]
    except OSError as error:
        raise OpenError(f'the folder "{folder}" cannot be read: {error.strerror}') from error
    if not names:
        raise OpenError(
            f'there is no video in the folder "{folder}"', hint="name the file itself to play it"
        )
    return [str(folder / name) for name in sorted(names, key=natural_key)]


def _missing(path: Path) -> OpenError:
    hint = ""
    try:
        near = get_close_matches(path.name, [entry.name for entry in path.parent.iterdir()], n=1)
    except OSError:
        near = []
    if near:
        hint = f'did you mean "{path.parent / near[0]}"?'
    return OpenError(f'there is no file "{path}"', hint=hint)
