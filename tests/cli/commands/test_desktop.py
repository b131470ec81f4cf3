from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from rtvfi.cli import main as cli
from rtvfi.cli.commands import desktop

if TYPE_CHECKING:
    from pathlib import Path

ODD = '/home/a "b" $c 100%/back\\slash/run'


@pytest.fixture
def entry_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the entry goes in this test."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("RTVFI_RUN", "/home/somebody/rtvfi/run")
    return tmp_path / "applications" / "rtvfi.desktop"


def key(text: str, name: str) -> str:
    (value,) = [v for line in text.splitlines() for k, _, v in [line.partition("=")] if k == name]
    return value


def test_it_is_put_there_and_taken_away(entry_file: Path) -> None:
    assert cli.main(["desktop", "--install"]) == 0
    assert key(entry_file.read_text(), "Exec") == '"/home/somebody/rtvfi/run" play -- %U'
    assert cli.main(["desktop", "--install"]) == 0
    assert cli.main(["desktop", "--remove"]) == 0
    assert not entry_file.exists()
    assert cli.main(["desktop", "--remove"]) == 0
    assert cli.main(["desktop", "--install"]) == 0
    assert cli.main(["desktop", "--uninstall"]) == 0
    assert not entry_file.exists()


def test_alone_it_prints_the_entry(entry_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["desktop"]) == 0
    assert capsys.readouterr().out == desktop.entry(["/home/somebody/rtvfi/run"])
    assert not entry_file.exists()


@pytest.mark.parametrize("program", ["/usr/bin/rtvfi", ODD])
def test_the_entry_is_valid(tmp_path: Path, program: str) -> None:
    validate = shutil.which("desktop-file-validate")
    if validate is None:
        pytest.skip("no desktop-file-validate")
    file = tmp_path / "rtvfi.desktop"
    file.write_text(desktop.entry([program]))
    result = subprocess.run([validate, file], capture_output=True, text=True, check=False)
    assert result.stdout + result.stderr == ""


def test_a_checkout_may_lie_anywhere() -> None:
    line = key(desktop.entry([ODD]), "Exec")
    # The escapes of a value, then %; quotes are those of the shell.
    words = line.replace("\\\\", "\\").replace("%%", "%")
    command = ["sh", "-c", f"printf '%s\\n' {words}"]
    read = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert read.splitlines() == [ODD, "play", "--", "%U"]


@pytest.mark.parametrize("option", ["--install", "--remove"])
def test_what_cannot_be_changed_is_one_sentence(
    entry_file: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if option == "--install":
        entry_file.parent.write_text("a file where a folder belongs")
    else:
        entry_file.mkdir(parents=True)
    assert cli.main(["desktop", option]) == 1
    assert 'rtvfi.desktop" cannot be changed: ' in capsys.readouterr().err
