"""``rtvfi render``: writes interpolated files. The renderer is imported when the command runs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.cli.grammar import (
    add_encoding,
    add_link,
    add_settings,
    config_of,
    encode_options,
    link_of,
    seconds_given,
)
from rtvfi.core.errors import OpenError, UsageError
from rtvfi.models.safa.rows import ENHANCERS
from rtvfi.settings.config import render_options
from rtvfi.settings.playlist import expand

if TYPE_CHECKING:
    import argparse

SUMMARY: Final = "write files with smooth motion"

_MAX_PICTURE_RATE: Final = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi render``."""
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="files, folders, URLs")
    add("-o", "--output", metavar="OUT", help="file or folder; without it, beside the input")
    add(
        "--ext", metavar="EXT", default="mkv", help="mkv (default), mp4, mov, webm, gif, webp, apng"
    )
    pictures = parser.add_mutually_exclusive_group()
    pictures.add_argument(
        "--png-only", action="store_true", help="write a folder of PNGs instead of a film"
    )
    pictures.add_argument(
        "--keep-pngs", action="store_true", help="write a folder of PNGs beside the film"
    )
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument("--multi", metavar="N", help="N times the frame rate, the same as --fps Nx")
    rate.add_argument("--exp", metavar="N", type=int, help="2^N times the frame rate")
    add_settings(parser, rate)
    add(
        "--vfr",
        metavar="HOW",
        choices=("grid", "keep"),
        default="grid",
        help="grid (default): constant frame rate; keep: the film's times, new frames in between",
    )
    add("--uhd", action="store_true", help="the same as --scale 0.5")
    add(
        "--enhance",
        metavar="NAME",
        choices=ENHANCERS,
        help="restore every picture first: safa; without --fps or --model nothing is interpolated",
    )
    add("--montage", action="store_true", help="show source and result side by side")
    add("--start", metavar="TIME", help="start position: 90 or 1:30")
    add("--end", metavar="TIME", help="end position")
    add("--in-fps", metavar="RATE", help="frame rate of numbered pictures in a folder")
    add("--no-audio", action="store_true", help="write no sound")
    add_encoding(parser)
    add("--resume", action="store_true", help="fail unless an interrupted rendering can be resumed")
    add("--json", action="store_true", help="print progress as JSON, one object per line")
    add("--status", metavar="OUT", help="keep the latest of those objects in a file")
    _add_cluster_arguments(parser)


def _add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for rendering on other machines."""
    add = parser.add_argument
    add("--on", metavar="ADDRESS", help="render on the workers of a cluster, see docs/cluster.md")
    add("--send", action="store_true", help="with --on: send films that a worker cannot access")
    add_link(parser)


def _picture_rate(text: str | None) -> Fraction | None:
    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= _MAX_PICTURE_RATE:
        raise UsageError(f'--in-fps is "{text}", expected pictures per second: 24 or 24000/1001')
    return rate


def _inputs(arguments: list[str], *, has_pictures: bool) -> tuple[str, ...]:
    """The films to render; with ``has_pictures`` (``--in-fps``) each folder is one film."""
    if has_pictures and all(Path(argument).is_dir() for argument in arguments):
        return tuple(arguments)
    if has_pictures:
        raise UsageError(
            "--in-fps is for folders of pictures, but a file was given", "leave it out"
        )
    try:
        return expand(arguments)
    except OpenError as error:
        if any(Path(argument).is_dir() for argument in arguments):
            raise OpenError(error.message, "a folder of pictures needs --in-fps 24") from error
        raise


def _output(text: str | None) -> Path | None:
    """The output file or folder; if the name ends in a slash, the folder is created."""
    if text is None:
        return None
    path = Path(text)
    if text.endswith("/"):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f'-o "{text}" cannot be created: {error.strerror}') from error
    return path


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi render``; returns the exit code."""
    if arguments.exp is not None:
        if not 0 <= arguments.exp <= 4:
            raise UsageError(f'--exp is "{arguments.exp}", expected 0 to 4')
        arguments.multi = 2**arguments.exp
    if arguments.multi is not None:
        arguments.fps = f"{arguments.multi}x"
    if arguments.uhd and arguments.flow_scale is None:
        arguments.flow_scale = "0.5"
    if arguments.enhance and arguments.fps is None and arguments.model is None:
        arguments.fps, arguments.model = "1x", "copy"
    picture_rate = _picture_rate(arguments.in_fps)
    config = config_of(arguments)
    options = render_options(
        config,
        _inputs(arguments.files, has_pictures=picture_rate is not None),
        encode_options(arguments, config),
    )
    if picture_rate is not None:
        options = replace(options, encode=replace(options.encode, is_for_players=True))
    options = replace(
        options,
        source=replace(options.source, picture_rate=picture_rate),
        output=_output(arguments.output),
        extension="." + arguments.ext.lstrip("."),
        start=seconds_given("--start", arguments.start) or Fraction(0),
        end=seconds_given("--end", arguments.end),
        has_audio=not arguments.no_audio,
        force=arguments.force,
        must_resume=arguments.resume,
        keeps_times=arguments.vfr == "keep",
        is_json=arguments.json,
        status=Path(arguments.status) if arguments.status else None,
        is_png_only=arguments.png_only,
        keeps_pngs=arguments.keep_pngs,
        is_montage=arguments.montage,
        enhance=arguments.enhance,
    )
    if arguments.on is not None:
        from rtvfi.cluster.client import render_on

        return render_on(options, link_of(arguments, arguments.on), sends=arguments.send)
    if arguments.send or arguments.tls_ca or arguments.tls_cert or arguments.tls_key:
        raise UsageError("--send and --tls-* need --on ADDRESS")
    from rtvfi.render.render import render

    return render(options)
