"""Logging: messages for the user on standard error, and on request every message in a file."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import RtvfiError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE_FORMAT: Final = "%(asctime)s.%(msecs)03d %(levelname)-7s %(threadName)s %(name)s: %(message)s"
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters except tab and newline."""


def plain(text: str) -> str:
    """Escape control characters: a file name may contain sequences that a terminal obeys."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


class _Formatter(logging.Formatter):
    """INFO messages unchanged; other levels with their name in front, DEBUG also the module."""

    def format(self, record: logging.LogRecord) -> str:
        text = plain(super().format(record))
        if record.levelno == logging.INFO:
            return text
        origin = f"{record.name}: " if record.levelno < logging.INFO else ""
        return f"{record.levelname.lower()}: {origin}{text}"


def log_file(arguments: Sequence[str]) -> str | None:
    """The value of ``--log-file`` on a command line, found before the line is parsed.

    Raises:
        UsageError: the option has no value.
    """
    words = [*arguments[: arguments.index("--")]] if "--" in arguments else [*arguments]
    name: str | None = None
    for word, after in zip(words, [*words[1:], None], strict=False):
        option, has_value, value = word.partition("=")
        if option == "--log-file":
            name = value if has_value else after
            if not name:
                raise UsageError("--log-file needs the name of a file")
    return name


def configure(*, is_debug: bool, file: str | None = None) -> None:
    """Set up logging for this process.

    Args:
        is_debug: print DEBUG messages on standard error, too.
        file: receives every message of any level; overwritten.

    Raises:
        UsageError: the file exists and is not a log of rtvfi.
        RtvfiError: the file cannot be written.
    """
    screen = logging.StreamHandler()
    screen.setFormatter(_Formatter())
    screen.setLevel(logging.DEBUG if is_debug else logging.INFO)
    handlers: list[logging.Handler] = [screen]
    if file is not None:
        _check_log(file)
        try:
            # A file name may contain bytes that are not UTF-8.
            handlers.append(logging.FileHandler(file, "w", "utf-8", errors="backslashreplace"))
        except OSError as error:
            raise RtvfiError(
                f'the log "{file}" cannot be written: {error.strerror}', "name another --log-file"
            ) from error
        handlers[-1].setFormatter(logging.Formatter(FILE_FORMAT, "%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    is_all = is_debug or file is not None
    logging.getLogger("rtvfi").setLevel(logging.DEBUG if is_all else logging.INFO)


def _check_log(file: str) -> None:
    """Refuse to overwrite anything but a log: ``--log-file film.mkv`` names the film by mistake."""
    try:
        if not Path(file).is_file():
            return
        with Path(file).open("rb") as before:
            head = before.read(16)
    except OSError:
        return
    if head and not re.match(rb"\d\d:\d\d:\d\d\.\d{3} ", head):
        raise UsageError(
            f'"{file}" is not a log of rtvfi and is not overwritten', "name another --log-file"
        )
