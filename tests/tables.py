"""Tables of the pages, made from the code: commands, options, models, encoders, modules.

``PYTHONPATH=. .venv/bin/python tests/tables.py --write`` puts them in.
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rtvfi.cli.main import COMMANDS
from rtvfi.models import discover
from rtvfi.models.catalogue import MODELS
from rtvfi.models.weights.store import manifest
from rtvfi.stream.write.encoders.codecs import CODECS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtvfi.models.base import ModelInfo

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ROOT / "rtvfi"


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


def families() -> str:
    """A row for every package of models, in the order of the catalogue."""
    rows = []
    found = [module for module in discover.modules("rows") if module.ROWS]
    for module in sorted(found, key=lambda module: int(module.PLACE)):
        package = PRODUCT / "models" / module.__name__.split(".")[-2]
        subject = escape(sentence(package / "__init__.py"))
        ids = [f"`{row.id}`" for row in module.ROWS]
        named = ", ".join(ids) if len(ids) < 5 else f"{ids[0]} ... {ids[-1]}"
        looks = " or ".join(sorted({str(row.num_frames) for row in module.ROWS}))
        rows.append((f"`{package.name}/`", subject, named, looks, ", ".join(_weights(module.ROWS))))
    head = ("`rtvfi/models/`", "what it is", "models", "pictures a call looks at", "weights")
    return table(head, rows)


def _weights(rows: Iterable[ModelInfo]) -> set[str]:
    """Where a family's weights come from."""
    fetched = manifest()
    return {
        "none"
        if row.weights is None
        else "`rtvfi weights get`"
        if row.weights.removesuffix(".safetensors") in fetched
        else "come with rtvfi"
        for row in rows
    }


def encoders() -> str:
    """What ``--encoder`` knows."""
    rows = []
    for codec in CODECS.values():
        quality = "lossless" if codec.crf is None else f"{codec.crf:g}"
        file, live, few = codec.presets or ("", "", "")
        while_playing = live if few == live else f"{live}; {few} on few cores"
        rows.append((f"`{codec.name}`", ", ".join(codec.formats), quality, file, while_playing))
    head = ("`--encoder`", "takes", "quality", "preset", "preset while playing")
    return table(head, rows)


def modules() -> str:
    """Every module with the first sentence of its docstring, a table per package."""
    parts = []
    for package in sorted({path.parent for path in PRODUCT.rglob("*.py")}):
        files = sorted(path for path in package.glob("*.py") if path.name != "__init__.py")
        name = str(package.relative_to(PRODUCT)).replace(".", "rtvfi")
        subject = sentence(package / "__init__.py")
        rows = [(f"`{path.name}`", escape(sentence(path))) for path in files]
        parts.append(
            f"\n## {name}\n\n{subject}\n\n{table(('module', 'subject'), rows) if rows else ''}"
        )
    return "".join(parts)


def sentence(path: Path) -> str:
    """The first paragraph of a module's docstring on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def escape(text: str | None) -> str:
    return (text or "").replace("%%", "%").replace("|", "\\|")


PAGES = {
    ROOT / "README.md": {"commands": commands, "options": options, "models": models},
    ROOT / "docs" / "render.md": {"encoders": encoders},
    ROOT / "docs" / "models.md": {"families": families},
    ROOT / "docs" / "modules.md": {"modules": modules},
}
"""Page to its tables by the name of their mark."""


def filled(page: Path) -> str:
    """The text of a page with every table between its two marks."""
    text = page.read_text(encoding="utf-8")
    for name, make in PAGES[page].items():
        start = text.index(f"<!-- {name} -->\n") + len(f"<!-- {name} -->\n")
        end = text.index("<!-- end -->", start)
        text = text[:start] + make() + text[end:]
    return text


if __name__ == "__main__" and "--write" in sys.argv:
    for page in PAGES:
        page.write_text(filled(page), encoding="utf-8")
    sys.path.insert(0, str(ROOT / "tests"))
    import share

    share.write()
