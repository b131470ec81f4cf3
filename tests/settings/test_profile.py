from __future__ import annotations

import logging
import math
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest

from rtvfi.cli import main as cli
from rtvfi.cli.grammar import config_of
from rtvfi.core.errors import RtvfiError
from rtvfi.core.hardware import machine
from rtvfi.settings.config import play_options, resolve_config
from rtvfi.settings.keys import scales_by_size
from rtvfi.settings.profile import Profile, profile_file, read_profile, save_profile

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.settings.config import PlayOptions

SETTINGS = {
    "model": "cel",
    "device": "auto",
    "style": "smooth",
    "fps": "60",
    "flow_scale": "854x480:1,0.5",
    "compile": "auto",
}


def made(**changes: Any) -> Profile:
    name = changes.pop("machine", machine.fingerprint())
    return Profile(machine=name, date="2031-02-03", settings={**SETTINGS, **changes})


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


# --- the file --------------------------------------------------------------------------------


def test_what_is_saved_is_read(data: Path) -> None:
    assert read_profile() == (None, "")
    path = save_profile(made())
    assert path == profile_file()
    assert data in path.parents
    assert read_profile() == (made(), "")
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_names_with_quotes_come_back(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "fingerprint", lambda: 'a "CPU" \\ 9000\t')
    save_profile(made())
    assert read_profile() == (made(), "")


def test_that_of_another_machine_is_not_used(data: Path) -> None:
    save_profile(made(machine="another"))
    profile, why_not = read_profile()
    assert profile is None
    assert "another machine: run rtvfi bench --save again" in why_not


@pytest.mark.parametrize(
    "text",
    [
        "",
        "machine = 'x'",
        "not TOML",
        "machine = 'x'\ndate = 'x'\nsettings = 3",
        "machine = 'x'\ndate = 'x'\n[settings]\nmodel = 'cel'",
    ],
)
def test_one_that_cannot_be_read_is_no_obstacle(data: Path, text: str) -> None:
    profile_file().parent.mkdir(parents=True)
    profile_file().write_text(text, encoding="utf-8")
    profile, why_not = read_profile()
    assert profile is None
    assert "cannot be read" in why_not


def test_values_that_no_longer_exist_are_no_obstacle(data: Path) -> None:
    save_profile(made(style="no-such-style"))
    assert "cannot be read" in read_profile()[1]


def test_a_folder_that_cannot_be_made_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(RtvfiError, match="cannot be written"):
        save_profile(made())


# --- among the other layers ------------------------------------------------------------------


def test_it_stands_between_preset_and_own_file(tmp_path: Path) -> None:
    file = tmp_path / "rtvfi.toml"
    file.write_text("fps = '3x'", encoding="utf-8")
    config = resolve_config({"style": "off"}, file=file, profile=made())
    got = {key: (config.entries[key].value, config.entries[key].origin) for key in SETTINGS}
    assert got["fps"] == ("3x", str(file))
    assert got["style"] == ("off", "command line")
    assert got["flow_scale"] == ("854x480:1,0.5", "bench 2031-02-03")
    assert config.profile == made()


@pytest.mark.parametrize(
    ("said", "preset"), [({"model": "linear"}, None), ({"device": "cpu"}, None), ({}, "quality")]
)
def test_who_asks_for_something_else_gets_nothing_of_it(
    said: dict[str, str], preset: str | None
) -> None:
    config = resolve_config(said, preset, profile=made())
    assert config.profile is None
    assert not any(entry.origin.startswith("bench") for entry in config.entries.values())


def test_a_preset_in_the_own_file_wins(tmp_path: Path) -> None:
    file = tmp_path / "rtvfi.toml"
    file.write_text("preset = 'quality'", encoding="utf-8")
    assert resolve_config({}, file=file, profile=made()).profile is None


def test_play_uses_it_and_says_so_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[PlayOptions] = []
    player = types.ModuleType("rtvfi.player")
    player.play = lambda options: asked.append(options) or 0  # type: ignore[attr-defined,func-returns-value]
    monkeypatch.setitem(sys.modules, "rtvfi.player", player)
    film = tmp_path / "film.mkv"
    film.touch()
    arguments = cli.build_parser().parse_args(["play", str(film), "--engine", "inside"])
    with caplog.at_level(logging.INFO, "rtvfi"):
        save_profile(made())
        arguments.run(arguments)
        assert caplog.messages == ["using settings measured by rtvfi bench on 2031-02-03"]
        caplog.clear()
        save_profile(made(machine="another"))
        arguments.run(arguments)
    assert sum("another machine" in line for line in caplog.messages) == 1
    assert [options.fps == "60" for options in asked] == [True, False]


def test_config_names_its_origin(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_profile(made())
    arguments = cli.build_parser().parse_args(["config"])
    arguments.run(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.endswith("# bench 2031-02-03") for line in lines) == len(SETTINGS)


def test_it_is_not_for_rendering(data: Path) -> None:
    save_profile(made())
    arguments = cli.build_parser().parse_args(["render", "film.mkv"])
    assert config_of(arguments).profile is None
    assert config_of(arguments, is_live=True).profile == made()


# --- a scale for every size ------------------------------------------------------------------


def test_a_scale_by_size_is_taken_for_pictures_up_to_it() -> None:
    assert scales_by_size("854x480:1, 1920x1080:0.5,0.25") == (
        (854 * 480, 1.0),
        (1920 * 1080, 0.5),
        (math.inf, 0.25),
    )
    stream = play_options(resolve_config({}, profile=made()), ("a.mkv",)).stream
    assert (stream.flow_scale, stream.flow_scales) == (None, ((854 * 480, 1.0), (math.inf, 0.5)))


@pytest.mark.parametrize(
    "text", ["854x480:1", "854x480:2,1", "x480:1,0.5", "9x9:1,5x5:0.5,0.25", "1,", ",1", "1,0.5"]
)
def test_a_scale_by_size_is_checked(text: str) -> None:
    with pytest.raises(ValueError, match=r"1920x1080:1,0\.5"):
        scales_by_size(text)
