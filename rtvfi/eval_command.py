"""``rtvfi eval``: how good made pictures are, and what they cost, methods side by side."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rtvfi.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rtvfi.quality.gather import TripletSet
    from rtvfi.quality.measure import SetResult
    from rtvfi.quality.methods import Method

SCENES: Final = "scenes"
MODELS: Final = "linear,cel,cel@0.5,minterpolate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The grammar of ``rtvfi eval``."""
    add = parser.add_argument
    add(
        "what",
        metavar="FOLDER|LIST|VIDEO|scenes",
        help="triplets, a film whose every second frame is guessed, or scenes that are drawn",
    )
    add(
        "--models",
        metavar="A,B,...",
        default=MODELS,
        help=f"ids, weight files, minterpolate; cel@0.5 is with --scale 0.5 (default {MODELS})",
    )
    add("--device", metavar="NAME", default="auto", help="auto (default), cpu, cuda[:N], rocm[:N]")
    add("--count", metavar="N", type=int, help="triplets of a set (default all; 20 of a film)")
    add("--step", metavar="N", type=int, default=2, help="frames between the ends (default 2)")
    add("--root", metavar="FOLDER", type=Path, help="where the paths of a list start")
    add("--seed", metavar="N", type=int, default=1, help="of the scenes (default 1)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument("--markdown", action="store_true", help="a table for a page")
    add("--sheet", metavar="OUT.png", type=Path, help="a picture of the hardest triplet of a set")


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi eval``; returns the exit code."""
    if arguments.count is not None and arguments.count < 1:
        raise UsageError(f'--count is "{arguments.count}", expected 1 or more')
    if arguments.sheet is not None and not arguments.sheet.resolve().parent.is_dir():
        raise UsageError(f'the folder of "{arguments.sheet}" is not there')
    if importlib.util.find_spec("skimage") is None:
        raise UsageError(
            "measuring needs scikit-image, which is not here", "pip install scikit-image"
        )
    words = list(dict.fromkeys(word for word in arguments.models.split(",") if word))
    if not words:
        raise UsageError('--models is "", expected names', f"--models {MODELS}")
    from rich.console import Console

    from rtvfi.quality import tables
    from rtvfi.quality.measure import as_json

    sets, methods = _sets(arguments), _methods(words, arguments.device)
    results = _measured(sets, methods, Console(stderr=True))
    out = Console(highlight=False)
    if arguments.json:
        out.out(json.dumps(as_json(results), indent=2))
    elif arguments.markdown:
        out.out(tables.markdown(results))
    else:
        for table in tables.rich_tables(results):
            out.print(table)
        for line in (tables.LEGEND, *tables.remarks(results)):
            out.print(line, style="dim", markup=False)
    if arguments.sheet is not None:
        from rtvfi.quality.sheet import write_sheet

        write_sheet([r.hardest for r in results if r.hardest is not None], arguments.sheet)
    return 0


def _sets(arguments: argparse.Namespace) -> list[TripletSet]:
    if arguments.what == SCENES:
        from rtvfi.eval_scenes import scene_set

        return [scene_set(arguments.count, arguments.seed)]
    from rtvfi.quality.gather import GatherOptions, gather
    from rtvfi.stream.child import find_ffmpeg

    if find_ffmpeg() is None:
        raise UsageError("pictures are read by ffmpeg, which is not here")
    options = GatherOptions(root=arguments.root, step=arguments.step, count=arguments.count)
    return gather(Path(arguments.what), options)


def _methods(words: Sequence[str], device_name: str) -> list[Method]:
    from rtvfi.session import keep_freed_memory, resolve_device

    device = resolve_device(device_name)
    if device.type == "cpu":
        keep_freed_memory()
    from rtvfi.quality.methods import method_of

    return [method_of(word, device) for word in words]


def _measured(
    sets: Sequence[TripletSet], methods: Sequence[Method], console: Any
) -> list[SetResult]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from rtvfi.quality.measure import measure

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        results = []
        task = bar.add_task("", total=sum(s.num_triplets for s in sets) * len(methods))
        for one in sets:
            bar.update(task, description=one.name)
            results.append(measure(one, methods, lambda: bar.advance(task)))
    return results
