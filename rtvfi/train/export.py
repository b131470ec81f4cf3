"""``python -m rtvfi.train.export RUN OUT``: writes a run's best weights to a weight file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from rtvfi.models.cel.network import build
from rtvfi.models.weights.store import data_sha256_of
from rtvfi.train.plot import read_log

if TYPE_CHECKING:
    from collections.abc import Mapping


def export(run: Path, out: Path, notes: Mapping[str, str]) -> dict[str, str]:
    """Write ``run``'s best weights to ``out`` in half precision.

    Args:
        run: folder of a training run (``best.pt``, ``log.jsonl``).
        out: safetensors file to write.
        notes: more metadata for its header.

    Returns:
        The header's metadata: the validation results of these weights, ``notes``, and the SHA-256
        of the tensor data, which reveals a damaged file.
    """
    weights = torch.load(run / "best.pt", map_location="cpu", weights_only=True)
    build(weights)  # raises if the weights could not be loaded again
    entries = read_log(run / "log.jsonl")
    judge = "select" if "select" in entries[0] else "held"
    best = max(entries, key=lambda entry: float(entry[judge]))
    metadata = {
        "model": "cel",
        "licence": "CC0-1.0",
        **{name: str(value) for name, value in best.items()},
        **notes,
    }
    halves = {name: tensor.half().contiguous() for name, tensor in weights.items()}
    save_file(halves, out, metadata)
    metadata["sha256"] = data_sha256_of(out)
    save_file(halves, out, metadata)
    return metadata


def main(argv: list[str] | None = None) -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(prog="python -m rtvfi.train.export", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a training run")
    parser.add_argument("out", type=Path, help="weight file to write, .safetensors")
    parser.add_argument("--note", nargs=2, action="append", default=[], metavar=("NAME", "TEXT"))
    arguments = parser.parse_args(argv)
    if not (arguments.run / "best.pt").is_file():
        parser.error(f'"{arguments.run}" has no best.pt; the run has not been validated yet')
    export(arguments.run, arguments.out, dict(arguments.note))


if __name__ == "__main__":
    main()
