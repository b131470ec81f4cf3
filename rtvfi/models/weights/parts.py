"""Weights that are published as several files, usually in one folder.

The store keeps them as one file, in which a parameter is named ``part.name``. A file name
identifies the part. The published hashes, or else the parameters, identify the model of a folder.
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
"""Comes with GIMM-VFI's file, which contains a fine-tuned version of the same parameters."""

Files = dict[str, "Path"]
"""Path of the file of each part."""


def store_parts(
    store: Store, files: Mapping[str, Path], entry: WeightEntry, address: str
) -> Receipt:
    """Check the files of a model, join them and put the result into the store.

    Args:
        store: the store to put it into.
        files: paths by part; the files are copied, not moved.
        entry: the manifest entry they should match.
        address: the address or path they come from, for the receipt.

    Returns:
        The receipt of the stored file.

    Raises:
        WeightsMismatch: a file is damaged, or they do not match ``entry``; the store is unchanged.
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
    """Path of a stored file that is identical to a part; None if there is none or it is damaged."""
    if part.same_as is None or not store.has(part.same_as):
        return None
    return None if store.verify(part.same_as) else store.path(part.same_as)


def add_folder(store: Store, folder: Path, name: str | None = None) -> tuple[WeightEntry, Receipt]:
    """Put the weights in a folder given by the user (``train_log_gmfss_union``) into the store.

    Args:
        store: the store to put them into.
        folder: contains the files of one model; other files are ignored.
        name: name of the manifest entry; by default it is recognised by the files' hashes or
            parameters.

    Returns:
        The manifest entry and the receipt of the stored file.

    Raises:
        WeightsMismatch: a file is damaged, or the files match no model.
        UsageError: files are missing, or they match several models.
    """
    multi_part = [entry for entry in manifest().values() if entry.parts]
    wanted = multi_part if name is None else [manifest()[name]]
    if name is not None and not wanted[0].parts:
        return add_file(store, _only_file(folder), name)
    found = {entry.name: _files_in(store, folder, entry) for entry in wanted}
    whole = [entry for entry in wanted if len(found[entry.name]) == len(entry.parts)]
    if not whole:
        if not any(found.values()) or _is_of_one_file(folder):
            return add_file(store, _only_file(folder), name)
        raise _incomplete(folder, wanted, found)
    entry = whole[0] if name is not None else _identify_folder(folder, whole, found)
    return entry, store_parts(store, found[entry.name], entry, str(folder.resolve()))


def _files_in(store: Store, folder: Path, entry: WeightEntry) -> Files:
    """The parts of a model that are available: in the folder, or as a stored identical file."""
    files = {}
    for part in entry.parts:
        here = sorted(folder.glob(part.file))
        path = here[0] if here else stand_in(store, part)
        if path is not None:
            files[part.part] = path
    # Stored files alone do not count: at least one part must come from the folder.
    return files if any(path.parent == folder for path in files.values()) else {}


def _is_of_one_file(folder: Path) -> bool:
    """Whether it is RIFE's ``train_log``; GMFSS has a file of the same name, among others."""
    return [p.name for p in folder.iterdir() if p.suffix in (".pkl", ".pth")] == ["flownet.pkl"]


def _only_file(folder: Path) -> Path:
    suffixes = (".pkl", ".pth", ".pt", ".safetensors")
    files = sorted(p for p in folder.iterdir() if p.suffix in suffixes and p.name not in NOT_NEEDED)
    if len(files) != 1:
        names = ", ".join(p.name for p in files) or "none"
        raise UsageError(
            f'"{folder}" should contain the weight files of one model, it contains: {names}',
            hint="to add one of them: " + command_line("weights add FILE"),
        )
    return files[0]


def _incomplete(
    folder: Path, wanted: Sequence[WeightEntry], found: Mapping[str, Files]
) -> UsageError:
    """The error that names the missing files of the model with the fewest missing files."""
    entry = max(wanted, key=lambda e: (len(found[e.name]) - len(e.parts), len(e.parts)))
    missing = [part.file for part in entry.parts if part.part not in found[entry.name]]
    return UsageError(f'"{folder}" lacks {", ".join(missing)} for {entry.name}')


def _identify_folder(
    folder: Path, whole: Sequence[WeightEntry], found: Mapping[str, Files]
) -> WeightEntry:
    """The model whose weights a folder contains.

    Args:
        folder: contains the files.
        whole: the models whose files are complete.
        found: the files of each model by name.

    Raises:
        WeightsMismatch: it contains none of these models.
        UsageError: it matches several models.
    """
    # Prefer the model with the most files: by file names, a folder of GMFSS union also matches
    # GMFSS.
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
        raise WeightsMismatch(f'"{folder}" contains the network {network}, which no model uses')
    names = ", ".join(entry.name for entry in choices)
    raise UsageError(
        f'"{folder}" contains the network {network}, which could be used as {names}',
        hint=command_line(f"weights add {folder} --as {choices[0].name}"),
    )


def _is_published(folder: Path, entry: WeightEntry, files: Files) -> bool:
    """Whether every file from the folder has a published hash of its part."""
    for part in entry.parts:
        path = files[part.part]
        if path.parent != folder:
            continue
        hashes = {source.sha256 for source in part.sources}
        hashes |= {getattr(source, "git_blob", None) for source in part.sources}
        if not {sha256_of(path), git_blob_of(path)} & hashes:
            return False
    return True
