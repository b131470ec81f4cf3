"""What the page asks for, checked. Pure."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, get_args

from rtvfi.core.errors import UsageError
from rtvfi.models.interpany.curve import Curve

if TYPE_CHECKING:
    from rtvfi.core.files import Json

Form = Literal["gif", "webp", "mp4", "png"]
MOST_PICTURES: Final = 240
MOST_OBJECTS: Final = 32
MOST_POINTS: Final = 32


@dataclass(frozen=True, slots=True)
class Object:
    """Something that moves at its own pace."""

    mask: bytes
    """A PNG file: where it is in the first picture."""
    curve: Curve


@dataclass(frozen=True, slots=True)
class Wish:
    """Pictures to be made."""

    objects: tuple[Object, ...]
    count: int
    """New pictures."""
    model: str
    steps: int | None
    """See ``Between``."""
    rate: Fraction
    """Pictures per second."""
    form: Form
    """Of an export."""


def wish_of(said: object) -> Wish:
    """The wish in a JSON document.

    Raises:
        UsageError: it says what is wrong.
    """
    if not isinstance(said, dict):
        raise UsageError("expected an object")
    form = said.get("form", "gif")
    if form not in get_args(Form):
        raise UsageError(f'"{form}" is none of {", ".join(get_args(Form))}')
    listed = said.get("objects", [])
    if not isinstance(listed, list) or len(listed) > MOST_OBJECTS:
        raise UsageError(f"expected at most {MOST_OBJECTS} objects")
    steps = said.get("steps")
    return Wish(
        objects=tuple(_object_of(one) for one in listed),
        count=_whole(said.get("count", 9), "count", MOST_PICTURES),
        model=str(said.get("model", "")),
        steps=None if steps is None else _whole(steps, "steps", 16),
        rate=Fraction(_whole(said.get("rate", 12), "rate", 120)),
        form=form,
    )


def _whole(value: object, name: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise UsageError(f'{name} is "{value}", expected 1 to {most}')
    return value


def _object_of(said: Json) -> Object:
    try:
        mask = base64.b64decode(said["mask"].partition("base64,")[2], validate=True)
    except (TypeError, KeyError, AttributeError, binascii.Error) as error:
        raise UsageError("an object without a mask") from error
    return Object(mask, curve_of(said.get("curve")))


def curve_of(said: object) -> Curve:
    """A curve from a list of pairs.

    Raises:
        UsageError: it is none.
    """
    try:
        if not isinstance(said, list | tuple):
            raise TypeError("expected a list of pairs")
        points = tuple((float(x), float(y)) for x, y in said)
        if len(points) > MOST_POINTS:
            raise ValueError(f"more than {MOST_POINTS} points")
        return Curve(points)
    except (TypeError, ValueError) as error:
        raise UsageError(f"no curve: {error}") from error
