"""The recipe of a training run, all settings that affect the weights, and its TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from rtvfi.core.errors import UsageError
from rtvfi.draw.options import SceneOptions
from rtvfi.models.cel.shape import CelShape
from rtvfi.settings.keys import any_of, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path


PRECISIONS: Final = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Length of the training, optimiser and loss."""

    seed: int = 1
    steps: int = 20000
    warmup: int = 200
    """Number of first steps in which the learning rate rises."""
    cooldown: int = 4000
    """Number of last steps in which the learning rate falls to zero."""
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    flow_weight: float = 0.02
    chroma_weight: float = 0.5
    average: float = 0.999
    """Decay of the running average of the weights; the averaged weights are validated and kept."""
    precision: str = "float32"
    """Precision of the convolutions in training, float32 or bfloat16. Weights, matching and
    validation are always float32.
    """
    validate_every: int = 500
    """Steps between validations."""
    checkpoint_every: int = 0
    """Steps between checkpoints; 0 = a checkpoint at every validation."""
    held_seed: int = 0
    """Seed of the validation scenes and their textures; 0 = other scenes, but with the textures of
    the training.
    """

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(
                f'train.precision is "{self.precision}", expected {any_of(PRECISIONS)}'
            )


@dataclass(frozen=True, kw_only=True)
class FeedOptions:
    """The samples of a training step, see ``data.Feed``."""

    num_scenes: int = 4
    """Scenes per batch."""
    crop: int = 192
    """Side of the crops, pixels."""
    uses: int = 4
    """A new batch is drawn every ``uses`` steps; the steps in between use batches of the pool."""
    pool: int = 24
    """Number of latest batches in the pool."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All settings that affect the weights."""

    scenes: SceneOptions = field(default_factory=SceneOptions)
    feed: FeedOptions = field(default_factory=FeedOptions)
    train: TrainOptions = field(default_factory=TrainOptions)
    shape: CelShape = field(default_factory=CelShape)


TABLES: Final[dict[str, Any]] = {
    "scenes": SceneOptions,
    "feed": FeedOptions,
    "train": TrainOptions,
    "shape": CelShape,
}

LEAST: Final = {
    "scenes.size": 2,
    "scenes.most_cels": 1,
    "scenes.num_backgrounds": 1,
    "scenes.num_sprites": 1,
    "feed.num_scenes": 1,
    "feed.crop": 2,
    "feed.uses": 1,
    "feed.pool": 1,
    "train.steps": 0,
    "train.validate_every": 1,
    "train.checkpoint_every": 0,
}
"""Minimum values."""


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        UsageError: it does not exist, is not TOML, or has a table, key or value that is not
            allowed.
    """
    try:
        tables = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f'"{path}" cannot be read: {error.strerror}', "see configs/") from error
    except ValueError as error:
        raise UsageError(f'"{path}" is not a TOML file: {error}') from error
    parts = {}
    for name, values in tables.items():
        if name not in TABLES or not isinstance(values, dict):
            raise UsageError(
                f'"{path}" has an unknown table "{name}"', f"tables: {', '.join(TABLES)}"
            )
        defaults = TABLES[name]()
        known = [each.name for each in fields(defaults)]
        for key, value in values.items():
            if key not in known:
                hint = did_you_mean(key, known) or f"keys of {name}: {', '.join(known)}"
                raise UsageError(f'"{path}" sets an unknown key "{name}.{key}"', hint)
            where = f'"{path}" sets {name}.{key}'
            values[key] = _checked(value, getattr(defaults, key), where)
            least = LEAST.get(f"{name}.{key}")
            if least is not None and value < least:
                raise UsageError(f'{where} to "{value}", expected {least} or more')
        parts[name] = TABLES[name](**values)
    recipe = Recipe(**parts)
    _check_together(recipe, path)
    return recipe


def _check_together(recipe: Recipe, path: Path) -> None:
    size, crop = recipe.scenes.size, recipe.feed.crop
    if size % 2 or crop % 2 or crop > size:
        raise UsageError(
            f'"{path}" has feed.crop = {crop} and scenes.size = {size}',
            "use even numbers, feed.crop no larger than scenes.size",
        )
    if len({len(value) for value in asdict(recipe.shape).values() if isinstance(value, tuple)}) > 1:
        hint = "set every list of [shape], each with one number per level"
        raise UsageError(f'the lists of [shape] in "{path}" differ in length', hint)


def _checked(value: object, default: object, where: str) -> object:
    """``value`` converted to the type of ``default``, or a UsageError."""
    if isinstance(default, tuple):
        if not isinstance(value, list) or not value:
            raise UsageError(f'{where} to "{value}", expected a list of numbers, one per level')
        return tuple(_checked(each, default[0], where) for each in value)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(default, bool | str):
        is_right = type(value) is type(default)
    else:
        is_right = is_whole or (isinstance(default, float) and isinstance(value, float))
    if not is_right:
        wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
        raise UsageError(f'{where} to "{value}", expected {wanted[type(default)]}')
    return float(value) if isinstance(default, float) and isinstance(value, int) else value


def recipe_text(recipe: Recipe) -> str:
    """The recipe as a TOML file for ``read_recipe``, with every key."""
    lines = []
    for name, values in asdict(recipe).items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {_written(value)}" for key, value in values.items()]
        lines.append("")
    return "\n".join(lines)


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def changed_keys(old: Recipe, new: Recipe) -> list[str]:
    """The differences of two recipes, each as ``table.key old -> new``."""
    after = asdict(new)
    return [
        f"{name}.{key} {value} -> {after[name][key]}"
        for name, values in asdict(old).items()
        for key, value in values.items()
        if after[name][key] != value
    ]
