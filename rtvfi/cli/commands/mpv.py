"""``rtvfi mpv``: adds interpolation to the user's own mpv, and to players based on it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.apart.script import install, mpv_folder, uninstall
from rtvfi.core.errors import UsageError
from rtvfi.core.program import launch_words

if TYPE_CHECKING:
    import argparse

SUMMARY: Final = "add rtvfi to your own mpv"

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi mpv``."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--install", action="store_true", help="install or update the script in mpv's folder"
    )
    what.add_argument(
        "--remove", "--uninstall", action="store_true", help="remove the script from mpv's folder"
    )
    parser.add_argument(
        "--dir",
        metavar="FOLDER",
        type=Path,
        help="mpv's configuration folder, if it is not the usual one",
    )


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi mpv``; returns the exit code."""
    if not (arguments.install or arguments.remove):
        raise UsageError("rtvfi mpv needs --install or --uninstall", "rtvfi mpv --help")
    folder = arguments.dir or mpv_folder()
    if arguments.install:
        for path in install(folder, launch_words()):
            log.info('installed "%s"', path)
        log.info("mpv interpolates the next film it opens; Ctrl+i switches that off and on")
        return 0
    gone, left = uninstall(folder)
    for path in gone:
        log.info('removed "%s"', path)
    for path in left:
        log.info('kept "%s", because you changed it', path)
    if not gone:
        log.info('rtvfi\'s script is not in "%s"', folder)
    return 0
