"""``python -m rtvfi.train``: train the embedded model."""

from __future__ import annotations

import argparse
import logging
import tomllib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from rtvfi.errors import UsageError
from rtvfi.train.data import load_triplets
from rtvfi.train.scenes import SceneOptions
from rtvfi.train.trainer import FeedOptions, Recipe, Trainer, TrainOptions


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file; raises UsageError on tables or keys that mean nothing."""
    with path.open("rb") as stream:
        tables = tomllib.load(stream)
    kinds: dict[str, Any] = {"scenes": SceneOptions, "feed": FeedOptions, "train": TrainOptions}
    parts = {}
    for name, values in tables.items():
        if name not in kinds:
            raise UsageError(f'"{path}" has a table "{name}"', f"tables: {', '.join(kinds)}")
        unknown = set(values) - set(kinds[name].__dataclass_fields__)
        if unknown:
            keys = ", ".join(kinds[name].__dataclass_fields__)
            raise UsageError(f'"{path}" sets "{name}.{min(unknown)}"', f"keys of {name}: {keys}")
        parts[name] = kinds[name](**values)
    return Recipe(**parts)


def main(argv: list[str] | None = None) -> None:
    """Train or go on training."""
    parser = argparse.ArgumentParser(prog="python -m rtvfi.train", description=__doc__)
    parser.add_argument("--recipe", type=Path, required=True, help="TOML file, see configs/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; goes on there")
    parser.add_argument("--select", type=Path, help="triplets (CSV) that choose the weights")
    parser.add_argument("--clips", type=Path, help="folder that the paths in the CSV start from")
    parser.add_argument("--init", type=Path, help="weight file to start from")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    triplets = load_triplets(arguments.select, arguments.clips) if arguments.select else []
    trainer = Trainer(read_recipe(arguments.recipe), arguments.out, triplets)
    if not trainer.resume() and arguments.init:
        trainer.start_from({k: v.float() for k, v in load_file(arguments.init).items()})
    trainer.run()


if __name__ == "__main__":
    main()
