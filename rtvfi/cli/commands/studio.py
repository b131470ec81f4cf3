"""``rtvfi studio``: retime the objects of two pictures by hand, in a local web page."""

from __future__ import annotations

from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.cli.grammar import add_device, seconds_given
from rtvfi.core.errors import OpenError, UsageError
from rtvfi.core.program import program

if TYPE_CHECKING:
    import argparse

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.studio.desk import Desk

SUMMARY: Final = "retime the objects of two pictures by hand, in a local web page"
_NEEDED: Final = ("starlette", "uvicorn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi studio``."""
    add = parser.add_argument
    add(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="two pictures, or a film to pick them from; without any, pick them in the page",
    )
    add("--at", metavar="TIME", help="position of the first picture in the film: 90 or 1:30")
    add_device(add)
    add(
        "--sam",
        metavar="CHECKPOINT",
        type=Path,
        help="find objects with Segment Anything, using these weights (default: with GrabCut)",
    )
    add("--port", type=int, default=0, metavar="N", help="port of the page (default: a free one)")
    add("--no-browser", action="store_true", help="only print the URL of the page")


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi studio``; returns the exit code."""
    if len(arguments.files) > 2:
        raise UsageError(f"{len(arguments.files)} files, expected two pictures or one film")
    if arguments.at is not None and len(arguments.files) != 1:
        raise UsageError("--at is for a film")
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the studio needs {' and '.join(missing)}",
            hint=f'{_pip()} install "rtvfi[studio]", or only {" ".join(missing)}',
        )
    from rtvfi.studio.server import browse, opened, serve

    film, ends = _given(arguments.files)
    with opened(film, ends, arguments.device, arguments.sam) as desk:
        if film is not None:
            _pick(desk, seconds_given("--at", arguments.at) or Fraction(0))

        def show(address: str) -> None:
            print(f"{program()} studio: {address}", flush=True)
            print("It ends when the page is closed, or with Ctrl+C.", flush=True)
            if not arguments.no_browser:
                browse(address)

        serve(desk, arguments.port, show)
    return 0


def _pip() -> str:
    return ".venv/bin/pip" if Path(".venv/bin/pip").exists() else "pip"


def _given(files: list[Path]) -> tuple[str | None, tuple[NDArray[np.float32], ...]]:
    """The film, or None, and the two pictures, or none."""
    from rtvfi.stream.write.stills import read_still

    if len(files) == 1:
        return str(files[0]), ()
    stills = [read_still(path).rgb for path in files]
    if len(stills) == 2 and stills[0].shape != stills[1].shape:
        raise UsageError(f'"{files[1]}" and "{files[0]}" differ in size')
    return None, tuple(stills)


def _pick(desk: Desk, at: Fraction) -> None:
    """Pick the frame at ``at`` seconds as the first picture, and the next frame as the second.

    Raises:
        OpenError: there is no next frame.
    """
    first = desk.pick(0, at)
    if desk.pick(1, first.end).time == first.time:
        raise OpenError(f"the film has no frame after {float(at):g} s")
