"""What the user chose, each value checked: defaults < preset < what ``rtvfi bench`` saved < the
user's file < the command line.

Values are kept in the form a TOML file has them ("auto" stands for None), with the place each came
from; ``play_options`` turns them into the options classes of the rooms.
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
"""Of a file with settings; the parser's time grows with the square of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilmOptions:
    """What every command that interpolates films was asked for, checked as far as it can be without
    opening files.

    The style is ``stream.style``.
    """

    files: tuple[str, ...]
    """Existing files and addresses, in order; never empty."""
    model: str
    """An id of the catalogue."""
    device: str
    """``auto``, ``cpu``, ``cuda``, ``cuda:N``, ``rocm`` or ``rocm:N``."""
    fps: str
    """What ``stream.rates.parse_rate`` reads."""
    stream: StreamOptions
    source: SourceOptions
    selftest: SelfTest = "auto"
    """When a GPU is tested before networks use it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayOptions(FilmOptions):
    """Everything ``rtvfi play`` was asked for."""

    is_model_ours: bool = False
    """The model was left to us, so that a GPU which fails its test may bring another."""
    start: str | None = None
    """Where to begin, in mpv's syntax."""
    sub_files: tuple[str, ...] = ()
    """Files and addresses with more subtitles."""
    audio_files: tuple[str, ...] = ()
    """The same with sound."""
    mpv: tuple[tuple[str, str], ...] = ()
    """Options for mpv, in order, a name for each value; they win over rtvfi's own."""
    report: Path | None = None
    """Where a JSON report goes when playback ends."""
    record: Path | None = None
    """Where what is played is recorded."""
    completes_recording: bool = False
    """What was skipped between the first and the last moment watched is rendered afterwards."""
    encode: EncodeOptions = field(default_factory=EncodeOptions)
    """How it is recorded."""
    force: bool = False
    """The recording overwrites what is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderOptions(FilmOptions):
    """Everything ``rtvfi render`` was asked for."""

    encode: EncodeOptions
    output: Path | None = None
    """A file, or a folder; None = beside each input."""
    extension: str = ".mkv"
    """Of names that are made up."""
    start: Fraction = Fraction(0)
    """Where to begin, seconds on a player's clock."""
    end: Fraction | None = None
    """Where to end."""
    has_audio: bool = True
    force: bool = False
    """Overwrite, and begin anew."""
    must_resume: bool = False
    """Refuse to begin anew."""
    keeps_times: bool = False
    """The film's own times stay, with a multiple of pictures between them; else a steady rate."""
    is_json: bool = False
    """Progress is printed as JSON, an object a line."""
    status: Path | None = None
    """A file that always holds the newest of those lines."""
    is_png_only: bool = False
    """Write a folder of PNGs instead of a film."""
    keeps_pngs: bool = False
    """Write a folder of PNGs beside the film."""
    is_montage: bool = False
    """Put the source to the left of what was made of it."""
    enhance: str | None = None
    """Network that restores the film's pictures first, see ``engine.enhance``."""


class Entry(NamedTuple):
    """A value and where it came from."""

    value: Value
    origin: str


class MpvEntry(NamedTuple):
    """The values of an option of mpv and where they came from."""

    values: tuple[str, ...]
    origin: str


@dataclass(slots=True)
class _Layer:
    """What one place says."""

    entries: dict[str, Entry]
    mpv: dict[str, MpvEntry]


@dataclass(frozen=True, slots=True)
class Config:
    """The effective configuration."""

    preset: Entry
    entries: Mapping[str, Entry]
    """By key of SETTINGS."""
    mpv: Mapping[str, MpvEntry]
    """By name."""
    profile: Profile | None = None
    """What was measured and is made use of."""

    def __getitem__(self, key: str) -> Value:
        return self.entries[key].value

    def to_toml(self) -> str:
        """The configuration as a file that gives it again, each line with its origin."""
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
    """The user's file, if there is one: $RTVFI_CONFIG, else rtvfi.toml in the folder for settings.

    Raises:
        UsageError: $RTVFI_CONFIG names a file that is not there; empty, it means no file.
    """
    named = os.environ.get("RTVFI_CONFIG")
    if named is None:
        path = default_user_file()
        return path if path.is_file() else None
    if named and not Path(named).is_file():
        raise UsageError(
            f'RTVFI_CONFIG names "{named}", and there is no such file', hint="unset RTVFI_CONFIG"
        )
    return Path(named) if named else None


def default_user_file() -> Path:
    """Where a user's own settings are looked for."""
    return platformdirs.user_config_path("rtvfi", appauthor=False) / "rtvfi.toml"


def resolve_config(
    command_line: Mapping[str, Value],
    preset: str | None = None,
    file: Path | None = None,
    profile: Profile | None = None,
    mpv: Given | None = None,
) -> Config:
    """Put the layers on top of each other.

    Args:
        command_line: what was given there, by key of SETTINGS.
        preset: its name, if one was asked for.
        file: the user's file.
        profile: what was measured; it counts where nobody named a preset, or a model or device
            other than it was measured with.
        mpv: options of mpv on the command line.

    Raises:
        UsageError: a value or key that does not exist, naming where it stands and what is allowed.
    """
    layer = _read_file(file) if file else _Layer({}, {})
    own = layer.entries
    said = {
        key: Entry(checked(SETTINGS[key], value, ""), COMMAND_LINE)
        for key, value in command_line.items()
    }
    own_preset = own.pop("preset", None)
    device = str((said.get("device") or own.get("device") or Entry("auto", "")).value)
    if preset is not None:
        chosen = Entry(preset, COMMAND_LINE)
    elif own_preset is not None:
        chosen = own_preset
    elif device == "cpu" or (device == "auto" and hardware_guess() == "cpu"):
        chosen = Entry("cpu", "no GPU" if device == "auto" else f'device = "{device}"')
    else:
        chosen = Entry("default", "default")
    defaults = {key: Entry(setting.default, "default") for key, setting in SETTINGS.items()}
    if profile is not None and (preset or own_preset or not _fits(profile, {**own, **said})):
        profile = None
    measured = {} if profile is None else profile.settings
    bench = {
        key: Entry(value, f"bench {profile and profile.date}") for key, value in measured.items()
    }
    base = _read_preset(chosen)
    layers = {**defaults, **base.entries, **bench, **own, **said}
    for_mpv = {name: MpvEntry(values, COMMAND_LINE) for name, values in (mpv or {}).items()}
    return Config(chosen, layers, {**base.mpv, **layer.mpv, **for_mpv}, profile)


def _fits(profile: Profile, asked: Mapping[str, Entry]) -> bool:
    """Whether what was measured is what is asked for."""
    return all(
        key not in asked or asked[key].value == profile.settings[key] for key in ("model", "device")
    )


def presets() -> tuple[str, ...]:
    """Names of the presets. The recipe for training, which is in the same folder, is not one."""
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
    """What a file says; the origin of its entries is its path unless another is given."""
    try:
        with path.open("rb") as stream:
            text = stream.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise UsageError(f"{path}: is too long for settings")
        table = tomllib.loads(text.decode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: is not TOML: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{path}: is not TOML: brackets within brackets") from error
    known = ("preset", *SETTINGS, "mpv")
    found, origin = _Layer({}, {}), origin or str(path)
    for key, value in table.items():
        if key not in known:
            raise UsageError(
                f'{path}: there is no key "{key}"; known are {any_of(known)}',
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
    """Whether a GPU will compute, told without torch; ``device`` as in SETTINGS."""
    return hardware_guess() != "cpu" if device == "auto" else device != "cpu"


def live_model(config: Config) -> str:
    """The id of the model that the configuration asks for; see ``resolve_model``."""
    style, is_gpu = cast("Style", config["style"]), will_use_gpu(str(config["device"]))
    return resolve_model(str(config["model"]), is_gpu=is_gpu, style=style)


def play_options(
    config: Config, files: tuple[str, ...], start: str | None = None, report: Path | None = None
) -> PlayOptions:
    """The options of the rooms.

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
    """What the configuration says about rendering; the rest has its defaults."""
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
    """Find out now, not after the film, whether the report can be written.

    Raises:
        RtvfiError: it cannot.
    """
    folder = report.parent
    if any(is_same(report, file) for file in files):
        raise UsageError(f'the report "{report}" is an input, which would be overwritten')
    if not folder.is_dir():
        raise RtvfiError(f'the report "{report}" has no folder to go to', hint=f'mkdir "{folder}"')
    if report.is_dir() or not os.access(report if report.exists() else folder, os.W_OK):
        raise RtvfiError(f'the report "{report}" cannot be written')
