"""A family is found by the package it is, and a weight file by the one family whose it is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import torch
from made_weights import parameters_of

from rtvfi import models
from rtvfi.models.catalogue import MODELS
from rtvfi.models.discover import modules
from rtvfi.models.families import FAMILIES, detect
from rtvfi.models.weights.store import manifest

if TYPE_CHECKING:
    from pathlib import Path

NETWORKS = sorted({entry.network for entry in manifest().values()} - {"cel"})


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose packages are families, too."""
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    return tmp_path


def test_a_package_with_rows_is_a_family_and_one_without_is_none(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("made_here", "no_family"):
        (beside / name).mkdir()
        (beside / name / "__init__.py").write_text("")
        monkeypatch.delitem(sys.modules, f"rtvfi.models.{name}", raising=False)
    (beside / "made_here" / "rows.py").write_text("PLACE, ROWS = 5, ('mine',)")
    found = {module.__name__: module for module in modules("rows")}
    assert found["rtvfi.models.made_here.rows"].ROWS == ("mine",)
    assert "rtvfi.models.no_family.rows" not in found
    assert "rtvfi.models.weights.rows" not in found
    assert "rtvfi.models.rife.rows" in found


def test_every_row_of_the_catalogue_is_of_a_family_that_builds_it() -> None:
    assert {row.family for row in MODELS.values()} <= set(FAMILIES)
    places = [module.PLACE for module in modules("rows")]
    assert len(places) == len(set(places))


@pytest.mark.parametrize("network", NETWORKS)
def test_a_state_is_of_one_family_with_a_narrow_rule_or_else_of_a_broad_one(network: str) -> None:
    shapes = parameters_of(network)
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    takers = [
        family.name
        for family in FAMILIES.values()
        if not family.is_broad and family.detect(state) is not None
    ]
    assert len(takers) <= 1
    assert detect(state).network == network
