from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import types
from typing import TYPE_CHECKING

import pytest
from fakes import raising

from rtvfi.cli import main as cli
from rtvfi.cli.commands import play as play_command
from rtvfi.core.errors import DecodeError
from rtvfi.models.catalogue import MODELS

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.settings.config import PlayOptions


pytestmark = pytest.mark.usefixtures("logging_restored")


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[PlayOptions]:
    """What a player that does nothing was asked to play."""
    asked: list[PlayOptions] = []
    player = types.ModuleType("rtvfi.player")
    player.play = lambda options: asked.append(options) or 0  # type: ignore[attr-defined,func-returns-value]
    monkeypatch.setitem(sys.modules, "rtvfi.player", player)
    return asked


@pytest.fixture
def film(tmp_path: Path) -> str:
    path = tmp_path / "film.mkv"
    path.touch()
    return str(path)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = cli.main(arguments)
    captured = capsys.readouterr()
    assert captured.out == ""
    return code, captured.err.splitlines()


# --- play ------------------------------------------------------------------------------------


def test_options_reach_the_player(played: list[PlayOptions], film: str, tmp_path: Path) -> None:
    words = ["--fps", "3x", "--model", "copy", "--device", "cpu", "--style", "off"]
    words += ["--vaapi-device", "/dev/dri/renderD129"]
    words += ["--scale", "0.25", "--hwaccel", "none", "--cut-threshold", "0.5"]
    more = ["--start", "1:30", "--mpv", "fs", "--mpv", "title=a=b"]
    report = tmp_path / "report.json"
    assert cli.main(["play", film, *words, *more, "--report", str(report)]) == 0
    (options,) = played
    assert options.files == (film,)
    assert (options.fps, options.model, options.device) == ("3x", "copy", "cpu")
    assert (options.stream.style, options.stream.flow_scale) == ("off", 0.25)
    assert options.stream.cut_threshold == 0.5
    assert (options.source.hwaccel, options.start) == ("none", "1:30")
    assert options.source.vaapi_device == "/dev/dri/renderD129"
    assert options.mpv == (("fs", "yes"), ("title", "a=b"))
    assert options.report == report


def test_without_a_file_the_demo_is_played(
    played: list[PlayOptions], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(play_command, "data_path", lambda kind, name: tmp_path / kind / name)
    cli.main(["play"])
    assert played[0].files == (str(tmp_path / "weights" / "demo.mkv"),)


def test_file_after_two_dashes_may_begin_with_one(
    played: list[PlayOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "-film.mkv").touch()
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        assert cli.main(["play", "--", "-film.mkv"]) == 0
    assert played[0].files == ("-film.mkv",)


def test_exit_code_of_the_player_is_ours(
    monkeypatch: pytest.MonkeyPatch, played: list[PlayOptions], film: str
) -> None:
    monkeypatch.setattr(sys.modules["rtvfi.player"], "play", lambda _: 1)
    assert cli.main(["play", film]) == 1
    assert played == []


@pytest.mark.parametrize("start", ["90", "1:30", "1:02:03.5", "-30", "25%", "#2"])
def test_start_takes_mpvs_times(played: list[PlayOptions], film: str, start: str) -> None:
    assert cli.main(["play", film, f"--start={start}"]) == 0
    assert played[0].start == start


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["pley"], 'there is no command "pley"', 'did you mean "play"?'),
        (["play", "--sytle", "off"], 'there is no option "--sytle"', 'did you mean "--style"?'),
        (
            ["play", "--fullscreen=yes"],
            'there is no option "--fullscreen"',
            "--mpv fullscreen=VALUE",
        ),
        (["models", "--xyzzy"], 'there is no option "--xyzzy"', "rtvfi models --help"),
        (["models", "extra"], 'unexpected argument "extra"', "rtvfi models --help"),
        (["--versoin"], 'there is no option "--versoin"', 'did you mean "--version"?'),
        (["weights", "gett"], 'there is no action "gett", expected list, get', 'mean "get"?'),
        (["play", "--fps"], "argument --fps: expected one argument", "rtvfi play --help"),
        (["play", "--style", "plan"], '--style is "plan"', 'did you mean "plain"?'),
        (["play", "--start", "soon"], '--start is "soon", expected seconds', None),
        (["play", "--mpv", "=1"], "--mpv: expected NAME=VALUE", None),
        (["config", "--preset", "cpuu"], '--preset is "cpuu", expected cpu', 'mean "cpu"?'),
    ],
)
def test_wrong_usage_is_two_lines_and_exit_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], error: str, hint: str | None
) -> None:
    code, lines = refusal(capsys, *arguments)
    assert code == 2
    assert lines[0].startswith(f"error: {error}")
    assert len(lines) == (2 if hint else 1)
    assert hint is None or (lines[1].startswith("hint: ") and hint in lines[1])


def test_file_in_place_of_a_command_gets_the_command(
    capsys: pytest.CaptureFixture[str], film: str
) -> None:
    assert refusal(capsys, film)[1][1] == f'hint: rtvfi play "{film}"'


def test_missing_file_is_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = refusal(capsys, "play", "no-such-film.mkv")
    assert (code, lines) == (1, ['error: there is no file "no-such-film.mkv"'])


def test_report_is_checked_before_playing(
    played: list[PlayOptions], film: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = refusal(capsys, "play", film, "--report", "/no/such/folder/r.json")
    assert code == 1
    assert "the report" in lines[0]
    assert played == []


@pytest.mark.parametrize("debug", [False, True])
def test_debug_adds_the_traceback(
    monkeypatch: pytest.MonkeyPatch,
    played: list[PlayOptions],
    film: str,
    capsys: pytest.CaptureFixture[str],
    debug: bool,
) -> None:
    monkeypatch.setattr(
        sys.modules["rtvfi.player"], "play", raising(DecodeError("broken", hint="another file"))
    )
    code = cli.main(["play", film, "--device", "cpu", *(["--debug"] if debug else [])])
    lines = capsys.readouterr().err.splitlines()
    assert (code, lines[-2:]) == (1, ["error: broken", "hint: another file"])
    assert any("Traceback" in line for line in lines) == debug


def test_a_bug_is_not_dressed_up(
    monkeypatch: pytest.MonkeyPatch, played: list[PlayOptions], film: str
) -> None:
    monkeypatch.setattr(sys.modules["rtvfi.player"], "play", raising(TypeError("a bug")))
    with pytest.raises(TypeError):
        cli.main(["play", film])


def test_interrupt_is_130(
    monkeypatch: pytest.MonkeyPatch, played: list[PlayOptions], film: str
) -> None:
    monkeypatch.setattr(sys.modules["rtvfi.player"], "play", raising(KeyboardInterrupt))
    assert cli.main(["play", film]) == 130


# --- the other commands ----------------------------------------------------------------------


def test_models_lists_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == list(MODELS)
    assert next(row["available"] for row in rows if row["id"] == "linear") is True
    cli.main(["models"])
    _, *listed, hint = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(MODELS)
    assert "rtvfi weights get" in hint


def test_config_prints_toml_with_origins(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", "--style", "off", "--mpv", "volume=50"]) == 0
    printed = capsys.readouterr().out
    table = tomllib.loads(printed)
    assert (table["style"], table["mpv"]) == ("off", {"volume": "50"})
    assert any("style" in x and x.endswith("# command line") for x in printed.splitlines())


def test_config_names_the_users_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RTVFI_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    own = tmp_path / "rtvfi" / "rtvfi.toml"
    cli.main(["config"])
    assert capsys.readouterr().out.startswith(f"# your own settings: {own} (does not exist yet)\n")
    own.parent.mkdir()
    own.write_text('style = "off"\n')
    cli.main(["config"])
    printed = capsys.readouterr().out
    assert printed.startswith(f"# your own settings: {own}\n")
    assert re.search(rf'^style = "off" +# {re.escape(str(own))}$', printed, re.MULTILINE)


@pytest.mark.parametrize("command", [[], *([row.name] for row in cli.COMMANDS)])
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert cli.main([*command, "--help"]) == 0
    assert "usage: rtvfi" in capsys.readouterr().out


def test_alone_it_prints_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "COMMAND" in capsys.readouterr().out


def test_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"rtvfi {project['version']}\n"
    assert cli.main(["version"]) == 0
    assert "torch " in capsys.readouterr().out


# --- as a process ----------------------------------------------------------------------------


def test_exit_code_leaves_the_process(root: Path) -> None:
    command = [sys.executable, "-m", "rtvfi", "play", "--style", "x"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: --style")


def test_without_libmpv_its_package_is_named(root: Path) -> None:
    program = (
        "import ctypes.util, sys; from rtvfi.cli import main as cli\n"
        "ctypes.util.find_library = lambda name: None\n"
        "sys.exit(cli.main(['play', '--device', 'cpu']))"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    error, hint = result.stderr.splitlines()
    assert error == "error: libmpv was not found"
    assert "libmpv2" in hint


def test_reader_that_leaves_is_no_error(root: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-m", "rtvfi", "models"],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.close()
    assert writer.stderr.read() == b""
    writer.stderr.close()
    assert writer.wait() == 0
