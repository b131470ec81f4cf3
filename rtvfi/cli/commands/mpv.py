"""``rtvfi mpv``: smooth motion inside the user's own mpv, and in players that are made of it."""

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
    """The grammar of ``rtvfi mpv``."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--install", action="store_true", help="put the script into mpv's folder")
    what.add_argument(
        "--remove", "--uninstall", action="store_true", help="take it out of mpv's folder"
    )
    parser.add_argument(
        "--dir",
        metavar="FOLDER",
        type=Path,
        help="mpv's configuration folder, where it is not the usual one",
    )


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi mpv``; returns the exit code."""
    if not (arguments.install or arguments.remove):
        raise UsageError("mpv wants --install or --uninstall", "rtvfi mpv --help")
    folder = arguments.dir or mpv_folder()
    if arguments.install:
        for path in install(folder, launch_words()):
            log.info('"%s" is there', path)
        log.info("the next film in mpv is smooth; Ctrl+i switches it off and on")
        return 0
    gone, left = uninstall(folder)
    for path in gone:
        log.info('"%s" is gone', path)
    for path in left:
        log.info('"%s" has settings of yours and stays', path)
    if not gone:
        log.info('there is no script of rtvfi in "%s"', folder)
    return 0
