"""Measures anew what docs/quality.md says, and writes the tables into it.

    .venv/bin/python -m benchmarks.quality FOLDER          all three tables
    .venv/bin/python -m benchmarks.quality FOLDER mixed    one of triplets, scenes, mixed
    .venv/bin/python -m benchmarks.quality FOLDER --models dis,mvtools    others than usual

FOLDER holds the clips of the page with their ``triplets.csv``. On a quiet machine, or the times say
nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from pathlib import Path

from rtvfi.cli import main as cli

PAGE = Path(__file__).resolve().parent.parent / "docs" / "quality.md"
END = "<!-- end -->\n"
MODELS = "linear,dis,dis@0.5,dis@0.25,cel,cel@0.5,rife-4.25,minterpolate"


def table_of(words: list[str]) -> str:
    """What ``rtvfi eval`` prints for a page."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        if cli.main(["eval", *words, "--markdown"]):
            raise SystemExit(1)
    return out.getvalue().strip() + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="the tables of docs/quality.md")
    parser.add_argument("folder")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="triplets, scenes, mixed")
    parser.add_argument("--models", default=MODELS, help=f"for triplets and scenes ({MODELS})")
    arguments = parser.parse_args()
    commands = {
        "triplets": [arguments.folder, "--models", arguments.models],
        "scenes": ["scenes", "--models", arguments.models],
        "mixed": ["scenes", "--mixed"],
    }
    for name in arguments.tables or commands:
        table = table_of(commands[name])
        page = PAGE.read_text()
        start = page.index(f"<!-- {name} -->\n") + len(f"<!-- {name} -->\n")
        PAGE.write_text(page[:start] + table + page[page.index(END, start) :])
        print(f"{name}: written")


if __name__ == "__main__":
    main()
