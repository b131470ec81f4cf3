"""Parses and checks the page's requests for renderings. Pure."""

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
    """An object that moves at its own pace."""

    mask: bytes
    """A PNG file that marks the object in the first picture."""
    curve: Curve
    """The distance that the object has covered at each time."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A request to render pictures."""

    objects: tuple[Object, ...]
    count: int
    """Number of new pictures."""
    model: str
    steps: int | None
    """Steps per picture for a network with a reference picture; None = its default."""
    rate: Fraction
    """Pictures per second."""
    form: Form
    """Format of an export."""


def wish_of(said: object) -> Wish:
    """Parse a request, a decoded JSON document.

    Raises:
        UsageError: a field is missing or has a value that is not allowed.
    """
    if not isinstance(said, dict):
        raise UsageError("expected a JSON object")
    form = said.get("form", "gif")
    if form not in get_args(Form):
        raise UsageError(f'form is "{form}", expected one of {", ".join(get_args(Form))}')
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
        raise UsageError("an object has no mask") from error
    return Object(mask, curve_of(said.get("curve")))


def curve_of(said: object) -> Curve:
    """Parse a curve, a list of (time, distance) pairs.

    Raises:
        UsageError: it is not a valid curve.
    """
    try:
        if not isinstance(said, list | tuple):
            raise TypeError("expected a list of pairs")
        points = tuple((float(x), float(y)) for x, y in said)
        if len(points) > MOST_POINTS:
            raise ValueError(f"more than {MOST_POINTS} points")
        return Curve(points)
    except (TypeError, ValueError) as error:
        raise UsageError(f"invalid curve: {error}") from error
