"""``rtvfi eval``: measures the picture quality and cost of interpolation methods."""

from __future__ import annotations

import datetime
import importlib.util
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.cli.grammar import add_device
from rtvfi.core.errors import UsageError
from rtvfi.core.ffmpeg import find_ffmpeg
from rtvfi.core.hardware import machine
from rtvfi.core.program import command_line
from rtvfi.engine.device import keep_freed_memory, leave_a_core
from rtvfi.engine.trusted import offline

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console
    from rich.progress import Progress

    from rtvfi.quality.gather import TripletSet
    from rtvfi.quality.measure import SetResult
    from rtvfi.quality.methods import Method

SUMMARY: Final = "compare the picture quality of models"

log = logging.getLogger(__name__)

SCENES: Final = "scenes"
MODELS: Final = "linear,dis,dis@0.5,minterpolate"
MIXED_MODELS: Final = "cel"
MOST_PASSES: Final = 3
WIDTH: Final = 110
"""Minimum width of a table, characters."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi eval``."""
    add = parser.add_argument
    add(
        "what",
        metavar="FOLDER|LIST|VIDEO|scenes",
        help="triplets, a film (every second frame is interpolated), or generated scenes",
    )
    add(
        "--models",
        metavar="A,B,...",
        help="models, weight files, minterpolate or mvtools; dis@0.5 means --scale 0.5 "
        f"(default {MODELS})",
    )
    add_device(add)
    add("--count", metavar="N", type=int, help="triplets per set (default all; 20 of a film)")
    add("--step", metavar="N", type=int, default=2, help="frames from left to right (default 2)")
    add("--root", metavar="FOLDER", type=Path, help="folder that paths in a list are relative to")
    add(
        "--mixed",
        action="store_true",
        help="scenes in which each object has its own cadence, with 0 to 3 passes",
    )
    add("--seed", metavar="N", type=int, default=1, help="random seed of the scenes (default 1)")
    index = parser.add_mutually_exclusive_group()
    index.add_argument(
        "--index",
        action="store_true",
        help="measure networks interpany-* on septuplets or scenes, with the true distance index",
    )
    index.add_argument(
        "--uniform", action="store_true", help="the same with a uniform index, as in playback"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown tables")
    add(
        "--sheet",
        metavar="OUT.png",
        type=Path,
        help="write a picture of the hardest triplet of each set",
    )


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi eval``; returns the exit code."""
    words = _checked(arguments)
    if arguments.index or arguments.uniform:
        return _indexed(words, arguments)
    from rich.console import Console

    console = Console(stderr=True)
    methods = _methods(words, arguments.device)
    if arguments.mixed:
        results = [_mixed(methods, arguments, console)]
    else:
        results = _measured(_sets(arguments), methods, console)
    _print(results, _circumstances(methods), arguments)
    if arguments.sheet is not None:
        from rtvfi.quality.sheet import write_sheet

        write_sheet([r.hardest for r in results if r.hardest is not None], arguments.sheet)
    return 0


def _checked(arguments: argparse.Namespace) -> list[str]:
    """The names of the methods to measure.

    Raises:
        UsageError: options contradict each other, or something they need is not installed.
    """
    if arguments.count is not None and arguments.count < 1:
        raise UsageError(f'--count is "{arguments.count}", expected 1 or more', "--count 20")
    if arguments.mixed and arguments.what != SCENES:
        raise UsageError(
            "--mixed works only with generated scenes", command_line(f"eval {SCENES} --mixed")
        )
    sheet = arguments.sheet
    if sheet is not None and sheet.suffix.lower() not in (".png", ".jpg", ".webp"):
        raise UsageError(f'--sheet is "{sheet}", expected a .png, .jpg or .webp file')
    if sheet is not None and not sheet.resolve().parent.is_dir():
        raise UsageError(f'the folder of "{sheet}" does not exist', "create it first")
    if importlib.util.find_spec("skimage") is None:
        raise UsageError(
            "measuring needs scikit-image, which is not installed",
            f"{sys.executable} -m pip install scikit-image",
        )
    if arguments.models is None and not arguments.mixed and find_ffmpeg() is None:
        log.warning("ffmpeg is not installed, so minterpolate is left out of the comparison")
        return MODELS.removesuffix(",minterpolate").split(",")
    models = arguments.models or (MIXED_MODELS if arguments.mixed else MODELS)
    words = list(dict.fromkeys(word for word in models.split(",") if word))
    if not words:
        raise UsageError(f'--models is "{models}", expected names', f"--models {MODELS}")
    return words


def _indexed(words: Sequence[str], arguments: argparse.Namespace) -> int:
    """``--index`` and ``--uniform``: measure as the authors of InterpAny-Clearer do."""
    if arguments.models is None:
        raise UsageError("--models is missing", "--models interpany-rife-d")
    device = offline(arguments.device).device
    from rtvfi.train.index.protocol import NUM_SCENES, scene_samples, score, septuplet_samples

    is_uniform = arguments.uniform
    if arguments.what == SCENES:
        samples = scene_samples(arguments.count or NUM_SCENES, arguments.seed)
    else:
        samples = septuplet_samples(Path(arguments.what), arguments.count, is_uniform=is_uniform)
    rows = {word: score(word, samples, device, is_uniform=is_uniform) for word in words}
    if arguments.json:
        print(json.dumps({word: row._asdict() for word, row in rows.items()}, indent=2))
        return 0
    if arguments.markdown:
        print("| | pictures | PSNR | SSIM | line distance |\n|---|---|---|---|---|")
    shape = "| {} | {} | {:.2f} | {:.4f} | {:.4f} |"
    if not arguments.markdown:
        shape = "{:26} {} pictures   PSNR {:.2f}   SSIM {:.4f}   lines {:.4f}"
    for word, row in rows.items():
        print(shape.format(word, *row))
    return 0


def _circumstances(methods: Sequence[Method]) -> list[str]:
    """Notes on what the numbers depend on: date, machine, versions, weights."""
    import torch

    origins = [f"{m.name}: {m.origin}" for m in methods if m.origin]
    where = f"{machine.processor()}, threads: {torch.get_num_threads()}"
    if torch.cuda.is_available():
        where += f", {torch.cuda.get_device_name()}"
    today = datetime.date.today().isoformat()
    return [f"{today}, {where}, torch {torch.__version__}", *origins]


def _print(
    results: Sequence[SetResult], notes: Sequence[str], arguments: argparse.Namespace
) -> None:
    from rich.console import Console

    from rtvfi.quality import tables
    from rtvfi.quality.measure import as_json

    out = Console(highlight=False)
    if arguments.json:
        out.out(json.dumps(as_json(results), indent=2))
    elif arguments.markdown:
        out.out(tables.markdown(results, notes))
    else:
        # In a narrow terminal, lines wrap rather than columns losing digits.
        out.width = max(out.width, WIDTH)
        for table in tables.rich_tables(results):
            out.print(table)
        for line in (tables.legend(results), *tables.remarks(results), *notes):
            out.print(line, style="dim", markup=False)


def _sets(arguments: argparse.Namespace) -> list[TripletSet]:
    if arguments.what == SCENES:
        from rtvfi.quality.drawn import scene_set

        return [scene_set(arguments.count, arguments.seed)]
    from rtvfi.quality.gather import GatherOptions, gather

    if find_ffmpeg() is None:
        raise UsageError(
            "reading pictures needs ffmpeg, which is not installed",
            f"install it, or run {command_line(f'eval {SCENES}')}",
        )
    options = GatherOptions(root=arguments.root, step=arguments.step, count=arguments.count)
    return gather(Path(arguments.what), options)


def _methods(words: Sequence[str], device_name: str) -> list[Method]:
    compute = offline(device_name)
    device = compute.device
    if device.type == "cpu":
        keep_freed_memory()
        leave_a_core()  # as while playing
    from rtvfi.quality.methods import method_of

    return [method_of(word, device, compute.dtype) for word in words]


def _progress(console: Console) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, transient=True)


def _measured(
    sets: Sequence[TripletSet], methods: Sequence[Method], console: Console
) -> list[SetResult]:
    from rtvfi.quality.measure import measure

    with _progress(console) as bar:
        results = []
        task = bar.add_task("", total=sum(s.num_triplets for s in sets) * len(methods))
        for one in sets:
            bar.update(task, description=one.name)
            results.append(measure(one, methods, lambda: bar.advance(task)))
    return results


def _mixed(methods: Sequence[Method], arguments: argparse.Namespace, console: Console) -> SetResult:
    from rtvfi.quality.drawn import mixed_scenes, num_scenes
    from rtvfi.quality.methods import ModelMethod
    from rtvfi.quality.retimed import Passes, measure_mixed

    models = [method for method in methods if isinstance(method, ModelMethod)]
    if len(models) < len(methods):
        raise UsageError("--mixed measures models only, not minterpolate", "--models linear,cel")
    showers = [Passes(model, passes) for model in models for passes in range(MOST_PASSES + 1)]
    num = num_scenes(arguments.count)
    with _progress(console) as bar:
        task = bar.add_task("mixed scenes", total=num * len(showers))
        return measure_mixed(mixed_scenes(num, arguments.seed), showers, lambda: bar.advance(task))
