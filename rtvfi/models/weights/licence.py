"""Remembers which licence terms the user has accepted.

Only licences that require more than attribution have to be accepted. Does not import torch.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import ModelError
from rtvfi.core.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.models.weights.store import Store, WeightEntry

_FILE: Final = "accepted.json"


def is_accepted(store: Store, entry: WeightEntry) -> bool:
    """Whether a file may be downloaded without asking the user.

    It may if its licence has no terms to accept, or the user has accepted exactly this text.
    """
    return entry.terms is None or _digest(entry.terms) in _accepted(store)


def accept(store: Store, entry: WeightEntry) -> None:
    """Record that the user has accepted the terms of a file.

    Raises:
        ModelError: the store cannot be written.
    """
    if is_accepted(store, entry) or entry.terms is None:
        return
    store.make_folder()
    path = _path(store)
    words = {**_accepted(store), _digest(entry.terms): entry.licence}
    try:
        write_whole(path, json.dumps(words, indent=2) + "\n")
    except OSError as error:
        raise ModelError(f'"{path}" cannot be written: {error.strerror}') from error


def _accepted(store: Store) -> dict[str, str]:
    """Accepted licences by the hash of their terms; empty if the file is missing or damaged."""
    try:
        found = json.loads(_path(store).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _path(store: Store) -> Path:
    return store.folder / _FILE


def _digest(terms: str) -> str:
    return hashlib.sha256(terms.strip().encode()).hexdigest()
