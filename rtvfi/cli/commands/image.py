"""``rtvfi image``: interpolates between two or three still pictures.

The given pictures are at times 0, 1 and, if there is a third, 2.
"""

from __future__ import annotations

import logging
from fractions import Fraction
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.cli.grammar import add_device, add_output
from rtvfi.core.errors import UsageError
from rtvfi.models.base import TripleInterpolator
from rtvfi.models.weights.auto import AUTO, resolve_model
from rtvfi.settings.config import will_use_gpu

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.models.base import Interpolator, Picture, Prepared
    from rtvfi.stream.write.stills import Animation, Still

    Rgb = NDArray[np.float32]

SUMMARY: Final = "interpolate between still pictures"

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi image``."""
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help="2 or 3 pictures of the same size")
    add_output(add, "output file, or a folder for several pictures")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--count", type=int, metavar="N", help="new pictures between each two (default 1)"
    )
    what.add_argument(
        "--num",
        type=int,
        nargs="+",
        metavar="N",
        help="new pictures between each two, level by level (1 1 makes 3)",
    )
    what.add_argument(
        "--map",
        type=Path,
        action="append",
        metavar="MAP",
        help="one picture with a timestep for every pixel, a grey .png or a .npy (repeatable)",
    )
    what.add_argument(
        "--timestep", type=_number, metavar="T", help="one picture at this time; 0.5 is halfway"
    )
    add(
        "--model",
        default=AUTO,
        metavar="ID",
        help='network to use: auto (default), or one that "rtvfi models" lists',
    )
    add_device(add)
    add("--iters", type=int, metavar="N", help="steps per picture, for interpany-*-tr and -dr")
    form = parser.add_mutually_exclusive_group()
    for kind in ("gif", "webp", "apng"):
        form.add_argument(
            f"--{kind}",
            dest="animation",
            action="store_const",
            const=kind,
            help=f"write one animated {kind} of all pictures, including the given ones",
        )
    add("-y", "--force", action="store_true", help="overwrite existing files")
    add(
        "--fps",
        type=_number,
        default=Fraction(24),
        metavar="RATE",
        help="frame rate of an animation (default 24)",
    )


def _number(text: str) -> Fraction:
    """Parse a decimal number or a ratio, for argparse."""
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise ValueError(text) from error


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi image``; returns the exit code."""
    files, output = arguments.files, arguments.output
    animation: Animation | None = arguments.animation
    times = wanted_times(len(files), arguments.count, arguments.timestep)
    num_pictures = _num_pictures(arguments, len(times))
    if animation is not None and (arguments.timestep is not None or arguments.map):
        raise UsageError(f"--{animation} makes an animation, so it needs --count or --num")
    if arguments.fps <= 0:
        raise UsageError(f'--fps is "{arguments.fps}", expected more than 0')
    paths = [output] if animation is not None else output_paths(output, num_pictures)
    existing = [path for path in paths if path.exists()]
    if existing and not arguments.force:
        raise UsageError(f'"{existing[0]}" already exists', hint="--force overwrites it")
    from rtvfi.stream.write.stills import write_animation, write_png

    stills = _read(files)
    made, shown = _pictures(arguments, stills, times)
    if animation is not None:
        write_animation(output, shown, animation, arguments.fps)
        return 0
    if len(paths) > 1:
        _make_folder(output)
    bits = max(still.bits for still in stills)
    for path, rgb in zip(paths, made, strict=True):
        write_png(path, rgb, bits)
    return 0


def _num_pictures(arguments: argparse.Namespace, num_times: int) -> int:
    """The number of new pictures.

    Raises:
        UsageError: a number of ``--num`` or ``--iters`` is below 1.
    """
    numbers = [*(arguments.num or ()), *([] if arguments.iters is None else [arguments.iters])]
    if any(number < 1 for number in numbers):
        raise UsageError("--num and --iters expect numbers of 1 or more")
    if arguments.map:
        return len(arguments.map)
    if arguments.num:
        total: int = prod(n + 1 for n in arguments.num)
        return (total - 1) * (len(arguments.files) - 1)
    return num_times


def _pictures(
    arguments: argparse.Namespace, stills: Sequence[Still], times: Sequence[Fraction]
) -> tuple[list[Rgb], list[Rgb]]:
    """The new pictures, and all pictures in order including the given ones."""
    if arguments.map:
        return mapped(stills, arguments.map, arguments), []
    if arguments.num:
        shown = in_levels(stills, arguments.num, arguments)
        step = (len(shown) - 1) // (len(stills) - 1)
        return [rgb for k, rgb in enumerate(shown) if k % step], shown
    made = interpolate(stills, times, _model(arguments), arguments.device, arguments.iters)
    given: list[tuple[Fraction, Rgb]] = [(Fraction(k), s.rgb) for k, s in enumerate(stills)]
    shown_at = sorted([*given, *zip(times, made, strict=True)], key=lambda pair: pair[0])
    return made, [rgb for _, rgb in shown_at]


def wanted_times(num_files: int, count: int | None, timestep: Fraction | None) -> list[Fraction]:
    """The times of the new pictures, ascending; the given pictures are at 0, 1 and 2.

    Args:
        num_files: how many pictures were given.
        count: new pictures between each two; None = 1.
        timestep: the time of a single new picture, instead of ``count``.

    Raises:
        UsageError: there are not 2 or 3 pictures, or a time or count is out of range.
    """
    if num_files not in (2, 3):
        raise UsageError(f"{num_files} pictures were given, expected 2 or 3")
    last = num_files - 1
    if timestep is not None:
        if not 0 < timestep < last or timestep.denominator == 1:
            raise UsageError(
                f'--timestep is "{float(timestep):g}", expected a time between the pictures, '
                f"which are at {', '.join(str(k) for k in range(num_files))}"
            )
        return [timestep]
    count = 1 if count is None else count
    if count < 1:
        raise UsageError(f'--count is "{count}", expected 1 or more')
    return [k + Fraction(i, count + 1) for k in range(last) for i in range(1, count + 1)]


def output_paths(output: Path, count: int) -> list[Path]:
    """The paths of ``count`` pictures: ``output`` itself, or numbered files in that folder.

    Raises:
        UsageError: there are several pictures and ``output`` is the name of a file.
    """
    if count == 1 and not output.is_dir():
        return [output]
    if output.suffix and not output.is_dir():
        raise UsageError(
            f'{count} pictures cannot be written to one file "{output}"', hint=f"-o {output.stem}/"
        )
    return [output / f"{number:04}.png" for number in range(1, count + 1)]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f'the folder "{folder}" cannot be created: {error.strerror}') from error


def _read(files: Sequence[Path]) -> list[Still]:
    from rtvfi.stream.write.stills import read_still

    stills = [read_still(path) for path in files]
    height, width = stills[0].rgb.shape[:2]
    for path, still in zip(files, stills, strict=True):
        if still.rgb.shape[:2] != (height, width):
            rows, columns = still.rgb.shape[:2]
            raise UsageError(f'"{path}" is {columns}x{rows}, "{files[0]}" is {width}x{height}')
        if still.has_alpha:
            log.warning('the transparency of "%s" is ignored', path)
    return stills


def interpolate(
    stills: Sequence[Still],
    times: Sequence[Fraction],
    model_id: str,
    device_name: str,
    num_steps: int | None = None,
) -> list[Rgb]:
    """Interpolate pictures at ``times``.

    Args:
        stills: two or three pictures of the same size, at times 0, 1 and 2.
        times: of the new pictures.
        model_id: an id of the catalogue.
        device_name: a value of ``--device``.
        num_steps: steps per picture for networks with a reference picture; None = their default.

    Returns:
        One picture per time, (H, W, 3), RGB, float32, [0, 1].

    Raises:
        ModelError: the model cannot be loaded.
        DeviceError: the device cannot be used.
    """
    import torch

    from rtvfi.render.between import Between

    height, width = stills[0].rgb.shape[:2]
    between = Between(model_id, device_name, (height, width), num_steps)
    with torch.inference_mode():
        pictures = [between.model.prepare(between.to_input(still.rgb)) for still in stills]
        return [between.to_rgb(_between(between.model, pictures, float(t))) for t in times]


def mapped(stills: Sequence[Still], maps: Sequence[Path], how: argparse.Namespace) -> list[Rgb]:
    """Interpolate one picture per timestep map (``--map``), each (H, W, 3), RGB, float32, [0, 1].

    Raises:
        UsageError: there are not two pictures, a map has the wrong size, or the model does not
            accept maps.
    """
    from rtvfi.render.between import Between, read_map

    if len(stills) != 2:
        raise UsageError(f"--map with {len(stills)} pictures, expected 2")
    size = (stills[0].rgb.shape[0], stills[0].rgb.shape[1])
    indices = [read_map(path, size) for path in maps]
    between = Between(_model(how), how.device, size, how.iters)
    a, b = (between.to_input(still.rgb) for still in stills)
    return [between.to_rgb(picture) for picture in between.interpolate(a, b, indices)]


def in_levels(
    stills: Sequence[Still], numbers: Sequence[int], how: argparse.Namespace
) -> list[Rgb]:
    """All pictures of ``--num`` including the given ones, each (H, W, 3), RGB, float32, [0, 1]."""
    from rtvfi.models.interpany.schedule import subdivided
    from rtvfi.render.between import Between

    size = (stills[0].rgb.shape[0], stills[0].rgb.shape[1])
    between = Between(_model(how), how.device, size, how.iters)
    shown = [stills[0].rgb]
    for left, right in pairwise(stills):
        a, b = between.to_input(left.rgb), between.to_input(right.rgb)
        row = subdivided(a, b, numbers, between.interpolate)
        shown += [*(between.to_rgb(picture) for picture in row[1:-1]), right.rgb]
    return shown


def _model(arguments: argparse.Namespace) -> str:
    return resolve_model(arguments.model, is_gpu=will_use_gpu(arguments.device))


def _between(model: Interpolator, pictures: Sequence[Prepared], t: float) -> Picture:
    """The picture at ``t``; near the middle of three, a three-frame model gets all three."""
    if isinstance(model, TripleInterpolator) and len(pictures) == 3 and 0.5 <= t <= 1.5:
        a, b, c = pictures
        return model.triple((a, b, c), (model.link(a, b), model.link(b, c)), [t])
    left = min(int(t), len(pictures) - 2)
    return model.pair(pictures[left], pictures[left + 1], [t - left])
