"""``rtvfi serve``: runs the engine in its own process, for a player in another one."""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.apart.memory import go_first
from rtvfi.apart.sockets import FOR_MPV, remove_socket
from rtvfi.cli.grammar import add_encoding, add_settings, config_of, encode_options
from rtvfi.settings.config import play_options

if TYPE_CHECKING:
    import argparse

SUMMARY: Final = "interpolate for a player in another process"

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi serve``."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--control",
        metavar="SOCKET",
        help="create this socket and answer requests there; auto: choose its path and print it",
    )
    where.add_argument(
        "--mpv-socket",
        metavar="SOCKET",
        type=Path,
        help="serve the mpv that listens on this socket (its input-ipc-server), and exit with it",
    )
    add = parser.add_argument
    add("--script", metavar="NAME", default="rtvfi", help="name of rtvfi's script in that mpv")
    add("--script-version", metavar="N", default="", help="protocol version of that script")
    add("--smaller", action="store_true", help="estimate motion at half the usual size")
    add(
        "--own-socket",
        action="store_true",
        help="the socket was created only for this command: remove it after connecting",
    )
    add(
        "--record",
        metavar="OUT.mkv",
        type=Path,
        help="record what that mpv shows, continuing after the engine before; only pieces are "
        'written, which "rtvfi join" joins',
    )
    add("--figures", action="store_true", help="print statistics, one line of JSON at a time")
    add_encoding(parser, has_force=False)
    add_settings(parser)


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi serve``; returns the exit code."""
    # Who has started this process reads its messages and shows them.
    if not logging.getLogger("rtvfi").isEnabledFor(logging.DEBUG):
        logging.getLogger("rtvfi").setLevel(logging.WARNING)
    config = config_of(arguments, is_live=True)
    options = play_options(config, ())
    if arguments.smaller:
        options = replace(options, stream=options.stream.smaller())
    go_first()
    if arguments.control is not None:
        from rtvfi.apart.control import default_path, serve

        path = default_path() if arguments.control == "auto" else Path(arguments.control)
        return serve(options, path, partial(print, flush=True))
    _drop_inherited()
    from rtvfi.apart.attached import attach, connect

    try:
        connection = connect(arguments.mpv_socket)
    finally:
        if arguments.own_socket:
            remove_socket(arguments.mpv_socket, FOR_MPV)
    options = replace(options, record=arguments.record, encode=encode_options(arguments, config))
    return attach(
        options,
        connection,
        arguments.script,
        arguments.script_version,
        tells_figures=arguments.figures,
    )


def _drop_inherited() -> None:
    """Close the sockets inherited from mpv. One of them is the socket that mpv listens on: with it
    open, we would connect to ourselves if mpv was killed, and never notice that it has ended.
    """
    for entry in [*Path("/proc/self/fd").iterdir()]:
        number = int(entry.name)
        with suppress(OSError):
            if number > 2 and stat.S_ISSOCK(os.fstat(number).st_mode):
                os.close(number)
