"""``rtvfi warmup``: selects and compiles GPU kernels before a film needs them.

The lasting results are cached by torch and its libraries in the user's cache folder: compiled
networks, MIOpen's choices, kernels that CUDA translated. Graphs are captured again at every start.
"""

from __future__ import annotations

import logging
import os
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rtvfi.bench.jobs import FILM_RATE, Size
from rtvfi.cli.grammar import add_settings, config_of
from rtvfi.core.errors import UsageError
from rtvfi.core.rates import parse_rate, resolve
from rtvfi.engine.model_host import ModelHost, is_quick
from rtvfi.engine.tuned import choose_kernels
from rtvfi.models.weights.store import find_weights
from rtvfi.settings.config import play_options

if TYPE_CHECKING:
    import argparse

    from rtvfi.engine.build import Viewing
    from rtvfi.settings.config import PlayOptions

SUMMARY: Final = "compile and cache before playing"

log = logging.getLogger(__name__)

DEFAULT_SIZE: Final = "1920x1080"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi warmup``."""
    parser.add_argument(
        "--size",
        metavar="WxH",
        default=DEFAULT_SIZE,
        help=f"film size, or 720p (default {DEFAULT_SIZE})",
    )
    add_settings(parser)


def main(arguments: argparse.Namespace) -> int:
    """Prepare the model and log how long it took; a second run shows the start-up time from now on.

    Returns:
        The exit code.
    """
    try:
        size = Size.of(arguments.size)
    except ValueError:
        raise UsageError(f'--size is "{arguments.size}", expected WxH or 1080p') from None
    options = play_options(config_of(arguments, is_live=True), ())
    find_weights(options.model)
    if not is_quick(options.model):
        begun = time.monotonic()
        import torch

        log.info("torch %s: loaded in %.1f s", torch.__version__, time.monotonic() - begun)
    viewing = sized_viewing(size, options.fps)
    begun = time.monotonic()
    prepare(options, viewing)
    log.info("%s at %s: ready in %.1f s", options.model, size, time.monotonic() - begun)
    return 0


def sized_viewing(size: Size, fps: str) -> Viewing:
    """An imaginary film of that size, interpolated to the rate of ``--fps``."""
    from rtvfi.bench.pictures import film_info, viewing_of

    return viewing_of(film_info(size), resolve(parse_rate(fps), Fraction(FILM_RATE)))


def prepare(options: PlayOptions, viewing: Viewing) -> None:
    """Prepare everything that playback prepares before it shows new frames."""
    # The full search for kernels, which playback skips.
    os.environ.setdefault("MIOPEN_FIND_MODE", "NORMAL")
    host = ModelHost(options.device, options.stream, is_live=True, selftest=options.selftest)
    choose_kernels(host, options.model, viewing)
    executor = host.executor(options.model, viewing)
    host.add_variants(executor, options.model, viewing)
