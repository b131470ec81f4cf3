"""``rtvfi play``: plays films with interpolation. The player is imported when the command runs."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.apart import early
from rtvfi.cli.grammar import add_encoding, add_settings, config_of, encode_options, words_of
from rtvfi.core import clock
from rtvfi.core.data import data_path
from rtvfi.core.errors import NoScripts, PlayerError, UsageError
from rtvfi.core.program import command_line
from rtvfi.engine.trusted import check_options
from rtvfi.models.catalogue import find
from rtvfi.models.weights.auto import AUTO, better_model
from rtvfi.settings.config import play_options, will_use_gpu
from rtvfi.settings.playlist import check_there, expand

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from rtvfi.settings.config import PlayOptions

SUMMARY: Final = "play files with smooth motion"

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi play``."""
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="files, folders, URLs; without any, the demo"
    )
    add_settings(parser)
    parser.add_argument("--start", metavar="TIME", help="start position: 90, 1:30, 25%%")
    for option, what in (("--sub-file", "subtitles"), ("--audio-file", "sound")):
        parser.add_argument(
            option,
            metavar="FILE",
            action="append",
            default=[],
            help=f"{what} from another file; may be repeated",
        )
    parser.add_argument(
        "--record",
        metavar="OUT.mkv",
        type=Path,
        help="record every frame that is watched to a file",
    )
    parser.add_argument(
        "--record-complete",
        action="store_true",
        help="after playback, add the skipped parts to the recording",
    )
    add_encoding(parser)
    parser.add_argument(
        "--engine",
        choices=("auto", "inside", "apart"),
        default="auto",
        help="where to interpolate: inside the player's process; apart, in a process of its own, "
        "so that a crash does not stop the film; auto (default): apart for a network",
    )
    parser.add_argument(
        "--report",
        metavar="FILE.json",
        type=Path,
        help="write statistics as JSON when playback ends",
    )


def _check_start(start: str | None) -> None:
    if start is not None and not re.fullmatch(rf"[+-]?{clock.PATTERN}|\d+(\.\d+)?%|#\d+", start):
        raise UsageError(
            f'--start is "{start}", expected seconds (90), a time (1:30), a percentage (25%) or '
            "a chapter (#2)"
        )


def _is_apart(arguments: argparse.Namespace, options: PlayOptions) -> bool:
    """Whether the engine runs in its own process: wherever torch is used."""
    if arguments.engine == "auto":
        return not find(options.model).is_torch_free and options.model != "copy"
    return bool(arguments.engine == "apart")


@contextmanager
def _libmpv_wanted() -> Iterator[None]:
    """Turn the error of a missing libmpv into ours; importing python-mpv loads libmpv."""
    try:
        yield
    except OSError as error:
        raise PlayerError(
            "libmpv was not found",
            hint="install the package libmpv2 (Debian, Ubuntu), mpv (Arch) or mpv-libs (Fedora)",
        ) from error


def _apart(options: PlayOptions, words: list[str]) -> Callable[[], int]:
    """Start an engine in a process of its own; returns the function that opens the window.

    Args:
        options: how the films are shown.
        words: the settings as command-line options, for a later engine.

    Raises:
        RtvfiError: the options cannot be carried out.
    """
    is_torch_asked = options.device not in ("auto", "cpu")
    if not is_torch_asked:
        check_options(options)
    engine = early.begin(options)
    if is_torch_asked and engine is not None:  # so that this process does not load torch
        engine.check()
    elif is_torch_asked:
        check_options(options)
    with _libmpv_wanted():
        from rtvfi.apart.own_window import play_apart
    return partial(play_apart, options, words, engine)


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi play``; returns the exit code."""
    _check_start(arguments.start)
    if arguments.record_complete and arguments.record is None:
        raise UsageError("--record-complete needs --record", "add --record OUT.mkv")
    config = config_of(arguments, is_live=True)
    files = expand(arguments.files) or (str(data_path("weights", "demo.mkv")),)
    options = play_options(config, files, arguments.start, arguments.report)
    options = replace(
        options,
        record=arguments.record,
        completes_recording=arguments.record_complete,
        encode=encode_options(arguments, config),
        force=arguments.force,
        sub_files=check_there(arguments.sub_file),
        audio_files=check_there(arguments.audio_file),
    )
    if config.profile is not None:
        log.info("using settings measured by rtvfi bench on %s", config.profile.date)
    elif config.preset.origin == "no GPU":
        log.warning('no GPU was found: using the CPU and the preset "cpu"')
    better = better_model(options.model, is_gpu=will_use_gpu(options.device))
    if better is not None and config["model"] == AUTO:
        hint = command_line(f"weights get {better}")
        log.info("interpolating with %s; %s gives better pictures: %s", options.model, better, hint)
    if _is_apart(arguments, options):
        begin = _apart(options, words_of(arguments))
        try:
            return begin()
        except NoScripts:
            if arguments.engine == "apart":
                raise
            log.debug("libmpv has no Lua: the engine stays inside")
    with _libmpv_wanted():
        from rtvfi.player import play
    return play(options)
