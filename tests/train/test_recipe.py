from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rtvfi.core.data import data_path
from rtvfi.core.errors import UsageError
from rtvfi.models.cel.shape import CelShape
from rtvfi.train.recipe import Recipe, TrainOptions, changed_keys, read_recipe, recipe_text

if TYPE_CHECKING:
    from pathlib import Path


def test_a_recipe_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    recipe = Recipe(
        train=TrainOptions(steps=7, learning_rate=1e-5),
        shape=CelShape(hidden=4),
    )
    path = tmp_path / "recipe.toml"
    path.write_text(recipe_text(recipe))
    assert read_recipe(path) == recipe


def test_the_recipe_that_travels_along_is_read() -> None:
    assert read_recipe(data_path("configs", "cel-train.toml")).feed.crop == 384


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[train]\nspeed = 3\n", r"train\.speed"),
        ("[trian]\nsteps = 3\n", '"trian"'),
        ("steps = 3\n", '"steps"'),
        ("[train]\nsteps = 3.5\n", "expected a whole number"),
        ("[train]\nsteps = true\n", "expected a whole number"),
        ('[train]\nlearning_rate = "fast"\n', "expected a number"),
        ("[shape]\nradii = 2\n", "expected a list of numbers"),
        ("[shape]\nradii = [1, 2]\n", "differ in length"),
        ('[train]\nprecision = "half"\n', '"half", expected float32 or bfloat16'),
        ("[train\n", "is not a TOML file"),
        ("[feed]\nuses = 0\n", r'feed\.uses to "0", expected 1 or more'),
        ("[train]\nvalidate_every = 0\n", "expected 1 or more"),
        ("[scenes]\nsize = 64\n", "has feed.crop = 192 and scenes.size = 64"),
        ("[feed]\ncrop = 33\n", "has feed.crop = 33"),
    ],
)
def test_what_means_nothing_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_recipe(path)


def test_a_recipe_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_recipe(tmp_path / "none.toml")


def test_whole_numbers_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("[scenes]\nfastest = 64\n")
    fastest = read_recipe(path).scenes.fastest
    assert (fastest, type(fastest)) == (64.0, float)


def test_changes_are_named() -> None:
    longer = Recipe(train=TrainOptions(steps=9))
    assert changed_keys(Recipe(train=TrainOptions(steps=4)), longer) == ["train.steps 4 -> 9"]
