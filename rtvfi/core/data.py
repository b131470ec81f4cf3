"""Where the files that travel with rtvfi are: presets, manifest, embedded weights, the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rtvfi.core.errors import RtvfiError

DataKind = Literal["configs", "weights"]


def data_folders(kind: DataKind) -> tuple[Path, Path]:
    """The folders looked into, in order: the one inside an installed wheel, then the checkout's."""
    package = Path(__file__).resolve().parents[1]
    return (package / "_data" / kind, package.parent / kind)


def data_path(kind: DataKind, name: str) -> Path:
    """The file ``name`` of that kind.

    Raises:
        RtvfiError: it is in neither folder.
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
    """Names without ``suffix`` (".toml") of the files of that kind that end with it, sorted."""
    found = (path for folder in data_folders(kind) for path in folder.glob(f"*{suffix}"))
    return tuple(sorted({path.name.removesuffix(suffix) for path in found}))
