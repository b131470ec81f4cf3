from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from fakes import raising

from rtvfi.cli import main as cli
from rtvfi.core import logs
from rtvfi.core.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("logging_restored")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["models"], None),
        (["--log-file", "a", "models"], "a"),
        (["models", "--log-file=b c"], "b c"),
        (["models", "--log-file", "a", "--log-file", "b"], "b"),
        (["play", "--", "--log-file", "a"], None),
    ],
)
def test_its_name_is_read_wherever_it_stands(words: list[str], name: str | None) -> None:
    assert logs.log_file(words) == name


@pytest.mark.parametrize("words", [["models", "--log-file"], ["models", "--log-file="]])
def test_a_log_without_a_name_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match="needs the name of a file"):
        logs.log_file(words)


def test_the_log_tells_the_command_and_more_than_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rtvfi.log"
    logs.configure(is_debug=False, file=str(file))
    logging.getLogger("rtvfi.player").info("for everybody")
    logging.getLogger("rtvfi.player").debug("for the log")
    assert capsys.readouterr().err == "for everybody\n"
    text = file.read_text()
    assert "MainThread rtvfi.player: for everybody" in text
    assert "DEBUG   MainThread rtvfi.player: for the log" in text


def test_a_failure_is_in_the_log_with_its_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rtvfi.log"
    assert cli.main(["play", "no-such-film.mkv", "--log-file", str(file)]) == 1
    assert capsys.readouterr().err == 'error: there is no file "no-such-film.mkv"\n'
    text = file.read_text()
    assert "play no-such-film.mkv --log-file" in text
    assert "Traceback" in text
    assert "OpenError" in text


def test_a_mistake_of_rtvfi_is_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_run", raising(ZeroDivisionError))
    file = tmp_path / "rtvfi.log"
    with pytest.raises(ZeroDivisionError):
        cli.main(["--log-file", str(file), "models"])
    assert "ZeroDivisionError" in file.read_text()


def test_every_command_takes_one_before_or_after_its_name(tmp_path: Path) -> None:
    file = tmp_path / "rtvfi.log"
    for words in (["--log-file", str(file), "config"], ["config", "--log-file", str(file)]):
        file.unlink(missing_ok=True)
        assert cli.main(words) == 0
        assert file.exists()


def test_a_log_is_written_over_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rtvfi.log"
    for _ in range(2):
        assert cli.main(["config", "--log-file", str(file)]) == 0
    assert file.read_text().count("config --log-file") == 1
    film = tmp_path / "film.mkv"
    film.write_bytes(b"a film")
    capsys.readouterr()
    assert cli.main(["play", "--log-file", str(film)]) == 2
    assert "is not a log of rtvfi" in capsys.readouterr().err
    assert film.read_bytes() == b"a film"


def test_a_log_that_cannot_be_written_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--log-file", "/no/such/folder/x.log"]) == 1
    assert capsys.readouterr().err.startswith(
        'error: the log "/no/such/folder/x.log" cannot be written: No such file'
    )
