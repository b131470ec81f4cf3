"""Options that several commands share, and the configuration that they result in."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.cluster.link import Link
from rtvfi.core.clock import seconds_of
from rtvfi.core.errors import UsageError
from rtvfi.core.frame import PIXEL_FORMATS
from rtvfi.core.options import EncodeOptions
from rtvfi.settings.config import Config, presets, resolve_config, user_file
from rtvfi.settings.keys import (
    HWACCELS,
    SETTINGS,
    STYLES,
    Value,
    any_of,
    did_you_mean,
)
from rtvfi.settings.mpv_options import of_command_line
from rtvfi.settings.profile import read_profile
from rtvfi.stream.write.encoders.codecs import CODECS, check_quality, find_codec

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from fractions import Fraction

log = logging.getLogger(__name__)


def add_settings(
    parser: argparse.ArgumentParser, rate: argparse._ActionsContainer | None = None
) -> None:
    """Add the options that can also be set in configuration files.

    Their values are checked by ``config_of``.

    Args:
        parser: where to add them.
        rate: where to add ``--fps`` instead, for instance a mutually exclusive group.
    """
    motion = parser.add_argument_group("motion")
    (rate or motion).add_argument(
        "--fps",
        metavar="RATE",
        help="output frame rate: 2x, 3x, 60, 60000/1001, display (default), vrr, auto (no GPU)",
    )
    add = motion.add_argument
    add("--style", metavar="NAME", help=f"how motion is retimed: {', '.join(STYLES)}")
    add(
        "--passes",
        metavar="0..5",
        help="midpoint passes (frames half way between neighbours) that even out held drawings: "
        "auto (default) or a number",
    )
    add(
        "--tail",
        metavar="NAME",
        help="end of a scene after midpoint passes: hold (default) or stretch",
    )
    add("--cut-threshold", metavar="0..1", help="scene cuts: higher finds more (default 0.3)")
    add = parser.add_argument_group("network").add_argument
    add(
        "--model",
        metavar="ID",
        help='network to use: auto (default), or one that "rtvfi models" lists',
    )
    add_device(add, None)
    add(
        "--selftest",
        metavar="WHEN",
        help="test a GPU before its first use: auto (default), again or off",
    )
    add(
        "--scale",
        dest="flow_scale",
        metavar="SCALE",
        help="size at which motion is estimated: auto (default), 1, 0.5, 0.25, or 1920x1080:1,0.5",
    )
    add(
        "--compile",
        metavar="FORM",
        help="how the network is run: eager (default), compile, graph or auto (measured)",
    )
    add(
        "--overlap",
        metavar="WHEN",
        help="on a GPU, copy pictures while computing others: off (default) or on (experimental)",
    )
    add = parser.add_argument_group("decoding").add_argument
    add("--hwaccel", metavar="NAME", help="hardware decoding: " + ", ".join(HWACCELS))
    add("--vaapi-device", metavar="NODE", help="VA-API render node: auto (default) or a path")
    add(
        "--deinterlace",
        metavar="WHEN",
        help="auto (default): frames flagged as interlaced; on: all; ivtc: undo telecine; off",
    )
    settings = parser.add_argument_group("settings")
    settings.add_argument(
        "--preset", metavar="NAME", help=f"set of defaults: {', '.join(presets())}"
    )
    settings.add_argument(
        "--mpv",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an mpv option; may be repeated",
    )


def add_device(add: Callable[..., object], default: str | None = "auto") -> None:
    """Add ``--device``; ``add`` is the ``add_argument`` of a parser or group."""
    what = "where the network runs: auto (default), cpu, cuda[:N] or rocm[:N]"
    add("--device", metavar="NAME", default=default, help=what)


def add_output(add: Callable[..., object], what: str) -> None:
    """Add ``--output`` of a command that writes pictures.

    Args:
        add: the ``add_argument`` of a parser or group.
        what: the help text.
    """
    add("-o", "--output", required=True, type=Path, metavar="OUT", help=what)


def seconds_given(option: str, text: str | None) -> Fraction | None:
    """The value of ``option`` in seconds; None if it was not given.

    Raises:
        UsageError: it is neither seconds nor [[h:]m:]s.
    """
    seconds = None if text is None else seconds_of(text)
    if text is not None and seconds is None:
        raise UsageError(f'{option} is "{text}", expected seconds (90) or a time (1:30)')
    return seconds


def config_of(arguments: argparse.Namespace, *, is_live: bool = False) -> Config:
    """The configuration resulting from the command line, the preset and the user's file.

    Args:
        arguments: the parsed options of ``add_settings``.
        is_live: the command plays films, so settings that ``rtvfi bench`` saved apply too.

    Raises:
        UsageError: a setting is unknown or has a value that is not allowed.
    """
    said: dict[str, Value] = {
        key: value for key in SETTINGS if (value := getattr(arguments, key)) is not None
    }
    mpv = of_command_line(arguments.mpv)
    profile, why_not = read_profile() if is_live else (None, "")
    if why_not:
        log.info("%s", why_not)
    return resolve_config(said, arguments.preset, user_file(), profile, mpv)


def words_of(arguments: argparse.Namespace) -> list[str]:
    """The parsed options of ``add_settings`` and ``add_encoding`` as words for a child process,
    without ``--mpv`` and ``--force``.
    """
    words = [] if arguments.preset is None else ["--preset", str(arguments.preset)]
    for action in arguments.parser._actions:
        value = getattr(arguments, action.dest, None)
        if action.dest in {*SETTINGS, *_WRITING} and value not in (None, action.default):
            words += [action.option_strings[-1], str(value)]
    return words


_WRITING: Final = frozenset(("encoder", "crf", "preset_encoder", "pix_fmt"))
"""The options of ``add_encoding`` that say how a file is encoded."""


def add_encoding(parser: argparse.ArgumentParser, *, has_force: bool = True) -> None:
    """Add the options of commands that encode video; ``--force`` only if ``has_force``."""
    add = parser.add_argument_group("writing").add_argument
    add("--encoder", metavar="NAME", default="auto", help=f"auto (default), {', '.join(CODECS)}")
    add("--crf", metavar="N", type=float, help="quality on the encoder's scale, lower is better")
    add("--preset-encoder", metavar="NAME", help="the encoder's own preset: veryfast, slow, ...")
    add("--pix-fmt", metavar="NAME", help=f"{', '.join(PIXEL_FORMATS)}; by default the film's own")
    if has_force:
        add("--force", action="store_true", help="overwrite existing files")


def add_link(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that connect to a cluster."""
    add = parser.add_argument_group("cluster encryption").add_argument
    add("--tls-ca", metavar="FILE", help="certificate of the authority that signed the others, PEM")
    add("--tls-cert", metavar="FILE", help="this machine's certificate")
    add("--tls-key", metavar="FILE", help="this machine's key")


def link_of(arguments: argparse.Namespace, address: str) -> Link:
    """The connection to the scheduler at ``address`` with the parsed options of ``add_link``."""
    names = (arguments.tls_ca, arguments.tls_cert, arguments.tls_key)
    return Link(address, *(None if name is None else Path(name) for name in names))


def encode_options(arguments: argparse.Namespace, config: Config) -> EncodeOptions:
    """The parsed options of ``add_encoding``.

    Raises:
        UsageError: the encoder, pixel format or quality does not exist.
    """
    if arguments.encoder != "auto":
        check_quality(find_codec(arguments.encoder), arguments.crf)
    if arguments.pix_fmt is not None and arguments.pix_fmt not in PIXEL_FORMATS:
        raise UsageError(
            f'--pix-fmt is "{arguments.pix_fmt}", expected {any_of(tuple(PIXEL_FORMATS))}',
            did_you_mean(arguments.pix_fmt, tuple(PIXEL_FORMATS)),
        )
    codepage = config.mpv.get("sub-codepage")
    return EncodeOptions(
        encoder=arguments.encoder,
        crf=arguments.crf,
        preset=arguments.preset_encoder,
        pix_fmt=arguments.pix_fmt,
        vaapi_device=str(config["vaapi_device"]),
        sub_codepage=codepage.values[-1] if codepage is not None else "auto",
    )
