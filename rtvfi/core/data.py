"""Finds the data files that come with rtvfi: presets, manifest, embedded weights, the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rtvfi.core.errors import RtvfiError

DataKind = Literal["configs", "weights"]


def data_folders(kind: DataKind) -> tuple[Path, Path]:
    """Folders searched, in order: the one inside an installed wheel, then the checkout's."""
    package = Path(__file__).resolve().parents[1]
    return (package / "_data" / kind, package.parent / kind)


def data_path(kind: DataKind, name: str) -> Path:
    """Path of the data file ``name`` of that kind.

    Raises:
        RtvfiError: the file is in neither folder.
    """
    for folder in data_folders(kind):
        path = folder / name
        if path.is_file():
            return path
    raise RtvfiError(
        f'the file "{kind}/{name}" that belongs to rtvfi is missing',
        hint="install rtvfi again, or restore the file in the checkout",
    )


def data_names(kind: DataKind, suffix: str) -> tuple[str, ...]:
    """Sorted names of the data files of that kind with this ``suffix`` (".toml"), without it."""
    found = (path for folder in data_folders(kind) for path in folder.glob(f"*{suffix}"))
    return tuple(sorted({path.name.removesuffix(suffix) for path in found}))
