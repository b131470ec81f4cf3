"""``rtvfi train``: trains networks. The trainer is imported when the command runs."""

from __future__ import annotations

import logging
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.cli.grammar import add_device
from rtvfi.core.data import data_path
from rtvfi.core.errors import UsageError
from rtvfi.core.program import command_line
from rtvfi.engine.trusted import offline
from rtvfi.models.interpany.rows import NETS, VARIANTS
from rtvfi.train.recipe import read_recipe

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from types import FrameType

    import torch

    from rtvfi.train.index.trainer import IndexTrainer
    from rtvfi.train.trainer import Trainer

SUMMARY: Final = "train the embedded network or an InterpAny-Clearer network"

RECIPE_FIELDS: Final = ("network", "variant", "minutes", "steps", "batch", "crop", "lpips")
"""Options that are fields of ``IndexRecipe`` with the same names."""

log = logging.getLogger(__name__)
_LOG_SECONDS: Final = 5.0
"""Seconds between two lines of progress."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi train``."""
    add = parser.add_argument
    for name, metavar, what in (
        ("--out", "RUN", "folder of the run; an existing run is continued"),
        ("--recipe", "FILE.toml", "training recipe (default configs/cel-train.toml)"),
        ("--init", "FILE", "initial weights of a new run"),
        ("--select", "LIST.csv", "validation triplets that select the best weights"),
        ("--clips", "FOLDER", "folder that paths in the list are relative to"),
    ):
        add(name, metavar=metavar, type=Path, help=what)
    add_device(add)
    add("--threads", metavar="N", type=int, default=1, help="CPU threads for computing (default 1)")
    add(
        "--workers",
        metavar="N",
        type=int,
        default=0,
        help="processes that draw scenes in advance (default 0)",
    )
    add(
        "--sheet", metavar="FILE.png", type=Path, help="only write a picture of the recipe's scenes"
    )
    _add_network_arguments(parser)


def _add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for training InterpAny-Clearer networks."""
    add = parser.add_argument
    add("--network", choices=tuple(NETS), help="train this InterpAny-Clearer network instead")
    add(
        "--variant",
        choices=VARIANTS,
        default="d",
        help="its input: t time, d distance index (default), tr and dr with a reference picture",
    )
    add(
        "--septuplets",
        metavar="FOLDER",
        type=Path,
        help="train on folders with im1.png to im7.png (Vimeo-90K), after --make-index",
    )
    add(
        "--make-index",
        metavar="FOLDER",
        type=Path,
        help="only compute the distance indices of such a folder; continues an interrupted run",
    )
    add("--small", action="store_true", help="a RIFE small enough to train on a CPU")
    add("--minutes", metavar="N", type=float, help="stop after this many minutes of CPU time")
    add(
        "--steps",
        metavar="N",
        type=int,
        default=300_000,
        help="stop after this many steps (default 300000)",
    )
    for name, metavar, kind, what in (
        ("--batch", "N", int, "scenes per step"),
        ("--crop", "PIXELS", int, "width of a scene"),
        ("--rate", "R", float, "learning rate"),
    ):
        add(name, metavar=metavar, type=kind, help=f"{what} (default: as published)")
    add(
        "--lpips",
        metavar="WEIGHT",
        type=float,
        default=0.0,
        help="weight of LPIPS in the loss (default 0: off); needs its package and VGG-16's weights",
    )


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi train``; returns the exit code."""
    if arguments.make_index is not None:
        return _make_index(arguments)
    if arguments.out is None and arguments.sheet is None:
        raise UsageError("--out is missing", command_line("train --out RUN"))
    for name, least in (("threads", 1), ("workers", 0)):
        if getattr(arguments, name) < least:
            raise UsageError(f'--{name} is "{getattr(arguments, name)}", expected {least} or more')
    if arguments.clips and not arguments.select:
        raise UsageError("--clips without --select", "--select LIST.csv names the triplets")
    if arguments.network:
        return _train_network(arguments)
    _refuse(arguments, ("septuplets", "lpips"), "without --network", "--network rife")
    import torch

    torch.set_num_threads(arguments.threads)
    recipe = read_recipe(arguments.recipe or data_path("configs", "cel-train.toml"))
    if arguments.sheet:
        from rtvfi.draw.scenes import Scenes
        from rtvfi.train.sheet import scene_sheet, write_sheet

        write_sheet(scene_sheet(Scenes(recipe.scenes, recipe.train.seed), 8), arguments.sheet)
        return 0
    from rtvfi.train.data import load_triplets
    from rtvfi.train.trainer import Trainer

    triplets = load_triplets(arguments.select, arguments.clips) if arguments.select else []
    device = offline(arguments.device).device
    log.info("drawing the textures")
    trainer = Trainer(recipe, arguments.out, triplets, device=device, num_workers=arguments.workers)
    try:
        if not trainer.resume() and arguments.init:
            trainer.start_from(read_weights(arguments.init))
        export = f"python -m rtvfi.train.export {arguments.out} cel.safetensors"
        return _run(trainer, f"write the weight file with: {export}")
    finally:
        trainer.close()


def _refuse(arguments: argparse.Namespace, names: Iterable[str], why: str, hint: str) -> None:
    """Raise UsageError if one of these options was given."""
    for name in names:
        if getattr(arguments, name):
            raise UsageError(f"--{name} {why}", hint)


def _train_network(arguments: argparse.Namespace) -> int:
    """``--network``: train an InterpAny-Clearer network, without a recipe file."""
    foreign = ("recipe", "init", "select", "sheet")
    _refuse(arguments, foreign, "with --network", "this option is for the embedded network only")
    if arguments.out is None:
        raise UsageError("--out is missing", command_line("train --network rife --out RUN"))
    import torch

    from rtvfi.train.index.trainer import IndexRecipe, IndexTrainer

    torch.set_num_threads(arguments.threads)
    fields = {name: getattr(arguments, name) for name in RECIPE_FIELDS}
    folder = arguments.septuplets
    recipe = IndexRecipe(
        **fields,
        is_small=arguments.small,
        learning_rate=arguments.rate,
        septuplets="" if folder is None else str(folder.resolve()),
    )
    device = offline(arguments.device).device
    if folder is None:
        log.info("drawing the textures")
    trainer = IndexTrainer(recipe, arguments.out, device)
    trainer.resume()
    best = arguments.out / "best.pt"
    add = command_line(f"weights add {best} --as interpany-{recipe.network}-{recipe.variant}")
    return _run(trainer, f"install the weights with: {add}")


def _make_index(arguments: argparse.Namespace) -> int:
    """``--make-index``: compute the distance index of every triple of every septuplet."""
    import torch

    from rtvfi.train.index.flows import flow_finder
    from rtvfi.train.index.septuplets import make_index

    torch.set_num_threads(arguments.threads)
    what, find = flow_finder(offline(arguments.device).device)
    log.info("flow by %s", what)
    begun = time.monotonic()

    def done(number: int, total: int) -> None:
        nonlocal begun
        if time.monotonic() - begun > _LOG_SECONDS or number == total:
            begun = time.monotonic()
            log.info("%d of %d septuplets", number, total)

    num = make_index(arguments.make_index, find, done)
    log.info("computed %d indices", num)
    return 0


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weight file, or of a run's ``best.pt``, as float32.

    Raises:
        UsageError: the file does not exist.
        WeightsMismatch: it is not a weight file.
    """
    from rtvfi.models.weights.file import read_tensors

    if not path.is_file():
        raise UsageError(f'"{path}" does not exist', "--init expects a weight file")
    return {name: tensor.float() for name, tensor in read_tensors(path).items()}


def _run(trainer: Trainer | IndexTrainer, afterwards: str) -> int:
    """Train until finished or interrupted, showing progress; returns the exit code.

    Args:
        trainer: ready to run.
        afterwards: what the user can do next, for the last message.
    """
    from rtvfi.train.watch import watching

    stopped_by: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopped_by:  # the second signal does not wait for the current step
            raise KeyboardInterrupt
        stopped_by.append(number)
        trainer.stop()

    handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with watching(trainer):
            trainer.run()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    where = trainer.folder.path
    if stopped_by:
        log.info("stopped after step %d; run the same command to continue", trainer.step)
        return 130
    log.info('"%s" has finished: %d steps, best validation %.2f dB; %s',
             where, trainer.step, trainer.best, afterwards)  # fmt: skip
    return 0
