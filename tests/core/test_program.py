from __future__ import annotations

import pytest

from rtvfi.cli import main as cli
from rtvfi.core.program import command_line


def test_a_command_line_begins_as_the_user_began_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command_line("doctor") == "rtvfi doctor"
    monkeypatch.setenv("RTVFI_COMMAND", "./run")
    assert command_line("doctor") == "./run doctor"
    monkeypatch.setenv("RTVFI_COMMAND", "/home/me/my films/run")
    assert command_line("doctor") == "'/home/me/my films/run' doctor"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["play", "--model", "rife-4.25", __file__], "hint: ./run weights get rife-4.25"),
        (["play", "--model", "xyzzy", __file__], "hint: ./run models lists them"),
        (["models", "--xyzzy"], "hint: ./run models --help"),
        ([__file__], f'hint: ./run play "{__file__}"'),
        (["models"], "./run weights get MODEL"),
        (["play", "--help"], "usage: ./run play "),
        (["play", "--help"], "\n  ./run play film.mkv\n"),
        (["--help"], "usage: ./run "),
    ],
)
def test_in_a_checkout_it_is_the_launcher(
    arguments: list[str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RTVFI_COMMAND", "./run")
    monkeypatch.setenv("XDG_CACHE_HOME", "/nonexistent")
    cli.main(arguments)
    said = "".join(capsys.readouterr())
    assert expected in said
    assert "rtvfi models" not in said
