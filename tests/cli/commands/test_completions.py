"""What the shells themselves make of the scripts."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from rtvfi.cli import main as cli
from rtvfi.cli.commands.completions import SHELLS, script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Complete = Callable[[str, Path], set[str]]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a film and a folder of films in it."""
    (tmp_path / "a film.mkv").touch()
    (tmp_path / "fo").mkdir()
    return tmp_path


def bash(line: str, folder: Path) -> set[str]:
    """The words bash offers for the end of a line."""
    words = shlex.split(line.replace("=", " = ")) + ([""] if line.endswith((" ", "=")) else [])
    program = f"{script('bash', cli.build_parser())}\n"
    program += f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}\n"
    program += "_rtvfi; printf '%s\\n' \"${COMPREPLY[@]}\""
    return offered(["bash", "-c", program], folder)


def fish(line: str, folder: Path) -> set[str]:
    """The same with fish, without the words' meanings."""
    program = f"{script('fish', cli.build_parser())}\ncomplete -C {shlex.quote(line)}"
    command = ["fish", "--no-config", "-c", program]
    return {word.partition("\t")[0] for word in offered(command, folder)}


def offered(command: list[str], folder: Path) -> set[str]:
    # fish makes itself a folder there
    environ = {**os.environ, "XDG_DATA_HOME": str(folder / ".data")}
    result = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True, env=environ
    )
    assert result.stderr == ""
    return set(result.stdout.splitlines()) - {""}


@pytest.fixture(params=["bash", "fish"])
def complete(request: pytest.FixtureRequest) -> Complete:
    if not shutil.which(request.param):
        pytest.skip(f"no {request.param}")
    return {"bash": bash, "fish": fish}[request.param]


def test_commands_are_completed(complete: Complete, here: Path) -> None:
    assert complete("rtvfi pl", here) == {"play"}
    assert complete("rtvfi ", here) >= {command.name for command in cli.COMMANDS}


def test_options_belong_to_their_command(complete: Complete, here: Path) -> None:
    assert complete("rtvfi play --sty", here) == {"--style"}
    assert complete("rtvfi models --sty", here) == set()


def test_values_are_completed(complete: Complete, here: Path) -> None:
    assert complete("rtvfi play --style s", here) == {"smooth"}
    assert complete("rtvfi render --encoder libx26", here) == {"libx264", "libx265"}
    assert "cel" in complete("rtvfi play --model ce", here)
    assert complete("rtvfi play --preset cp", here) == {"cpu"}
    assert complete("rtvfi completions f", here) == {"fish"}


def test_actions_are_completed(complete: Complete, here: Path) -> None:
    assert complete("rtvfi weights ve", here) == {"verify"}
    assert "rife-4.25" in complete("rtvfi weights get rife-4.2", here)


def test_files_are_completed(complete: Complete, here: Path) -> None:
    assert "fo" in {word.rstrip("/") for word in complete("rtvfi play fo", here)}
    assert "fo" in {word.rstrip("/") for word in complete("rtvfi play --record fo", here)}


def test_bash_takes_options_apart_at_the_equals_sign(here: Path) -> None:
    assert bash("rtvfi play --style=pl", here) == {"plain"}
    assert bash("rtvfi play --style=", here) == {"smooth", "rhythm", "plain", "off"}


def test_bash_keeps_names_with_spaces_whole(here: Path) -> None:
    assert bash("rtvfi play a", here) == {"a film.mkv"}


def test_zsh_takes_its_script(here: Path) -> None:
    if not shutil.which("zsh"):
        pytest.skip("no zsh")
    (here / "_rtvfi").write_text(script("zsh", cli.build_parser()))
    program = "fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; print $_comps[rtvfi]"
    assert offered(["zsh", "-f", "-c", program], here) == {"_rtvfi"}
    offered(["zsh", "-f", "-n", "_rtvfi"], here)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completions", shell]) == 0
    assert capsys.readouterr().out == script(shell, cli.build_parser())
