from __future__ import annotations

import tomllib
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.core.data import data_path
from rtvfi.core.errors import RtvfiError, UnknownModel, UsageError
from rtvfi.core.hardware.guess import hardware_guess
from rtvfi.settings import config
from rtvfi.settings.config import Config, play_options, resolve_config
from rtvfi.settings.keys import FORMS, HWACCELS, OVERLAPS, SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.settings.config import Config
    from rtvfi.settings.keys import Value
    from rtvfi.settings.mpv_options import Given


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine has a GPU unless a test says otherwise."""
    monkeypatch.setattr(config, "hardware_guess", lambda: "cuda")


def toml(folder: Path, text: str) -> Path:
    path = folder / "rtvfi.toml"
    path.write_text(text)
    return path


# --- layers ----------------------------------------------------------------------------------


def test_later_layers_win_and_are_named(tmp_path: Path) -> None:
    file = toml(tmp_path, 'preset = "cpu"\nmodel = "copy"\nfps = "3x"\n')
    made = resolve_config({"fps": "60"}, file=file)
    origins = {key: (entry.value, entry.origin) for key, entry in made.entries.items()}
    assert origins["fps"] == ("60", "command line")
    assert origins["model"] == ("copy", str(file))
    assert origins["flow_scale"] == ("auto", 'preset "cpu"')
    assert origins["style"] == ("smooth", 'preset "cpu"')
    assert origins["tail"] == ("hold", "default")
    assert made.preset.origin == str(file)


def test_preset_of_the_command_line_wins_over_the_files(tmp_path: Path) -> None:
    file = toml(tmp_path, 'preset = "cpu"\n')
    assert resolve_config({}, "quality", file).preset.value == "quality"


def test_without_a_gpu_the_cpu_preset_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "hardware_guess", lambda: "cpu")
    made = resolve_config({})
    assert (made.preset.value, made["fps"]) == ("cpu", "auto")
    assert resolve_config({}, "default").preset.value == "default"
    assert resolve_config({"device": "cuda"}).preset.value == "default"


def test_the_cpu_by_request_takes_its_preset_too() -> None:
    assert resolve_config({"device": "cpu"}).preset.value == "cpu"
    assert resolve_config({}).preset.value == "default"


def test_the_default_preset_repeats_the_defaults_of_the_code() -> None:
    table = tomllib.loads(data_path("configs", "default.toml").read_text())
    assert table == {key: setting.default for key, setting in SETTINGS.items()}


@pytest.mark.parametrize("name", config.presets())
def test_every_line_of_a_preset_is_explained(name: str) -> None:
    lines = data_path("configs", f"{name}.toml").read_text().splitlines()
    assert [line for line in lines if line and "#" not in line] == []
    assert resolve_config({}, name).preset.value == name


# --- refusals --------------------------------------------------------------------------------


def refused(folder: Path, wrong: dict[str, Value] | str) -> UsageError:
    """What is said of an option, or of a file with this text."""
    file = toml(folder, wrong) if isinstance(wrong, str) else None
    with pytest.raises(UsageError) as caught:
        resolve_config({} if isinstance(wrong, str) else wrong, file=file)
    assert file is None or caught.value.message.startswith(f"{file}: ")
    return caught.value


VALUES = {
    "style plian": '--style is "plian", expected smooth, rhythm, plain or off',
    "passes 6": '--passes is "6", expected auto or a whole number from 0 to 5',
    "passes 1.5": '--passes is "1.5", expected auto or',
    "tail streched": '--tail is "streched", expected hold or stretch',
    "flow_scale 2": '--scale is "2", expected 1, 0.5, 0.25, auto, or by',
    "cut_threshold 7": '--cut-threshold is "7", expected a number from 0 to 1',
    "cut_threshold nan": "expected a number from 0 to 1",
    "hwaccel vapi": "expected auto, vaapi, cuda or none",
    "vaapi_device renderD128": "expected auto, a render node (/dev/dri/renderD128)",
    "deinterlace of": '--deinterlace is "of", expected auto, on, off or ivtc',
    "device gpu": "expected auto, cpu, cuda, cuda:N, rocm or rocm:N",
    "fps fast": '--fps: "fast" is not a frame rate',
}
"""A setting and what was typed: what is said of it."""

FILES = {
    'stile = "off"': 'there is no key "stile", expected preset, model',
    'style = "offf"': 'style is "offf", expected smooth, rhythm, plain or off',
    "model = true": "model is True, expected one value in the form 'auto'",
    'device = ["cpu"]': "expected one value",
    "style = off": "is not TOML",
    'preset = "cpuu"': 'preset is "cpuu", expected cpu, default or quality',
    "mpv = 3": "mpv must be a table",
    '[mpv]\n"a b" = 1': 'mpv option, got "a b"',
}
"""The text of a file: what is said of it."""


@pytest.mark.parametrize("given", VALUES)
def test_a_wrong_value_is_named_with_its_option_and_the_choices(tmp_path: Path, given: str) -> None:
    key, typed = given.split()
    assert VALUES[given] in refused(tmp_path, {key: typed}).message


@pytest.mark.parametrize("text", FILES)
def test_a_wrong_file_is_named_with_its_key_and_the_choices(tmp_path: Path, text: str) -> None:
    assert FILES[text] in refused(tmp_path, text).message


SLIPS = (
    "style plian plain",
    "tail streched stretch",
    "hwaccel vapi vaapi",
    "deinterlace of off",
    "device gpu cpu",
    "fps fast display",
)
"""A setting, what was typed, and what was meant."""


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_of_the_pen_is_answered_with_what_is_near(tmp_path: Path, slip: str) -> None:
    key, typed, meant = slip.split()
    assert meant in refused(tmp_path, {key: typed}).hint


def test_slips_in_a_file_are_answered_alike(tmp_path: Path) -> None:
    assert "style" in refused(tmp_path, 'stile = "off"').hint
    assert "off" in refused(tmp_path, 'style = "offf"').hint
    assert "cpu" in refused(tmp_path, 'preset = "cpuu"').hint


def test_unknown_model_is_its_own_error() -> None:
    with pytest.raises(UnknownModel, match='--model: there is no model "cell"') as caught:
        resolve_config({"model": "cell"})
    assert "cel" in caught.value.hint


def test_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rtvfi.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not TOML"):
        resolve_config({}, file=file)


def test_missing_file_of_the_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTVFI_CONFIG", "/nowhere/x.toml")
    with pytest.raises(UsageError, match="RTVFI_CONFIG"):
        config.user_file()


def test_own_file_is_found_where_settings_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RTVFI_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config.user_file() is None
    (tmp_path / "rtvfi").mkdir()
    file = toml(tmp_path / "rtvfi", "")
    assert config.user_file() == file


# --- to TOML and back ------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["cel", "linear", "copy"]),
        "fps": st.sampled_from(["2x", "2.5x", "60", "60000/1001", "display"]),
        "flow_scale": st.sampled_from(["auto", "1", 0.5, "0.25"]),
        "compile": st.sampled_from(FORMS),
        "overlap": st.sampled_from(OVERLAPS),
        "cut_threshold": st.floats(0, 1),
        "hwaccel": st.sampled_from(HWACCELS),
    },
)
FOR_MPV = st.fixed_dictionaries(
    {},
    optional={
        "vf-add": st.lists(TEXT, min_size=2, max_size=3).map(tuple),
        "script-opts": st.tuples(TEXT),
        "fs": st.tuples(TEXT),
    },
)


@given(CHOICES, FOR_MPV, st.sampled_from(config.presets()))
def test_printed_configuration_gives_itself_again(
    tmp_path_factory: pytest.TempPathFactory, chosen: dict[str, Value], mpv: Given, preset: str
) -> None:
    def values(made: Config) -> dict[str, Value | tuple[str, ...]]:
        mpv = {f"mpv.{name}": entry.values for name, entry in made.mpv.items()}
        entries = {key: entry.value for key, entry in made.entries.items()}
        return {"preset": made.preset.value, **entries, **mpv}

    first = resolve_config(chosen, preset, mpv=mpv)
    file = toml(tmp_path_factory.mktemp("printed"), first.to_toml())
    assert values(resolve_config({}, file=file)) == values(first)


# --- hardware --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "guess"),
    [
        ((), "cpu"),
        (("dev/kfd",), "rocm"),
        (("proc/driver/nvidia/version",), "cuda"),
        (("proc/driver/nvidia/version", "dev/kfd"), "cuda"),
    ],
)
def test_drivers_tell_the_hardware(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: tuple[str, ...], guess: str
) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: "2.13.0+anything")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert hardware_guess(tmp_path) == guess


def test_torch_built_for_the_cpu_finds_no_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: "2.13.0+cpu")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    assert hardware_guess(tmp_path) == "cpu"


# --- the options of the rooms ----------------------------------------------------------------


def test_values_reach_the_options(tmp_path: Path) -> None:
    file = toml(tmp_path, "[mpv]\nfs = true\nvolume = 50\n")
    said = {
        "flow_scale": "0.25",
        "style": "off",
        "compile": "graph",
        "overlap": "on",
        "hwaccel": "none",
        "deinterlace": "on",
    }
    made = resolve_config(said, file=file, mpv={"volume": ("70",)})
    options = play_options(made, ("a.mkv",), "25%")
    assert options.stream.flow_scale == 0.25
    assert (options.stream.style, options.stream.form) == ("off", "graph")
    assert options.stream.overlap == "on"
    assert (options.source.hwaccel, options.source.deinterlace) == ("none", "on")
    assert options.mpv == (("fs", "yes"), ("volume", "70"))
    assert (options.files, options.start, options.fps) == (("a.mkv",), "25%", "display")


def test_automatic_flow_scale_is_none() -> None:
    assert play_options(resolve_config({}), ("a",)).stream.flow_scale is None


@pytest.mark.parametrize("report", ["no/such/folder.json", "."])
def test_report_that_cannot_be_written_is_refused_at_once(tmp_path: Path, report: str) -> None:
    with pytest.raises(RtvfiError, match="the report"):
        play_options(resolve_config({}), ("a",), report=tmp_path / report)
