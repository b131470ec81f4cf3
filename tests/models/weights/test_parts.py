"""Models of several files: folders of other programs, downloads, what tells one from another."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import safetensors.torch
import torch
from made_weights import constant_state, parameters_of

from rtvfi.core.errors import UsageError, WeightsMismatch, WeightsMissing
from rtvfi.models.weights import fetch as fetching
from rtvfi.models.weights import parts as parts_module
from rtvfi.models.weights.fetch import fetch
from rtvfi.models.weights.file import add_file
from rtvfi.models.weights.parts import add_folder
from rtvfi.models.weights.store import Store, WeightSource, git_blob_of, manifest

if TYPE_CHECKING:
    from pathlib import Path

UNION = "gmfss 4.26.heavy"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def filled(folder: Path, network: str, *, without: str = "", prefix: str = "") -> Path:
    """A folder as DRBA, MultiPassDedup and GMFSS_Fortuna have it."""
    folder.mkdir()
    files: dict[str, dict[str, Any]] = {}
    for key, value in constant_state(network).items():
        part, _, name = key.partition(".")
        files.setdefault(part, {})[prefix + name] = value
    for part, state in files.items():
        if part != without:
            torch.save(state, folder / f"{part}.pkl")
    return folder


@pytest.mark.parametrize(
    ("network", "name"),
    [(UNION, "gmfss-union"), ("gmfss 4.6", "gmfss-union-fortuna")],
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_parameters_of_a_folder_tell_what_it_is(
    network: str, name: str, prefix: str, tmp_path: Path, store: Store
) -> None:
    folder = filled(tmp_path / "train_log", network, prefix=prefix)
    (folder / "notes.txt").touch()
    entry, receipt = add_folder(store, folder)
    assert (entry.name, receipt.network, receipt.origin) == (name, network, str(folder))
    kept = safetensors.torch.load_file(store.path(name))
    assert {key: tuple(value.shape) for key, value in kept.items()} == parameters_of(network)
    assert receipt.parts.keys() == {part.part for part in entry.parts}
    assert store.verify(name) is None
    assert store.receipt(name) == receipt


def test_two_that_differ_in_nothing_but_their_training_must_be_named(
    tmp_path: Path, store: Store
) -> None:
    folder = filled(tmp_path / "train_log", "gmfss")
    with pytest.raises(UsageError, match="gmfss, gmfss-fortuna") as caught:
        add_folder(store, folder)
    assert f"weights add {folder} --as gmfss" in caught.value.hint
    assert add_folder(store, folder, "gmfss-fortuna")[0].name == "gmfss-fortuna"
    assert not store.has("gmfss")


def test_published_hashes_tell_what_a_folder_is(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = filled(tmp_path / "train_log", "gmfss")
    entry = manifest()["gmfss"]
    hashed = tuple(
        replace(p, sources=(WeightSource(url="x", git_blob=git_blob_of(folder / p.file)),))
        for p in entry.parts
    )
    known = {**manifest(), "gmfss": replace(entry, parts=hashed)}
    monkeypatch.setattr(parts_module, "manifest", lambda: known)
    assert add_folder(store, folder)[0].name == "gmfss"


@pytest.mark.parametrize("without", ["metric", "fusionnet", "rife"])
def test_a_missing_file_is_named(without: str, tmp_path: Path, store: Store) -> None:
    folder = filled(tmp_path / "train_log", UNION, without=without)
    with pytest.raises(UsageError, match=rf"lacks {without}\.pkl for gmfss-union"):
        add_folder(store, folder, "gmfss-union")
    assert not store.folder.exists()


def test_a_file_that_is_here_as_another_row_is_taken_from_there(
    tmp_path: Path, store: Store
) -> None:
    rife = tmp_path / "flownet.pkl"
    torch.save(constant_state("rife 4.26.heavy", 0.02), rife)
    add_file(store, rife, "rife-4.26.heavy")
    folder = filled(tmp_path / "train_log", UNION, without="rife")
    assert add_folder(store, folder, "gmfss-union")[1].network == UNION
    kept = safetensors.torch.load_file(store.path("gmfss-union"))
    assert kept["rife.block0.conv0.0.0.bias"][0] == pytest.approx(0.02)


def test_union_takes_another_rife_where_the_user_says_so(tmp_path: Path, store: Store) -> None:
    folder = filled(tmp_path / "train_log", "gmfss 4.25")
    with pytest.raises(UsageError, match="could be used as gmfss-union"):
        add_folder(store, folder)
    assert add_folder(store, folder, "gmfss-union")[1].network == "gmfss 4.25"
    assert store.verify("gmfss-union") is None


def test_a_folder_of_rife_holds_one_file(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "train_log"
    folder.mkdir()
    torch.save(constant_state("rife 4.25.lite"), folder / "flownet.pkl")
    assert add_folder(store, folder)[0].name == "rife-4.25.lite"
    torch.save(constant_state("rife 4.25.lite"), folder / "other.pth")
    with pytest.raises(UsageError, match=r"flownet\.pkl, other\.pth"):
        add_folder(store, folder, "rife-4.25.lite")


def test_an_empty_folder_is_one_sentence(tmp_path: Path, store: Store) -> None:
    with pytest.raises(UsageError, match="it contains: none"):
        add_folder(store, tmp_path)


def test_a_broken_file_changes_nothing(tmp_path: Path, store: Store) -> None:
    folder = filled(tmp_path / "train_log", UNION)
    (folder / "metric.pkl").write_bytes(b"<html>")
    with pytest.raises(WeightsMismatch, match=r"metric\.pkl"):
        add_folder(store, folder)
    assert not store.folder.exists()


# --- downloads ---------------------------------------------------------------------------------


def test_several_files_are_one_download(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = filled(tmp_path / "published", UNION)
    entry = manifest()["gmfss-union"]
    given = tuple(
        replace(
            p,
            sources=(
                WeightSource(url=str(folder / p.file), git_blob=git_blob_of(folder / p.file)),
            ),
        )
        for p in entry.parts
    )
    asked: list[str] = []

    def download(url: str, part: Path, _progress: object) -> None:
        asked.append(url.rpartition("/")[2])
        if len(asked) == 3:
            raise ConnectionError("the connection broke off")
        part.write_bytes((folder / url).read_bytes())

    monkeypatch.setattr(fetching, "download", download)
    wanted = replace(entry, parts=given)
    with pytest.raises(WeightsMissing, match="broke off") as caught:
        fetch(store, wanted, lambda *_: None)
    assert "weights add FOLDER --as gmfss-union" in caught.value.hint
    assert not store.has("gmfss-union")
    # What came is still there; a second try goes on with it.
    assert len(list(store.folder.glob("*.part"))) == 2
    receipt = fetch(store, wanted, lambda *_: None).receipt
    assert receipt.network == UNION
    assert sorted(p.suffix for p in store.folder.iterdir()) == [".json", ".safetensors"]
    assert json.loads((store.folder / "gmfss-union.json").read_text())["parts"] == receipt.parts


def test_a_file_of_another_hash_is_refused(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = filled(tmp_path / "published", UNION)

    def download(url: str, part: Path, _progress: object) -> None:
        part.write_bytes((folder / url.rpartition("/")[2]).read_bytes())

    monkeypatch.setattr(fetching, "download", download)
    with pytest.raises(WeightsMismatch, match=r'"gmfss-union\.flownet" has the hash'):
        fetch(store, manifest()["gmfss-union"], lambda *_: None)
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["gmfss-fortuna", "gmfss-union-fortuna"])
def test_what_only_a_browser_can_fetch_is_said(name: str, store: Store) -> None:
    with pytest.raises(WeightsMissing, match="cannot be downloaded automatically") as caught:
        fetch(store, manifest()[name], lambda *_: None)
    assert "https://drive.google.com/file/d/" in caught.value.hint
    assert f"weights add FOLDER --as {name}" in caught.value.hint
