"""``rtvfi weights``: lists, downloads, adds and verifies network weights.

This module is imported at every start of rtvfi, so the actions import rich and torch themselves.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import UsageError
from rtvfi.core.program import command_line
from rtvfi.models.catalogue import MODELS
from rtvfi.models.weights.fetch import fetch
from rtvfi.models.weights.licence import accept, is_accepted
from rtvfi.models.weights.store import (
    Store,
    entry_for,
    find_weights,
    is_available,
    manifest,
    weight_name,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from rich.progress import Progress, TaskID

    from rtvfi.models.weights.store import WeightEntry

SUMMARY: Final = "download, add and check weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi weights``."""
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    actions.add_parser("list", help="list known weights and whether they are on this machine")
    get = actions.add_parser("get", help="download weights, check and convert them")
    get.add_argument("names", nargs="+", metavar="NAME", help="a model or weight file")
    get.add_argument(
        "--accept-licence", action="store_true", help="accept the licence without being asked"
    )
    add = actions.add_parser("add", help="add a weight file or folder that you already have")
    add.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a state dict, .pkl or .safetensors; or a folder with all files of one model",
    )
    add.add_argument(
        "--as",
        dest="name",
        metavar="NAME",
        help="name of the weights, if the file does not show it",
    )
    verify = actions.add_parser("verify", help="check stored weights against their hashes")
    verify.add_argument("names", nargs="*", metavar="NAME", help="by default all stored weights")
    path = actions.add_parser("path", help="print the path of stored weights")
    path.add_argument("name", nargs="?", metavar="NAME", help="a model; by default the folder")


def main(arguments: argparse.Namespace) -> int:
    """Carry out an action of ``rtvfi weights``; returns the exit code."""
    actions: dict[str, Callable[[], int]] = {
        "list": _list,
        "get": lambda: _get(arguments.names, accepts=arguments.accept_licence),
        "add": lambda: _add(arguments.file, arguments.name),
        "verify": lambda: _verify(arguments.names),
        "path": lambda: _path(arguments.name),
    }
    return actions[arguments.action]()


def _say(text: str) -> None:
    from rich.console import Console

    Console(soft_wrap=True, markup=False, highlight=False).print(text)


def _list() -> int:
    from rich.console import Console
    from rich.table import Table

    store = Store()
    table = Table("NAME", "HERE", "NETWORK", "HASH", "LICENCE", box=None, pad_edge=False)
    for row in (*_others(), *(_row(store, entry) for entry in manifest().values())):
        table.add_row(*row)
    console = Console(markup=False, highlight=False)
    console.print(table)
    for line in ("weights get NAME downloads weights", "weights add FILE adds a file"):
        console.print(command_line(line), soft_wrap=True)
    return 0


def _row(store: Store, entry: WeightEntry) -> tuple[str, ...]:
    return (
        entry.name,
        "yes" if store.has(entry.name) else "no",
        entry.network,
        _hash_of(entry),
        entry.licence,
    )


def _hash_of(entry: WeightEntry) -> str:
    """Where the hash that a download is compared with comes from, for the table."""
    if entry.by_hand:
        return "by hand only"
    return "published" if entry.is_published else "on first fetch"


def _others() -> Iterator[tuple[str, ...]]:
    """Rows for models that have no file of their own in the manifest."""
    for info in MODELS.values():
        name = weight_name(info)
        if name is None or (name == info.id and name in manifest()):
            continue
        here = "yes" if is_available(info) else "no"
        if name in manifest():
            yield info.id, here, manifest()[name].network, f"as {name}", info.licence
        else:
            yield info.id, here, info.family, "comes with rtvfi", info.licence


def _get(names: Sequence[str], *, accepts: bool) -> int:
    store = Store()
    for entry in dict.fromkeys(entry_for(name) for name in names):
        if store.has(entry.name) and store.verify(entry.name) is None:
            _say(f"{entry.name} is already installed")
            continue
        _agree(store, entry, accepts=accepts)
        with _progress() as bars:
            bar = bars.add_task(entry.name, total=entry.bytes)

            came = fetch(store, entry, partial(_show, bars, bar))
        _say(f"{entry.name}: {_size(store, entry)}, licence {entry.licence}, {entry.origin}")
        if came.source.note:
            _say(came.source.note)
        if not entry.is_published and not came.source.has_hash:
            digest = came.receipt.original_sha256
            _say(f"no published hash to compare with; recorded sha256 {digest}")
    return 0


def _agree(store: Store, entry: WeightEntry, *, accepts: bool) -> None:
    """If the licence has terms that must be accepted, show them and ask, once.

    Raises:
        UsageError: the terms are not accepted, or stdin is not a terminal.
    """
    if entry.terms is None or is_accepted(store, entry):
        return
    _say(entry.terms.strip())
    if not accepts and sys.stdin.isatty():
        accepts = input("Do you agree? [y/N] ").strip().lower() in ("y", "yes")
    if not accepts:
        raise UsageError(
            f'the licence of "{entry.name}" was not accepted; nothing was downloaded',
            hint=command_line(f"weights get {entry.name} --accept-licence"),
        )
    accept(store, entry)


def _show(bars: Progress, bar: TaskID, done: int, total: int | None) -> None:
    bars.update(bar, completed=done, total=total)


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    return Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True), transient=True)


def _size(store: Store, entry: WeightEntry) -> str:
    return f"{store.path(entry.name).stat().st_size / 1e6:.1f} MB"


def _add(file: Path, name: str | None) -> int:
    from rtvfi.models.weights.file import add_file, checkpoints_in
    from rtvfi.models.weights.parts import add_folder

    store = Store()
    is_of_parts = file.is_dir() and not checkpoints_in(file)
    take_in = add_folder if is_of_parts else add_file
    entry, receipt = take_in(store, file, None if name is None else entry_for(name).name)
    _say(f"{entry.name}: {_size(store, entry)}, licence {entry.licence}, {receipt.network}")
    if entry.terms is not None:
        _say(entry.terms.strip())
    known = entry.known_hashes()
    if known and receipt.original_sha256 not in known:
        _say("this is not the published file, but it fits the same network")
    return 0


def _verify(names: Sequence[str]) -> int:
    store = Store()
    wanted = [entry_for(name).name for name in names] or store.names()
    bad = 0
    for name in wanted:
        problem = store.verify(name) if store.has(name) else "not installed"
        _say(f"{name}: {problem or 'good'}")
        bad += problem is not None
    if not wanted:
        _say(f"there are no weights in {store.folder}")
    return 1 if bad else 0


def _path(name: str | None) -> int:
    if name is None:
        _say(str(Store().folder))
        return 0
    path = find_weights(name)
    if path is None:
        raise UsageError(f'"{name}" needs no weights')
    _say(str(path))
    return 0
