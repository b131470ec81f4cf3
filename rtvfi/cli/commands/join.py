"""``rtvfi join``: repairs a recording whose process was killed, by joining its pieces."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

SUMMARY: Final = "repair a recording that was interrupted"

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi join``."""
    parser.add_argument(
        "file", metavar="OUT.mkv", type=Path, help="the output file of the recording"
    )


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi join``; returns the exit code."""
    from rtvfi.stream.record.rescue import rescue

    for file in rescue(arguments.file):
        log.info(
            '"%s": %d frames, %.2f s to %.2f s of "%s"',
            *(file[key] for key in ("path", "frames", "from", "to", "source")),
        )
    return 0
