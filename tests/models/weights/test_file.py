from __future__ import annotations

import io
import os
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import safetensors.torch
import torch
from made_weights import constant_state, random_state

from rtvfi.core.errors import ModelError, UsageError, WeightsMismatch
from rtvfi.models.weights.file import add_file, identify, read_tensors, store_file
from rtvfi.models.weights.store import Store, manifest

if TYPE_CHECKING:
    from pathlib import Path

LITE = "rife 4.25.lite"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def saved(path: Path, state: Any) -> Path:
    torch.save(state, path)
    return path


class Code:
    """A pickle of this makes a folder when it is loaded by a plain unpickler."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def test_a_pickle_with_code_is_refused_and_nothing_runs(tmp_path: Path, store: Store) -> None:
    trap = tmp_path / "trap"
    paths = [saved(tmp_path / "zip.pkl", {"a": Code(trap)})]
    for protocol in (2, 5):
        paths.append(tmp_path / f"plain{protocol}.pkl")
        paths[-1].write_bytes(pickle.dumps({"a": Code(trap)}, protocol=protocol))
    for path in paths:
        with pytest.raises(WeightsMismatch, match=path.name):
            store_file(store, path, manifest()["rife-4.25.lite"], "here")
    with pytest.raises(WeightsMismatch, match="none of it was executed"):
        read_tensors(paths[0])
    assert not trap.exists()
    assert not store.folder.exists()


@pytest.mark.parametrize("kept", [0, 10, 1000, 0.5, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    whole = io.BytesIO()
    torch.save(constant_state(LITE), whole)
    data = whole.getvalue()
    path = tmp_path / "flownet.pkl"
    path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    with pytest.raises(WeightsMismatch, match=r"flownet\.pkl"):
        read_tensors(path)


@pytest.mark.parametrize("suffix", [".pkl", ".safetensors"])
def test_a_text_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"page{suffix}"
    path.write_text("<html>404 not found</html>", encoding="utf-8")
    with pytest.raises(WeightsMismatch, match="page"):
        read_tensors(path)


@pytest.mark.parametrize("content", [{"epoch": 7}, {3: torch.zeros(1)}, {}, [1.0]])
def test_what_is_not_named_tensors_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(WeightsMismatch):
        read_tensors(saved(tmp_path / "x.pkl", content))


def test_the_wrong_network_is_refused_and_nothing_is_overwritten(
    tmp_path: Path, store: Store
) -> None:
    entry = manifest()["rife-4.25.lite"]
    store_file(store, saved(tmp_path / "right.pkl", constant_state(LITE)), entry, "first")
    before = store.path(entry.name).read_bytes(), store.receipt(entry.name)
    wrong = saved(tmp_path / "wrong.pkl", constant_state("rife 4.15.lite"))
    with pytest.raises(WeightsMismatch, match=r"contains the network rife 4\.15\.lite"):
        store_file(store, wrong, entry, "second")
    assert (store.path(entry.name).read_bytes(), store.receipt(entry.name)) == before
    assert sorted(p.suffix for p in store.folder.iterdir()) == [".json", ".safetensors"]


def test_a_file_that_is_no_network_names_a_parameter(tmp_path: Path) -> None:
    path = saved(tmp_path / "other.pkl", {"conv.weight": torch.zeros(3)})
    with pytest.raises(WeightsMismatch, match=r"conv\.weight"):
        identify(read_tensors(path))


@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_wrapped_and_prefixed_parameters_are_taken(
    tmp_path: Path, wrapper: str | None, prefix: str
) -> None:
    state = {prefix + key: value for key, value in constant_state(LITE).items()}
    path = saved(tmp_path / "x.pkl", state if wrapper is None else {wrapper: state})
    assert identify(read_tensors(path)).network == LITE


def test_conversion_keeps_every_number_and_drops_the_rest(tmp_path: Path, store: Store) -> None:
    state = random_state(LITE)
    path = saved(tmp_path / "x.pkl", state | {"teacher.weight": torch.zeros(1)})
    store_file(store, path, manifest()["rife-4.25.lite"], "here")
    kept = safetensors.torch.load_file(store.path("rife-4.25.lite"))
    assert kept.keys() == state.keys()
    assert all(torch.equal(kept[key], state[key]) for key in state)


def test_an_architecture_of_one_version_tells_what_a_file_is(tmp_path: Path, store: Store) -> None:
    path = saved(tmp_path / "anything.pkl", constant_state(LITE))
    entry, receipt = add_file(store, path)
    assert entry.name == "rife-4.25.lite"
    assert receipt.origin == str(path)


def test_an_architecture_of_several_versions_must_be_named(tmp_path: Path, store: Store) -> None:
    path = saved(tmp_path / "flownet.pkl", constant_state("rife 4.25"))
    with pytest.raises(UsageError, match=r"rife-4\.25, rife-4\.26") as caught:
        add_file(store, path)
    assert "--as rife-4.25" in caught.value.hint
    assert add_file(store, path, "rife-4.26")[0].name == "rife-4.26"


def test_a_published_name_tells_the_version(tmp_path: Path, store: Store) -> None:
    path = saved(tmp_path / "flownet_v4.9.pkl", constant_state("rife 4.7"))
    assert add_file(store, path)[0].name == "rife-4.9"


def test_a_published_name_with_another_hash_is_refused(tmp_path: Path, store: Store) -> None:
    path = saved(tmp_path / "flownet_v4.25.pkl", constant_state("rife 4.25"))
    with pytest.raises(WeightsMismatch, match="not its hash") as caught:
        add_file(store, path)
    assert "--as rife-4.25" in caught.value.hint
    assert not store.folder.exists()


def test_a_store_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.pkl", constant_state(LITE))
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be created"):
        add_file(Store(tmp_path / "file" / "store"), path)
    store = Store(tmp_path / "store")
    store.path("rife-4.25.lite").mkdir(parents=True)
    with pytest.raises(ModelError, match="cannot be written"):
        add_file(store, path)
    assert not list(store.folder.glob("*.part"))


def test_a_missing_file_is_a_usage_error(tmp_path: Path, store: Store) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        add_file(store, tmp_path / "nowhere.pkl")


@pytest.mark.parametrize("wrapper", ["model", "state_dict"])
def test_a_published_folder_is_taken_in_by_its_name(
    wrapper: str, store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "DR-RIFE-pro" / "train_sdi_log"
    folder.mkdir(parents=True)
    state = {f"module.{k}": v for k, v in constant_state("interpany rife-r").items()}
    checkpoint = {wrapper: state, "optimizer": {"state": {}, "step": 3}, "epoch": 2}
    torch.save(checkpoint, folder / "flownet_sdi.pkl")
    entry, receipt = add_file(store, tmp_path / "DR-RIFE-pro")
    assert entry.name == "interpany-rife-dr-pro"
    assert receipt.network == "interpany rife-r"


def test_a_folder_without_one_checkpoint_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="contains 0 files"):
        add_file(store, tmp_path)
