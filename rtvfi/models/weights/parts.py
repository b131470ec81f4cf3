"""Models that are published as several files, and the folders of the programs they were made for.

In the store they are one file: a parameter is called by its part and its own name. Which part a
file is, its name tells; which model a folder is, the published hashes, or else the parameters.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import UsageError, WeightsMismatch
from rtvfi.core.program import command_line
from rtvfi.models.family import strip_prefix
from rtvfi.models.weights.file import Origin, add_file, identify, read_tensors, store_state
from rtvfi.models.weights.store import Receipt, Store, git_blob_of, manifest, sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from rtvfi.models.weights.store import WeightEntry, WeightPart

NOT_NEEDED: Final = ("raft-things.pth",)
"""Lies beside GIMM-VFI's file, which holds the same parameters, as trained further."""

Files = dict[str, "Path"]
"""Where the file of each part is."""


def store_parts(
    store: Store, files: Mapping[str, Path], entry: WeightEntry, address: str
) -> Receipt:
    """Check the files of a model and put it into the store.

    Args:
        store: where to.
        files: by part; they stay where they are.
        entry: what they should be.
        address: where they come from, for the receipt.

    Raises:
        WeightsMismatch: one is broken, or together they are not what ``entry`` says; the store is
            as it was.
        ModelError: the store cannot be written.
    """
    hashes = {part: sha256_of(path) for part, path in files.items()}
    listed = "".join(f"{part} {digest}\n" for part, digest in hashes.items())
    digest = hashlib.sha256(listed.encode()).hexdigest()
    origin = Origin(address, address, digest, hashes)
    return store_state(store, _joined(files), entry, origin)


def _joined(files: Mapping[str, Path]) -> dict[str, Tensor]:
    return {
        f"{part}.{key}": value
        for part, path in files.items()
        for key, value in strip_prefix(read_tensors(path)).items()
    }


def stand_in(store: Store, part: WeightPart) -> Path | None:
    """A file of the store that is the same as that of a part, if there is one and it is whole."""
    if part.same_as is None or not store.has(part.same_as):
        return None
    return None if store.verify(part.same_as) else store.path(part.same_as)


def add_folder(store: Store, folder: Path, name: str | None = None) -> tuple[WeightEntry, Receipt]:
    """Put a folder that the user has into the store: ``train_log_gmfss_union`` and the like.

    Args:
        store: where to.
        folder: holds the files of one model, and anything else.
        name: what it is; else told by the hashes of its files, or by their parameters.

    Raises:
        WeightsMismatch: a file is broken, or no model is made of these.
        UsageError: files are missing, or nothing tells which of several models it is.
    """
    made_of_parts = [entry for entry in manifest().values() if entry.parts]
    wanted = made_of_parts if name is None else [manifest()[name]]
    if name is not None and not wanted[0].parts:
        return add_file(store, _only_file(folder), name)
    found = {entry.name: _files_in(store, folder, entry) for entry in wanted}
    whole = [entry for entry in wanted if len(found[entry.name]) == len(entry.parts)]
    if not whole:
        if not any(found.values()) or _is_of_one_file(folder):
            return add_file(store, _only_file(folder), name)
        raise _incomplete(folder, wanted, found)
    entry = whole[0] if name is not None else _told(folder, whole, found)
    return entry, store_parts(store, found[entry.name], entry, str(folder.resolve()))


def _files_in(store: Store, folder: Path, entry: WeightEntry) -> Files:
    """Of those parts of a model that are there."""
    files = {}
    for part in entry.parts:
        here = sorted(folder.glob(part.file))
        path = here[0] if here else stand_in(store, part)
        if path is not None:
            files[part.part] = path
    # What is in the store already makes no model of a folder that holds nothing of it.
    return files if any(path.parent == folder for path in files.values()) else {}


def _is_of_one_file(folder: Path) -> bool:
    """RIFE's ``train_log``: GMFSS has a file of the same name beside others."""
    return [p.name for p in folder.iterdir() if p.suffix in (".pkl", ".pth")] == ["flownet.pkl"]


def _only_file(folder: Path) -> Path:
    suffixes = (".pkl", ".pth", ".pt", ".safetensors")
    files = sorted(p for p in folder.iterdir() if p.suffix in suffixes and p.name not in NOT_NEEDED)
    if len(files) != 1:
        names = ", ".join(p.name for p in files) or "none"
        raise UsageError(
            f'"{folder}" should hold the weight files of one model, these are there: {names}',
            hint=command_line("weights add FILE") + " takes one of them",
        )
    return files[0]


def _incomplete(
    folder: Path, wanted: Sequence[WeightEntry], found: Mapping[str, Files]
) -> UsageError:
    """Says what is missing for the model of which most is there."""
    entry = max(wanted, key=lambda e: (len(found[e.name]) - len(e.parts), len(e.parts)))
    missing = [part.file for part in entry.parts if part.part not in found[entry.name]]
    return UsageError(f'"{folder}" lacks {", ".join(missing)} for {entry.name}')


def _told(folder: Path, whole: Sequence[WeightEntry], found: Mapping[str, Files]) -> WeightEntry:
    """The model that a folder holds.

    Raises:
        WeightsMismatch: it holds none of these models.
        UsageError: nothing tells which.
    """
    # Of the models whose files are all there, those with most: a folder of GMFSS union would do
    # for GMFSS, but for the hash.
    published = [entry for entry in whole if _is_published(folder, entry, found[entry.name])]
    if published:
        return max(published, key=lambda entry: len(entry.parts))
    most = max(len(entry.parts) for entry in whole)
    whole = [entry for entry in whole if len(entry.parts) == most]
    network = identify(_joined(found[whole[0].name])).network
    fitting = [entry for entry in whole if entry.network == network]
    if len(fitting) == 1:
        return fitting[0]
    choices = fitting or [entry for entry in whole if entry.takes(network)]
    if not choices:
        raise WeightsMismatch(f'"{folder}" holds the network {network}, which no model is')
    names = ", ".join(entry.name for entry in choices)
    raise UsageError(
        f'"{folder}" holds the network {network}, and nothing in it tells whether as {names}',
        hint=command_line(f"weights add {folder} --as {choices[0].name}"),
    )


def _is_published(folder: Path, entry: WeightEntry, files: Files) -> bool:
    """Whether every file of the folder has a hash that was published for its part."""
    for part in entry.parts:
        path = files[part.part]
        if path.parent != folder:
            continue
        hashes = {source.sha256 for source in part.sources}
        hashes |= {getattr(source, "git_blob", None) for source in part.sources}
        if not {sha256_of(path), git_blob_of(path)} & hashes:
            return False
    return True
