from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from made_weights import constant_state, random_state

from rtvfi.core.errors import UnknownModel, WeightsMismatch, WeightsMissing
from rtvfi.models.base import Interpolator, TripleInterpolator
from rtvfi.models.catalogue import MODELS
from rtvfi.models.drba.drba import Drba
from rtvfi.models.load import build_model, load_model
from rtvfi.models.safa.rows import ENHANCERS
from rtvfi.models.weights.file import add_file
from rtvfi.models.weights.store import Store, manifest, weight_name, weight_names

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

CPU = torch.device("cpu")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Store()


def picture(model: Interpolator) -> Tensor:
    a, b = (model.prepare(torch.full((1, 3, 40, 50), level)) for level in (0.25, 0.75))
    out = model.pair(a, b, [0.5])
    assert isinstance(out, torch.Tensor)
    return out


ALIKE = {"gimm-base", "interpany-ema-t", "interpany-ema-tr", "interpany-ema-dr"}
"""Nearly the same network as another row; large."""


@pytest.mark.parametrize("name", [n for n in manifest() if n not in {*ENHANCERS, *ALIKE}])
def test_every_file_of_the_manifest_can_be_added_loaded_and_run(
    name: str, store: Store, tmp_path: Path
) -> None:
    state = constant_state(manifest()[name].network, 1e-4)  # next to no flow, an even mask
    path = tmp_path / "given.pkl"
    torch.save({f"module.{key}": value for key, value in state.items()}, path)
    add_file(store, path, name)
    with torch.inference_mode():
        out = picture(load_model(name, CPU, torch.float32))
    # The fusion of GMFSS makes nothing of such weights.
    level = 0.0 if name.startswith("gmfss") else 0.5
    torch.testing.assert_close(out, torch.full((1, 3, 40, 50), level), atol=0.01, rtol=0)
    store.path(name).unlink()


def test_loaded_numbers_are_those_of_the_file(store: Store, tmp_path: Path) -> None:
    state = random_state("rife 4.25.lite")
    torch.save(state, tmp_path / "x.pkl")
    add_file(store, tmp_path / "x.pkl")
    info = MODELS["rife-4.25.lite"]
    with torch.inference_mode():
        wanted = picture(build_model(info, state, CPU, torch.float32))
        assert torch.equal(picture(load_model(info.id, CPU, torch.float32)), wanted)


@pytest.mark.parametrize("name", weight_names(MODELS["drba"]))
def test_drba_is_a_triple_model_around_any_of_its_networks(
    name: str, store: Store, tmp_path: Path
) -> None:
    network = manifest()[name].network
    torch.save(constant_state(network), tmp_path / "x.pkl")
    add_file(store, tmp_path / "x.pkl", name)
    model = load_model("drba", CPU, torch.float32, 0.5)
    assert isinstance(model, TripleInterpolator)
    assert model.info is MODELS["drba"]
    assert isinstance(model, Drba)
    assert f"rife {model.net.group}" == network
    assert model.net.info.pad_multiple == MODELS[name].pad_multiple


def put(store: Store, folder: Path, version: str, under: str) -> None:
    """Weights of a RIFE under the name of another."""
    torch.save(constant_state(f"rife {version}"), folder / "x.pkl")
    add_file(store, folder / "x.pkl", f"rife-{version}")
    store.path(f"rife-{version}").rename(store.path(f"rife-{under}"))


def test_drba_with_a_file_of_an_early_network_is_refused(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, "4.6", under="4.25")
    with pytest.raises(WeightsMismatch, match=r"rife 4\.6, expected rife 4\.26\.heavy or rife 4"):
        load_model("drba", CPU, torch.float32)


@pytest.mark.parametrize("model_id", [i for i, m in MODELS.items() if weight_name(m) in manifest()])
def test_without_weights_one_sentence_says_how_to_get_them(model_id: str, store: Store) -> None:
    with pytest.raises(WeightsMissing, match=f'"{model_id}" are not installed') as caught:
        load_model(model_id, CPU, torch.float32)
    assert caught.value.hint == f"rtvfi weights get {model_id}"
    assert not store.folder.exists()


def test_weights_under_a_wrong_name_are_refused(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, "4.25", under="4.6")
    with pytest.raises(
        WeightsMismatch, match=r"contain the network rife 4\.25, expected rife 4\.6"
    ):
        load_model("rife-4.6", CPU, torch.float32)


def test_a_damaged_stored_file_is_refused(store: Store) -> None:
    store.folder.mkdir(parents=True)
    store.path("rife-4.6").write_bytes(b"\0" * 100)
    with pytest.raises(WeightsMismatch, match="incomplete or not a weight file"):
        load_model("rife-4.6", CPU, torch.float32)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(UnknownModel, match="rief"):
        load_model("rief", CPU, torch.float32)
