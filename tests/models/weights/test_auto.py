"""Which model "auto" is, by device, style and what is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rtvfi.models.catalogue import MODELS
from rtvfi.models.weights import auto
from rtvfi.models.weights.auto import AUTO, EMBEDDED, PROCESSOR, better_model, resolve_model
from rtvfi.models.weights.store import Store, manifest, weight_names

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Store()


def put(store: Store, name: str) -> None:
    store.make_folder()
    store.path(name).touch()


def test_a_model_asked_for_by_name_stays(store: Store) -> None:
    put(store, auto.PUBLISHED)
    for is_gpu in (False, True):
        assert resolve_model("rife-4.6", is_gpu=is_gpu, style="rhythm") == "rife-4.6"


def test_a_gpu_gets_the_published_network_once_its_weights_are_here(store: Store) -> None:
    assert resolve_model(AUTO, is_gpu=True) == EMBEDDED
    assert better_model(EMBEDDED, is_gpu=True) == auto.PUBLISHED
    put(store, auto.PUBLISHED)
    assert resolve_model(AUTO, is_gpu=True) == auto.PUBLISHED
    assert better_model(EMBEDDED, is_gpu=True) is None


def test_a_processor_gets_motion_without_weights(store: Store) -> None:
    put(store, auto.PUBLISHED)
    assert resolve_model(AUTO, is_gpu=False) == PROCESSOR
    assert MODELS[PROCESSOR].weights is None
    assert better_model(PROCESSOR, is_gpu=False) is None


@pytest.mark.parametrize("is_gpu", [False, True])
def test_rhythm_gets_a_model_of_three_frames_if_one_can_run(store: Store, is_gpu: bool) -> None:
    assert resolve_model(AUTO, is_gpu=is_gpu, style="rhythm") == (EMBEDDED if is_gpu else PROCESSOR)
    put(store, auto.PUBLISHED)
    assert MODELS[resolve_model(AUTO, is_gpu=is_gpu, style="rhythm")].num_frames == 3


def test_what_auto_may_be_is_in_the_catalogue() -> None:
    assert auto.PUBLISHED in manifest()
    assert auto.PUBLISHED in weight_names(MODELS[auto.RHYTHM])
    assert EMBEDDED in MODELS
