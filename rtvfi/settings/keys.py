"""The settings: keys of configuration files and options of the command line, and their values."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, get_args

from rtvfi.core.errors import UnknownModel, UsageError
from rtvfi.core.options import (
    MAX_PASSES,
    Deinterlace,
    Form,
    Hwaccel,
    Overlap,
    SelfTest,
    SourceOptions,
    StreamOptions,
    Style,
    Tail,
)
from rtvfi.core.rates import parse_rate
from rtvfi.models.catalogue import find
from rtvfi.models.weights.auto import AUTO

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Value = str | int | float


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a configuration file and the command-line option that corresponds to it."""

    key: str
    default: Value
    read: Callable[[Value], Value]
    """Converts a value to its TOML form; raises ValueError whose text says what is expected."""
    choices: tuple[str, ...] = ()
    """Allowed values, if they can be listed; used for suggestions and completion."""
    option: str = ""
    """The option's name, if it is not derived from the key."""

    @property
    def flag(self) -> str:
        """The option's name on the command line."""
        return self.option or "--" + self.key.replace("_", "-")


def any_of(words: Sequence[str]) -> str:
    """``a, b or c``."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def did_you_mean(word: str, known: Sequence[str], cutoff: float = 0.5) -> str:
    """A hint with the most similar known word; empty if its similarity (0 to 1) is below cutoff."""
    near = get_close_matches(word, known, n=1, cutoff=cutoff)
    return f'did you mean "{near[0]}"?' if near else ""


def _choice(words: tuple[str, ...]) -> Callable[[Value], Value]:
    def read(value: Value) -> Value:
        if value not in words:
            raise ValueError(any_of(words))
        return value

    return read


def _read_model(value: Value) -> Value:
    return AUTO if value == AUTO else find(str(value)).id


def _read_fps(value: Value) -> Value:
    parse_rate(str(value))
    return str(value)


def _read_device(value: Value) -> Value:
    if not re.fullmatch(r"auto|cpu|(cuda|rocm)(:\d{1,3})?", str(value)):
        raise ValueError("auto, cpu, cuda, cuda:N, rocm or rocm:N")
    return value


def _number(value: Value) -> float:
    try:
        return float(value)
    except ValueError:
        return -1.0


_SCALES: Final = (1.0, 0.5, 0.25)


def _read_flow_scale(value: Value) -> Value:
    if value == "auto":
        return value
    if _number(value) in _SCALES:
        return float(value)
    scales_by_size(str(value))
    return str(value)


def scales_by_size(text: str) -> tuple[tuple[float, float], ...]:
    """Parse a flow scale that depends on the picture's size: ``854x480:1,1920x1080:0.5,0.25``.

    Returns:
        (pixels, scale) pairs, ascending: the scale for pictures of up to that many pixels. The last
        pair has infinity and applies to all larger pictures.

    Raises:
        ValueError: the text has another form.
    """
    wanted = "1, 0.5, 0.25, auto, or by size as in 1920x1080:1,0.5"
    steps = []
    *sized, rest = text.split(",")
    for part in sized:
        found = re.fullmatch(r"\s*(\d{1,5})x(\d{1,5}):([\d.]+)\s*", part)
        if found is None or _number(found[3]) not in _SCALES:
            raise ValueError(wanted)
        steps.append((float(int(found[1]) * int(found[2])), float(found[3])))
    if not sized or _number(rest) not in _SCALES or steps != sorted(steps):
        raise ValueError(wanted)
    return (*steps, (math.inf, float(rest)))


def _read_passes(value: Value) -> Value:
    if value == "auto":
        return value
    if _number(value) not in range(MAX_PASSES + 1):
        raise ValueError(f"auto or a whole number from 0 to {MAX_PASSES}")
    return int(_number(value))


def _read_threshold(value: Value) -> Value:
    if not 0 <= _number(value) <= 1:
        raise ValueError("a number from 0 to 1")
    return float(value)


def _read_vaapi_device(value: Value) -> Value:
    if not re.fullmatch(r"auto|/.+|:\d+(\.\d+)?", str(value)):
        raise ValueError("auto, a render node (/dev/dri/renderD128) or an X display (:0)")
    return str(value)


FORMS: Final = get_args(Form)
OVERLAPS: Final = get_args(Overlap)
STYLES: Final = get_args(Style)
TAILS: Final = get_args(Tail)
HWACCELS: Final = get_args(Hwaccel)
DEINTERLACES: Final = get_args(Deinterlace)
SELFTESTS: Final = get_args(SelfTest)
SETTINGS: Final = {
    setting.key: setting
    for setting in (
        Setting("model", AUTO, _read_model),
        Setting("device", "auto", _read_device, ("auto", "cpu", "cuda", "rocm")),
        Setting("selftest", SELFTESTS[0], _choice(SELFTESTS), SELFTESTS),
        Setting("style", StreamOptions().style, _choice(STYLES), STYLES),
        Setting("passes", "auto", _read_passes),
        Setting("tail", StreamOptions().tail, _choice(TAILS), TAILS),
        Setting("fps", "display", _read_fps),
        Setting("flow_scale", "auto", _read_flow_scale, option="--scale"),
        Setting("compile", StreamOptions().form, _choice(FORMS), FORMS),
        Setting("overlap", StreamOptions().overlap, _choice(OVERLAPS), OVERLAPS),
        Setting("cut_threshold", StreamOptions().cut_threshold, _read_threshold),
        Setting("hwaccel", SourceOptions().hwaccel, _choice(HWACCELS), HWACCELS),
        Setting("vaapi_device", SourceOptions().vaapi_device, _read_vaapi_device),
        Setting("deinterlace", SourceOptions().deinterlace, _choice(DEINTERLACES), DEINTERLACES),
    )
}


def checked(setting: Setting | None, value: object, where: str) -> Value:
    """Check a value and convert it to its TOML form.

    Args:
        setting: what the value is for; None for the name of a preset, which is checked elsewhere.
        value: as it was given.
        where: how error messages name the place; empty for the setting's option.

    Raises:
        UsageError: the value is not allowed.
    """
    if setting is None:
        return str(value)
    where = where or setting.flag
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(
            f"{where} is {value!r}, expected one value in the form {setting.default!r}"
        )
    try:
        return setting.read(value)
    except UnknownModel as error:
        raise UnknownModel(f"{where}: {error.message}", hint=error.hint) from None
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", hint=error.hint) from None
    except ValueError as error:
        hint = did_you_mean(str(value), setting.choices)
        raise UsageError(f'{where} is "{value}", expected {error}', hint=hint) from None


def as_toml(value: Value) -> str:
    """A value in TOML syntax."""
    if not isinstance(value, str):
        return repr(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\u{ord(m[0]):04x}", escaped) + '"'
