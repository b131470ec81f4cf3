from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rtvfi.core.errors import ModelError
from rtvfi.models.weights.licence import accept, is_accepted
from rtvfi.models.weights.store import Store, manifest

if TYPE_CHECKING:
    from pathlib import Path

GIMM = manifest()["gimm"]


def test_licences_without_terms_need_no_word(tmp_path: Path) -> None:
    store = Store(tmp_path / "w")
    assert is_accepted(store, manifest()["rife-4.25"])
    accept(store, manifest()["rife-4.25"])
    assert not store.folder.exists()


def test_terms_are_accepted_once_for_all_files_under_them(tmp_path: Path) -> None:
    store = Store(tmp_path / "w")
    assert not is_accepted(store, GIMM)
    accept(store, GIMM)
    assert is_accepted(store, GIMM)
    assert is_accepted(store, manifest()["gimm-base"])
    assert not is_accepted(Store(tmp_path / "other"), GIMM)


def test_other_words_are_another_licence(tmp_path: Path) -> None:
    store = Store(tmp_path / "w")
    accept(store, GIMM)
    assert not is_accepted(store, replace(GIMM, terms="and a goat"))


@pytest.mark.parametrize("text", ["", "[]", "nonsense", "\x00"])
def test_a_broken_record_counts_as_nothing_accepted(text: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "accepted.json").write_text(text)
    assert not is_accepted(store, GIMM)
    accept(store, GIMM)
    assert is_accepted(store, GIMM)


def test_a_record_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be created"):
        accept(Store(tmp_path / "file" / "w"), GIMM)
