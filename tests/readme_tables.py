"""The tables of README.md, made from the parser and the catalogue. ``--write`` puts them in."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rtvfi.cli.main import COMMANDS
from rtvfi.models.catalogue import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterable

README = Path(__file__).resolve().parent.parent / "README.md"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def commands() -> str:
    rows = [(f"`{command.name}`", command.summary) for command in COMMANDS]
    return table(("command", "what it does"), rows)


def options() -> str:
    parser = argparse.ArgumentParser(add_help=False)
    next(command for command in COMMANDS if command.name == "play").add_arguments(parser)
    rows = [(f"`{spelling(action)}`", escape(action.help)) for action in parser._actions]
    return table(("option", "meaning"), rows)


def spelling(action: argparse.Action) -> str:
    """``--name VALUE``; just the name of a switch."""
    return " ".join([*action.option_strings, *([str(action.metavar)] if action.metavar else [])])


def models() -> str:
    """One row for models that differ in their numbers only."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for info in MODELS.values():
        cost = "" if info.gmac_1080p is None else f"{info.gmac_1080p:g}"
        key = (info.family, str(info.num_frames), cost, info.licence)
        groups.setdefault(key, []).append(f"`{info.id}`")
    rows = [(", ".join(ids), *key[1:]) for key, ids in groups.items()]
    return table(("model", "frames it looks at", "cost", "licence"), rows)


def escape(text: str | None) -> str:
    return (text or "").replace("%%", "%").replace("|", "\\|")


def filled(readme: str) -> str:
    """The text with every table between its two marks."""
    for name, make in {"commands": commands, "options": options, "models": models}.items():
        start = readme.index(f"<!-- {name} -->\n") + len(f"<!-- {name} -->\n")
        end = readme.index("<!-- end -->", start)
        readme = readme[:start] + make() + readme[end:]
    return readme


if __name__ == "__main__" and "--write" in sys.argv:
    README.write_text(filled(README.read_text()))
