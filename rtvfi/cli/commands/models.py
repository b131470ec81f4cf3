"""``rtvfi models``: lists the models, and whether their weights are installed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from rtvfi.core.program import command_line
from rtvfi.models.catalogue import MODELS
from rtvfi.models.weights.store import is_available

if TYPE_CHECKING:
    import argparse

SUMMARY: Final = "list the models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi models``."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi models``; returns the exit code."""
    rows = [
        {
            "id": info.id,
            "available": is_available(info),
            "gmac_1080p": info.gmac_1080p,
            "frames": info.num_frames,
            "licence": info.licence,
        }
        for info in MODELS.values()
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    line = "{:<22} {:<10} {:>10} {:>7}  {}".format
    print(line("MODEL", "WEIGHTS", "GMAC/1080p", "FRAMES", "LICENCE"))
    for row in rows:
        cost = "-" if row["gmac_1080p"] is None else f"{row['gmac_1080p']:g}"
        weights = "installed" if row["available"] else "missing"
        print(line(row["id"], weights, cost, row["frames"], row["licence"]))
    print("missing weights are downloaded by:", command_line("weights get MODEL"))
    return 0
