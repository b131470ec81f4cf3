from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import torch
from made_weights import constant_state, parameters_of

from rtvfi.core.errors import UnknownModel, UsageError, WeightsMissing
from rtvfi.models.catalogue import MODELS
from rtvfi.models.rife.rows import RIFE_GROUPS
from rtvfi.models.safa.rows import ENHANCERS
from rtvfi.models.weights.file import store_file
from rtvfi.models.weights.store import (
    Store,
    WheelSource,
    entry_for,
    find_weights,
    git_blob_of,
    is_available,
    manifest,
    weight_name,
)

if TYPE_CHECKING:
    from pathlib import Path

NEED_NO_DOWNLOAD = {"cel", "dis", "linear", "copy"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Store()


def stored(store: Store, tmp_path: Path, name: str) -> None:
    path = tmp_path / "source.pkl"
    torch.save(constant_state(manifest()[name].network), path)
    store_file(store, path, manifest()[name], "made here")


def test_every_model_that_needs_weights_has_a_row() -> None:
    needed = {weight_name(info) for info in MODELS.values() if info.id not in NEED_NO_DOWNLOAD}
    assert needed | set(ENHANCERS) == set(manifest())


@pytest.mark.parametrize("name", manifest())
def test_rows_are_complete(name: str) -> None:
    entry = manifest()[name]
    assert parameters_of(entry.network)
    assert (entry.licence in ("MIT", "Apache-2.0")) == (entry.terms is None)
    sources = [*entry.sources, *(source for part in entry.parts for source in part.sources)]
    assert bool(sources) == (entry.by_hand is None)
    for source in sources:
        if isinstance(source, WheelSource):
            for digest in (source.wheel_sha256, source.sha256):
                assert re.fullmatch(r"[0-9a-f]{64}", digest)
            assert source.member.endswith(".pkl")
            continue
        assert re.fullmatch(r"https://[\w./-]+\.(pkl|pt)", source.url)
        assert source.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", source.sha256)
        assert source.git_blob is None or re.fullmatch(r"[0-9a-f]{40}", source.git_blob)


def test_rife_rows_name_the_architecture_of_their_version() -> None:
    for group, (versions, _, _) in RIFE_GROUPS.items():
        for version in versions.split():
            assert manifest()[f"rife-{version}"].network == f"rife {group}"


def test_drba_takes_the_best_file_that_is_here(store: Store, tmp_path: Path) -> None:
    assert entry_for("drba") is manifest()["rife-4.25"]
    for name in ("rife-4.25.lite", "rife-4.25", "rife-4.26.heavy"):
        stored(store, tmp_path, name)
        assert find_weights("drba") == store.path(name)


def test_unknown_and_embedded_names_are_refused() -> None:
    with pytest.raises(UnknownModel, match=r"rife-4\.255"):
        entry_for("rife-4.255")
    with pytest.raises(UsageError, match="comes with rtvfi"):
        entry_for("linear")


def test_missing_weights_name_the_command_that_gets_them(store: Store) -> None:
    assert not is_available(MODELS["rife-4.25"])
    with pytest.raises(
        WeightsMissing, match=r'weights of "rife-4\.25" are not installed'
    ) as caught:
        find_weights("rife-4.25")
    assert caught.value.hint == "rtvfi weights get rife-4.25"
    assert not store.folder.exists()


def test_models_without_weights_need_no_file() -> None:
    assert find_weights("linear") is None
    assert is_available(MODELS["copy"])


def test_stored_weights_are_found(store: Store, tmp_path: Path) -> None:
    stored(store, tmp_path, "rife-4.25.lite")
    assert find_weights("rife-4.25.lite") == store.path("rife-4.25.lite")
    assert is_available(MODELS["rife-4.25.lite"])
    assert store.names() == ["rife-4.25.lite"]


def test_verify_notices_a_changed_file(store: Store, tmp_path: Path) -> None:
    stored(store, tmp_path, "rife-4.25.lite")
    assert store.verify("rife-4.25.lite") is None
    path = store.path("rife-4.25.lite")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert store.verify("rife-4.25.lite") == "it has changed since it was stored"


def test_verify_notices_a_missing_receipt_and_a_swapped_file(store: Store, tmp_path: Path) -> None:
    stored(store, tmp_path, "rife-4.25.lite")
    for suffix in (".safetensors", ".json"):
        source = store.folder / f"rife-4.25.lite{suffix}"
        source.rename(store.folder / f"rife-4.6{suffix}")
    assert store.verify("rife-4.6") == "it contains rife 4.25.lite, not rife 4.6"
    (store.folder / "rife-4.6.json").unlink()
    assert store.verify("rife-4.6") == "its receipt is missing"


def test_git_blob_is_what_git_says(tmp_path: Path) -> None:
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    assert git_blob_of(path) == "ce013625030ba8dba906f756967f9e9ca394464a"
