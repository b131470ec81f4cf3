"""``rtvfi image``: pictures between two or three still pictures.

Times count the pictures given: 0 is the first, 1 the second, 2 the third.
"""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rtvfi.core.errors import UsageError
from rtvfi.core.options import StreamOptions
from rtvfi.models.weights.auto import AUTO, resolve_model
from rtvfi.settings.config import will_use_gpu

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from rtvfi.models.base import Interpolator
    from rtvfi.stream.write.stills import Animation, Still

SUMMARY: Final = "interpolate between still pictures"

log = logging.getLogger(__name__)

_LUMA: Final = (0.2126, 0.0722)
"""kr and kb of BT.709: any matrix would do, the same one is undone."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The grammar of ``rtvfi image``."""
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help="two or three pictures of one size")
    add(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="OUT",
        help="output file, or a folder for several pictures",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--count", type=int, metavar="N", help="new pictures between each two (default 1)"
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
    add(
        "--device",
        default="auto",
        metavar="NAME",
        help="where the network runs: auto (default), cpu, cuda or rocm",
    )
    form = parser.add_mutually_exclusive_group()
    for kind in ("gif", "webp", "apng"):
        form.add_argument(
            f"--{kind}",
            dest="animation",
            action="store_const",
            const=kind,
            help=f"write one animated {kind} of all pictures, the given ones included",
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
    """A decimal number or a ratio, for argparse."""
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise ValueError(text) from error


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi image``; returns the exit code."""
    files, output = arguments.files, arguments.output
    times = wanted_times(len(files), arguments.count, arguments.timestep)
    animation: Animation | None = arguments.animation
    if animation is not None and arguments.timestep is not None:
        raise UsageError(f"--{animation} needs --count, one picture does not move")
    if arguments.fps <= 0:
        raise UsageError(f'--fps is "{arguments.fps}", expected more than 0')
    paths = [output] if animation is not None else output_paths(output, len(times))
    there = [path for path in paths if path.exists()]
    if there and not arguments.force:
        raise UsageError(f'"{there[0]}" is there already', hint="--force replaces it")
    from rtvfi.stream.write.stills import write_animation, write_png

    stills = _read(files)
    model = resolve_model(arguments.model, is_gpu=will_use_gpu(arguments.device))
    made = interpolate(stills, times, model, arguments.device)
    bits = max(still.bits for still in stills)
    if animation is not None:
        given: list[tuple[Fraction, Any]] = [(Fraction(k), s.rgb) for k, s in enumerate(stills)]
        shown = sorted([*given, *zip(times, made, strict=True)], key=lambda pair: pair[0])
        write_animation(output, [rgb for _, rgb in shown], animation, arguments.fps)
        return 0
    if len(paths) > 1:
        _make_folder(output)
    for path, rgb in zip(paths, made, strict=True):
        write_png(path, rgb, bits)
    return 0


def wanted_times(num_files: int, count: int | None, timestep: Fraction | None) -> list[Fraction]:
    """The times asked for, in order.

    Raises:
        UsageError: they make no sense for that many pictures.
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
    """Where the pictures go: one file, or numbered files in a folder.

    Raises:
        UsageError: several pictures and a file name.
    """
    if count == 1 and not output.is_dir():
        return [output]
    if output.suffix and not output.is_dir():
        raise UsageError(
            f'{count} pictures do not fit in the file "{output}"', hint=f"-o {output.stem}/"
        )
    return [output / f"{number:04}.png" for number in range(1, count + 1)]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f'the folder "{folder}" cannot be made: {error.strerror}') from error


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
    stills: Sequence[Still], times: Sequence[Fraction], model_id: str, device_name: str
) -> list[NDArray[Any]]:
    """The pictures at ``times``, (H, W, 3) float32 each.

    Raises:
        ModelError: the model cannot be had.
        DeviceError: the device cannot be used.
    """
    from rtvfi.engine.device import resolve_device

    device = resolve_device(device_name)
    import torch

    from rtvfi.models.load import load_model

    dtype = torch.float16 if device.type == "cuda" else torch.float32
    height, width = stills[0].rgb.shape[:2]
    flow_scale = StreamOptions().flow_scale_of(width, height)
    model = load_model(model_id, device, dtype, flow_scale)
    with torch.inference_mode():
        pictures = [model.prepare(_to_model(model, still, device, dtype)) for still in stills]
        return [_from_model(_between(model, pictures, float(t))) for t in times]


def _between(model: Interpolator, pictures: Sequence[Any], t: float) -> Any:
    """The picture at ``t``; around the middle of three, a three-frame model sees all of them."""
    from rtvfi.models.base import TripleInterpolator

    if isinstance(model, TripleInterpolator) and len(pictures) == 3 and 0.5 <= t <= 1.5:
        a, b, c = pictures
        return model.triple((a, b, c), (model.link(a, b), model.link(b, c)), [t])
    left = min(int(t), len(pictures) - 2)
    return model.pair(pictures[left], pictures[left + 1], [t - left])


def _to_model(model: Interpolator, still: Still, device: torch.device, dtype: torch.dtype) -> Any:
    import torch

    from rtvfi.models.base import Planes

    rgb = torch.from_numpy(still.rgb).permute(2, 0, 1)[None]
    if model.info.picture == "rgb":
        return rgb.to(device, dtype).contiguous()
    kr, kb = _LUMA
    red, green, blue = rgb.split(1, 1)  # type: ignore[no-untyped-call]
    y = kr * red + (1 - kr - kb) * green + kb * blue
    uv = torch.cat(((blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)), 1)
    return Planes(y.to(device, dtype), uv.to(device, dtype))


def _from_model(picture: Any) -> NDArray[Any]:
    import torch

    from rtvfi.models.base import Planes

    if isinstance(picture, Planes):
        kr, kb = _LUMA
        y, u, v = picture.y.float(), picture.uv[:, :1].float(), picture.uv[:, 1:].float()
        red, blue = y + (2 - 2 * kr) * v, y + (2 - 2 * kb) * u
        picture = torch.cat((red, (y - kr * red - kb * blue) / (1 - kr - kb), blue), 1)
    rgb: Tensor = picture[0].permute(1, 2, 0).float().cpu()
    return rgb.numpy()
