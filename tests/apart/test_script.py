"""Our script in mpv's folder: put there, kept up to date, taken away; others stay as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rtvfi.apart.attached import SCRIPT_VERSION, attach
from rtvfi.apart.script import install, mpv_folder, uninstall
from rtvfi.cli import main as cli
from rtvfi.core.errors import RtvfiError, UsageError
from rtvfi.playing.controls import KEYS
from rtvfi.playing.mpv import menu
from rtvfi.settings.config import play_options, resolve_config

COMMAND = ["/opt/rtvfi/run"]


def test_the_folder_is_the_one_that_mpv_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.delenv("MPV_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert mpv_folder() == Path("/home/anna/.config/mpv")
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert mpv_folder() == Path("/home/anna/.config/mpv")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/anna")
    assert mpv_folder() == Path("/etc/anna/mpv")
    monkeypatch.setenv("MPV_HOME", "/srv/mpv")
    assert mpv_folder() == Path("/srv/mpv")


def test_an_installation_can_be_taken_away_whole(tmp_path: Path) -> None:
    written = install(tmp_path, COMMAND)
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "scripts/rtvfi.lua",
        "script-opts/rtvfi.conf",
    ]
    assert "\ncommand=/opt/rtvfi/run\n" in written[1].read_text()
    assert uninstall(tmp_path) == (written, [])
    assert uninstall(tmp_path) == ([], [])


def test_a_new_installation_keeps_settings_but_the_command(tmp_path: Path) -> None:
    script, conf = install(tmp_path, COMMAND)
    script.write_text("-- Smooth motion by rtvfi, an older one")
    conf.write_text("command=old\nstyle=plain\n# mine\n")
    install(tmp_path, ["python3", "-m", "rtvfi"])
    assert conf.read_text() == 'command=["python3", "-m", "rtvfi"]\nstyle=plain\n# mine\n'
    assert "an older one" not in script.read_text()
    gone, left = uninstall(tmp_path)
    assert (gone, left) == ([script], [conf])


def test_settings_without_a_command_get_one(tmp_path: Path) -> None:
    _, conf = install(tmp_path, COMMAND)
    conf.write_text("style=plain\n")
    install(tmp_path, COMMAND)
    assert conf.read_text() == "style=plain\ncommand=/opt/rtvfi/run\n"


def test_another_script_of_that_name_stays_as_it_is(tmp_path: Path) -> None:
    other = tmp_path / "scripts" / "rtvfi.lua"
    other.parent.mkdir()
    other.write_text("-- mine\n")
    for act in (lambda: install(tmp_path, COMMAND), lambda: uninstall(tmp_path)):
        with pytest.raises(RtvfiError, match="another script"):
            act()
    assert other.read_text() == "-- mine\n"


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "scripts").write_text("a file")
    with pytest.raises(RtvfiError, match=r"cannot be (read|written)"):
        install(tmp_path, COMMAND)


def test_the_command_installs_into_a_named_folder(tmp_path: Path, logging_restored: None) -> None:
    assert cli.main(["mpv", "--install", "--dir", str(tmp_path)]) == 0
    assert (tmp_path / "scripts" / "rtvfi.lua").is_file()
    assert cli.main(["mpv", "--uninstall", "--dir", str(tmp_path)]) == 0
    assert not (tmp_path / "scripts" / "rtvfi.lua").exists()


def test_the_command_wants_to_know_what_to_do(logging_restored: None) -> None:
    assert cli.main(["mpv"]) == 2


def test_a_script_of_another_version_is_refused_in_a_sentence() -> None:
    options = play_options(resolve_config({}, preset="default"), ())
    with pytest.raises(UsageError, match=f"version 0 and this rtvfi version {SCRIPT_VERSION}"):
        attach(options, None, "rtvfi", "0")  # type: ignore[arg-type]


def test_the_script_speaks_the_version_of_the_engine() -> None:
    script = Path(__file__).resolve().parents[2] / "rtvfi" / "apart" / "rtvfi.lua"
    assert f'local VERSION = "{SCRIPT_VERSION}"' in script.read_text()
    assert script.read_text().startswith("-- Smooth motion by rtvfi")


def test_the_script_binds_the_keys_of_our_own_window_and_has_its_menu() -> None:
    script = Path(__file__).resolve().parents[2] / "rtvfi" / "apart" / "rtvfi.lua"
    block = script.read_text().partition("local KEYS = {")[2].partition("\n}")[0]
    rows = re.findall(r'\{ "(\S+)", "(\S+)", "(.+)" \}', block)
    assert {key: (message, text) for key, message, text in rows} == KEYS
    assert f'local MENU = "{menu.TITLE}"' in script.read_text()
