"""The configuration: settings from several places, merged and checked.

Later places win: defaults < preset < settings that ``rtvfi bench`` saved < the user's file < the
command line. Values are kept as in a TOML file ("auto" stands for None), each with its origin;
``play_options`` and ``render_options`` convert them to the options classes that commands use.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import platformdirs

from rtvfi.core.data import data_names, data_path
from rtvfi.core.errors import RtvfiError, UsageError
from rtvfi.core.files import is_same
from rtvfi.core.hardware.guess import hardware_guess
from rtvfi.core.options import EncodeOptions, SourceOptions, StreamOptions
from rtvfi.models.weights.auto import AUTO, resolve_model
from rtvfi.settings.keys import (
    SETTINGS,
    Value,
    any_of,
    as_toml,
    checked,
    did_you_mean,
    scales_by_size,
)
from rtvfi.settings.mpv_options import of_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rtvfi.core.options import Deinterlace, Form, Hwaccel, Overlap, SelfTest, Style, Tail
    from rtvfi.settings.mpv_options import Given
    from rtvfi.settings.profile import Profile

COMMAND_LINE: Final = "command line"
_MOST_BYTES: Final = 1 << 16
"""Maximum size of a settings file; the time of the TOML parser grows with its square."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilmOptions:
    """Options of all commands that interpolate films, checked without opening files."""

    files: tuple[str, ...]
    """Existing files and URLs, in order; never empty."""
    model: str
    """An id of the catalogue."""
    device: str
    """``auto``, ``cpu``, ``cuda``, ``cuda:N``, ``rocm`` or ``rocm:N``."""
    fps: str
    """The output rate, in the syntax of ``core.rates.parse_rate``."""
    stream: StreamOptions
    source: SourceOptions
    selftest: SelfTest = "auto"
    """When to test a GPU before a network uses it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayOptions(FilmOptions):
    """All options of ``rtvfi play``."""

    is_model_ours: bool = False
    """rtvfi chose the model (``auto``), so it may choose another if the GPU fails its test."""
    start: str | None = None
    """Start position in mpv's syntax."""
    sub_files: tuple[str, ...] = ()
    """Files and URLs of additional subtitles."""
    audio_files: tuple[str, ...] = ()
    """Files and URLs of additional sound."""
    mpv: tuple[tuple[str, str], ...] = ()
    """Options for mpv in order, one (name, value) pair per value; they override rtvfi's own."""
    report: Path | None = None
    """File for the JSON report that is written when playback ends."""
    record: Path | None = None
    """File to record to."""
    completes_recording: bool = False
    """After playback, render the parts skipped between the first and last moment watched."""
    encode: EncodeOptions = field(default_factory=EncodeOptions)
    """How the recording is encoded."""
    force: bool = False
    """Overwrite an existing recording."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderOptions(FilmOptions):
    """All options of ``rtvfi render``."""

    encode: EncodeOptions
    output: Path | None = None
    """A file or a folder; None = beside each input."""
    extension: str = ".mkv"
    """Used where ``output`` does not name a file."""
    start: Fraction = Fraction(0)
    """Start position in seconds, as a player shows it."""
    end: Fraction | None = None
    """End position in seconds; None = the end of the film."""
    has_audio: bool = True
    """Copy the sound."""
    force: bool = False
    """Overwrite existing files, and start over instead of resuming."""
    must_resume: bool = False
    """Fail unless an interrupted rendering can be resumed."""
    keeps_times: bool = False
    """Keep the film's own frame times and add frames between them; else use a constant rate."""
    is_json: bool = False
    """Print progress as JSON, one object per line."""
    status: Path | None = None
    """A file that always contains the latest of those objects."""
    is_png_only: bool = False
    """Write a folder of PNGs instead of a film."""
    keeps_pngs: bool = False
    """Write a folder of PNGs beside the film."""
    is_montage: bool = False
    """Show the source to the left of the result."""
    enhance: str | None = None
    """Network that restores the film's pictures first, see ``engine.enhance``."""


class Entry(NamedTuple):
    """The value of a setting and where it came from."""

    value: Value
    origin: str


class MpvEntry(NamedTuple):
    """The values of an mpv option and where they came from."""

    values: tuple[str, ...]
    origin: str


@dataclass(slots=True)
class _Layer:
    """The settings from one place."""

    entries: dict[str, Entry]
    mpv: dict[str, MpvEntry]


@dataclass(frozen=True, slots=True)
class Config:
    """The effective configuration."""

    preset: Entry
    entries: Mapping[str, Entry]
    """One entry for every key of SETTINGS."""
    mpv: Mapping[str, MpvEntry]
    """mpv's options by name."""
    profile: Profile | None = None
    """The measured settings, if they are in use."""

    def __getitem__(self, key: str) -> Value:
        return self.entries[key].value

    def to_toml(self) -> str:
        """The configuration as a file that would reproduce it, each line with its origin."""
        entries = {"preset": self.preset, **self.entries}
        text = _table((key, as_toml(e.value), e.origin) for key, e in entries.items())
        mpv = _table((name, _as_toml(e.values), e.origin) for name, e in self.mpv.items())
        return text + "\n[mpv]\n" + mpv if mpv else text


def _as_toml(values: tuple[str, ...]) -> str:
    texts = [as_toml(value) for value in values]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _table(lines: Iterable[tuple[str, str, str]]) -> str:
    assignments = [(f"{key} = {value}", origin) for key, value, origin in lines]
    width = max((len(text) for text, _ in assignments), default=0)
    return "".join(f"{text:<{width}}  # {origin}\n" for text, origin in assignments)


def user_file() -> Path | None:
    """The user's settings file, or None: $RTVFI_CONFIG, else rtvfi.toml in the config folder.

    An empty $RTVFI_CONFIG means no file.

    Raises:
        UsageError: $RTVFI_CONFIG names a file that does not exist.
    """
    named = os.environ.get("RTVFI_CONFIG")
    if named is None:
        path = default_user_file()
        return path if path.is_file() else None
    if named and not Path(named).is_file():
        raise UsageError(
            f'RTVFI_CONFIG is "{named}", which does not exist', hint="unset RTVFI_CONFIG"
        )
    return Path(named) if named else None


def default_user_file() -> Path:
    """The default path of the user's settings file."""
    return platformdirs.user_config_path("rtvfi", appauthor=False) / "rtvfi.toml"


def resolve_config(
    command_line: Mapping[str, Value],
    preset: str | None = None,
    file: Path | None = None,
    profile: Profile | None = None,
    mpv: Given | None = None,
) -> Config:
    """Merge settings from all places.

    Args:
        command_line: settings from the command line, by key of SETTINGS.
        preset: name of the preset given on the command line.
        file: the user's settings file.
        profile: measured settings. Ignored if the user chose a preset, or a model or device other
            than the measured ones.
        mpv: options of mpv from the command line.

    Raises:
        UsageError: a key or value is not allowed; the message says where, and what is allowed.
    """
    layer = _read_file(file) if file else _Layer({}, {})
    own = layer.entries
    given = {
        key: Entry(checked(SETTINGS[key], value, ""), COMMAND_LINE)
        for key, value in command_line.items()
    }
    own_preset = own.pop("preset", None)
    device = str((given.get("device") or own.get("device") or Entry("auto", "")).value)
    if preset is not None:
        chosen = Entry(preset, COMMAND_LINE)
    elif own_preset is not None:
        chosen = own_preset
    elif device == "cpu" or (device == "auto" and hardware_guess() == "cpu"):
        chosen = Entry("cpu", "no GPU" if device == "auto" else f'device = "{device}"')
    else:
        chosen = Entry("default", "default")
    defaults = {key: Entry(setting.default, "default") for key, setting in SETTINGS.items()}
    if profile is not None and (preset or own_preset or not _fits(profile, {**own, **given})):
        profile = None
    measured = {} if profile is None else profile.settings
    bench = {
        key: Entry(value, f"bench {profile and profile.date}") for key, value in measured.items()
    }
    base = _read_preset(chosen)
    layers = {**defaults, **base.entries, **bench, **own, **given}
    for_mpv = {name: MpvEntry(values, COMMAND_LINE) for name, values in (mpv or {}).items()}
    return Config(chosen, layers, {**base.mpv, **layer.mpv, **for_mpv}, profile)


def _fits(profile: Profile, asked: Mapping[str, Entry]) -> bool:
    """Whether the profile was measured with the requested model and device."""
    return all(
        key not in asked or asked[key].value == profile.settings[key] for key in ("model", "device")
    )


def presets() -> tuple[str, ...]:
    """Names of the presets; the training recipe in the same folder is not one."""
    return tuple(name for name in data_names("configs", ".toml") if not name.endswith("-train"))


def _read_preset(chosen: Entry) -> _Layer:
    names = presets()
    if chosen.value not in names:
        where = "--preset" if chosen.origin == COMMAND_LINE else f"{chosen.origin}: preset"
        raise UsageError(
            f'{where} is "{chosen.value}", expected {any_of(names)}',
            hint=did_you_mean(str(chosen.value), names),
        )
    path = data_path("configs", f"{chosen.value}.toml")
    return _read_file(path, f'preset "{chosen.value}"')


def _read_file(path: Path, origin: str = "") -> _Layer:
    """The settings in a file; their origin is its path unless another is given."""
    try:
        with path.open("rb") as stream:
            text = stream.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise UsageError(f"{path}: too large for a settings file")
        table = tomllib.loads(text.decode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: is not TOML: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{path}: is not TOML: brackets are nested too deeply") from error
    known = ("preset", *SETTINGS, "mpv")
    found, origin = _Layer({}, {}), origin or str(path)
    for key, value in table.items():
        if key not in known:
            raise UsageError(
                f'{path}: there is no key "{key}", expected {any_of(known)}',
                hint=did_you_mean(key, known),
            )
        if key == "mpv":
            given = of_table(value, str(path))
            found.mpv = {name: MpvEntry(values, origin) for name, values in given.items()}
        else:
            value = checked(SETTINGS.get(key), value, f"{path}: {key}")
            found.entries[key] = Entry(value, origin)
    return found


def will_use_gpu(device: str) -> bool:
    """Whether a GPU will be used for this value of ``--device``, determined without torch."""
    return hardware_guess() != "cpu" if device == "auto" else device != "cpu"


def live_model(config: Config) -> str:
    """The id of the configured model, with ``auto`` resolved for this machine."""
    style, is_gpu = cast("Style", config["style"]), will_use_gpu(str(config["device"]))
    return resolve_model(str(config["model"]), is_gpu=is_gpu, style=style)


def play_options(
    config: Config, files: tuple[str, ...], start: str | None = None, report: Path | None = None
) -> PlayOptions:
    """The options of ``rtvfi play``; ``start`` is in mpv's syntax.

    Raises:
        RtvfiError: the report could not be written.
    """
    if report is not None:
        check_writable(report, files)
    return PlayOptions(
        **_film_options(config, files),
        is_model_ours=config["model"] == AUTO,
        start=start,
        mpv=tuple((name, value) for name, entry in config.mpv.items() for value in entry.values),
        report=report,
    )


def render_options(config: Config, files: tuple[str, ...], encode: EncodeOptions) -> RenderOptions:
    """The options of ``rtvfi render`` that come from the configuration; others are defaults."""
    return RenderOptions(**_film_options(config, files), encode=encode)


def _film_options(config: Config, files: tuple[str, ...]) -> dict[str, Any]:
    """The fields of ``FilmOptions``."""
    return {
        "files": files,
        "model": live_model(config),
        "device": str(config["device"]),
        "fps": str(config["fps"]),
        "stream": _stream_options(config),
        "source": _source_options(config),
        "selftest": cast("SelfTest", config["selftest"]),
    }


def _stream_options(config: Config) -> StreamOptions:
    scale = config["flow_scale"]
    by_size = scales_by_size(scale) if isinstance(scale, str) and scale != "auto" else None
    return StreamOptions(
        style=cast("Style", config["style"]),
        passes=None if config["passes"] == "auto" else int(config["passes"]),
        tail=cast("Tail", config["tail"]),
        flow_scale=None if isinstance(scale, str) else float(scale),
        flow_scales=by_size or StreamOptions().flow_scales,
        form=cast("Form", config["compile"]),
        overlap=cast("Overlap", config["overlap"]),
        cut_threshold=float(config["cut_threshold"]),
    )


def _source_options(config: Config) -> SourceOptions:
    return SourceOptions(
        hwaccel=cast("Hwaccel", config["hwaccel"]),
        vaapi_device=str(config["vaapi_device"]),
        deinterlace=cast("Deinterlace", config["deinterlace"]),
    )


def check_writable(report: Path, files: Sequence[str] = ()) -> None:
    """Check before the film starts that the report can be written, and is none of the inputs.

    Raises:
        RtvfiError: it cannot be written.
    """
    folder = report.parent
    if any(is_same(report, file) for file in files):
        raise UsageError(f'the report "{report}" is an input, which would be overwritten')
    if not folder.is_dir():
        raise RtvfiError(
            f'the folder of the report "{report}" does not exist', hint=f'mkdir "{folder}"'
        )
    if report.is_dir() or not os.access(report if report.exists() else folder, os.W_OK):
        raise RtvfiError(f'the report "{report}" cannot be written')
