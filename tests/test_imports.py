"""Imports stand at the top of a file, but for those that put something heavy off."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
HEAVY = frozenset(
    ("PIL", "av", "cv2", "mpv", "numpy", "rich", "safetensors", "scipy", "skimage", "torch")
)
"""Packages that take long to load, or that a command has to do without."""
DOCTOR = "rtvfi.doctor"
"""Its checks may lack any package; that is what they are for."""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {name_of(path): ast.parse(path.read_text()) for path in (ROOT / "rtvfi").rglob("*.py")}


def imported(node: ast.stmt) -> list[str]:
    """Modules that an import names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert isinstance(node, ast.ImportFrom)
    module = node.module or ""
    whole = [f"{module}.{alias.name}" for alias in node.names]
    return [name if name in TREES else module for name in whole]


def at_the_top(body: list[ast.stmt]) -> Iterator[str]:
    """Modules that loading a file loads; not those for types."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(node)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef):
            yield from at_the_top(node.body)


@cache
def packages(module: str) -> frozenset[str]:
    """Third-party packages that loading a module loads, through whatever modules of ours."""
    found, seen, left = set(), {module}, [module]
    while left:
        name = left.pop()
        if name not in TREES:
            found.add(name.partition(".")[0])
            continue
        new = set(at_the_top(TREES[name].body)) - seen
        seen |= new
        left += new
    return frozenset(found - sys.stdlib_module_names - {"rtvfi"})


def test_an_import_inside_a_function_puts_something_heavy_off() -> None:
    needless = []
    for module, tree in TREES.items():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    later = {package for name in imported(node) for package in packages(name)}
                    put_off = later - packages(module)
                    if not (put_off if module.startswith(DOCTOR) else put_off & HEAVY):
                        needless.append(f"{module}:{node.lineno}: {ast.unparse(node)}")
    assert needless == []
