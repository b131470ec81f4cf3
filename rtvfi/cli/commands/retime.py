"""``rtvfi retime``: interpolates between two pictures, each object moving at its own pace.

A mask marks the pixels of an object in the first picture; its curve gives the fraction of the
object's path that is covered at each time. Everything outside the masks moves evenly.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.cli.grammar import add_device, add_output
from rtvfi.core.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rtvfi.models.interpany.curve import Curve
    from rtvfi.stream.write.stills import Moving

SUMMARY: Final = "interpolate between two pictures, each object at its own pace"
ANIMATIONS: Final[dict[str, Moving]] = {
    ".gif": "gif",
    ".webp": "webp",
    ".apng": "apng",
    ".mp4": "mp4",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi retime``."""
    add = parser.add_argument
    add("files", nargs=2, type=Path, metavar="FILE", help="the first and the last picture")
    add_output(add, "a .gif, .webp, .apng or .mp4, or a folder for numbered pictures")
    add(
        "--mask",
        action="append",
        default=[],
        type=Path,
        metavar="MASK.png",
        help="an object's pixels in the first picture, in white; may be given several times",
    )
    add(
        "--curve",
        action="append",
        default=[],
        metavar='"T,D T,D ..."',
        help='time and distance (0 to 1) of the --mask before it, as in "0,0 0.3,0.8 1,1"',
    )
    add("--count", type=int, default=9, metavar="N", help="new pictures (default 9)")
    add(
        "--model",
        default="interpany-rife-dr-pro",
        metavar="ID",
        help="network to use (default interpany-rife-dr-pro)",
    )
    add("--iters", type=int, metavar="N", help="steps per picture, with a reference (default 2)")
    add_device(add)
    add(
        "--fps", type=Fraction, default=Fraction(10), metavar="RATE", help="frame rate (default 10)"
    )
    add("-y", "--force", action="store_true", help="overwrite existing files")


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi retime``; returns the exit code."""
    count, output = arguments.count, arguments.output
    curves = _curves(arguments.mask, arguments.curve)
    kind = ANIMATIONS.get(output.suffix.lower())
    _check(arguments, kind)
    from rtvfi.render.between import Between, read_map
    from rtvfi.render.paces import paced
    from rtvfi.stream.write.stills import read_still, write_animation, write_png

    first, last = (read_still(path) for path in arguments.files)
    size = (first.rgb.shape[0], first.rgb.shape[1])
    if first.rgb.shape != last.rgb.shape:
        raise UsageError(f'"{arguments.files[1]}" and "{arguments.files[0]}" differ in size')
    masks = [read_map(path, size)[0, 0] > 0.5 for path in arguments.mask]
    between = Between(arguments.model, arguments.device, size, arguments.iters)
    objects = list(zip(masks, curves, strict=True))
    made = paced(between, (first.rgb, last.rgb), objects, count)
    shown = [first.rgb, *made, last.rgb]
    if kind is not None:
        write_animation(output, shown, kind, arguments.fps)
        return 0
    output.mkdir(parents=True, exist_ok=True)
    for number, rgb in enumerate(shown):
        write_png(output / f"{number:04}.png", rgb, first.bits)
    return 0


def _check(arguments: argparse.Namespace, kind: Moving | None) -> None:
    if arguments.count < 1:
        raise UsageError(f'--count is "{arguments.count}", expected 1 or more')
    if arguments.iters is not None and arguments.iters < 1:
        raise UsageError(f'--iters is "{arguments.iters}", expected 1 or more')
    if arguments.fps <= 0:
        raise UsageError(f'--fps is "{arguments.fps}", expected more than 0')
    output = arguments.output
    if kind is None and output.suffix:
        known = ", ".join(ANIMATIONS)
        raise UsageError(f'"{output}" is neither a folder nor one of {known}')
    if output.exists() and not arguments.force:
        raise UsageError(f'"{output}" already exists', hint="--force overwrites it")


def _curves(masks: Sequence[Path], texts: Sequence[str]) -> list[Curve]:
    """The curve of every mask.

    Raises:
        UsageError: the numbers of masks and curves differ, or a curve cannot be parsed.
    """
    from rtvfi.models.interpany.curve import parse_curve

    if len(masks) != len(texts):
        raise UsageError(
            f"{len(masks)} --mask and {len(texts)} --curve options, expected one curve per mask"
        )
    curves = []
    for text in texts:
        try:
            curves.append(parse_curve(text))
        except ValueError as error:
            raise UsageError(
                f'--curve "{text}": {error}', hint='as in "0,0 0.3,0.8 1,1"'
            ) from error
    return curves
