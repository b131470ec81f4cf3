from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import torch
from made_weights import constant_state

from rtvfi.cli.main import main
from rtvfi.models.weights.store import Store, manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clips import Clips

    Run = Callable[..., tuple[int, str, str]]

LITE = "rife-4.25.lite"


@pytest.fixture
def rtvfi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command with an empty store; exit code, stdout, stderr."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


@pytest.fixture
def given(tmp_path: Path) -> str:
    """A file that holds RIFE 4.25.lite."""
    path = tmp_path / "given.pkl"
    torch.save(constant_state("rife 4.25.lite"), path)
    return str(path)


def test_list_shows_every_file_and_which_are_here(rtvfi: Run, given: str) -> None:
    rtvfi("weights", "add", given)
    code, out, _ = rtvfi("weights", "list")
    rows = {line.split()[0]: line.split()[1] for line in out.splitlines()[1:-2]}
    assert code == 0
    others = {"cel": "yes", "drba": "yes"}  # DRBA runs with it
    assert rows == others | dict.fromkeys(manifest(), "no") | {LITE: "yes"}
    assert re.search(r"^cel .* comes with rtvfi ", out, re.MULTILINE)
    assert re.search(r"^drba .* as rife-4.25 ", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80


def test_an_added_file_makes_its_model_available(rtvfi: Run, given: str) -> None:
    code, out, _ = rtvfi("weights", "add", given)
    assert code == 0
    assert out == "rife-4.25.lite: 22.5 MB, licence MIT, rife 4.25.lite\n"
    _, listed, _ = rtvfi("models")
    assert [line.split()[1] for line in listed.splitlines() if LITE in line] == ["here"]


def test_a_file_that_is_not_the_published_one_is_taken_when_named(
    rtvfi: Run, tmp_path: Path
) -> None:
    path = tmp_path / "flownet_v4.25.pkl"
    torch.save(constant_state("rife 4.25"), path)
    code, out, err = rtvfi("weights", "add", str(path))
    assert (code, out) == (1, "")
    assert f"hint: if you trust it: rtvfi weights add {path} --as rife-4.25" in err
    code, out, _ = rtvfi("weights", "add", str(path), "--as", "rife-4.25")
    assert code == 0
    assert "it is not the published file" in out


def test_verify_tells_good_from_changed_and_fails(rtvfi: Run, given: str) -> None:
    rtvfi("weights", "add", given)
    assert rtvfi("weights", "verify") == (0, f"{LITE}: good\n", "")
    with Store().path(LITE).open("ab") as file:
        file.write(b"x")
    assert rtvfi("weights", "verify", LITE)[:2] == (
        1,
        f"{LITE}: it changed since it was stored\n",
    )
    assert rtvfi("weights", "verify", "drba")[1] == "rife-4.25: it is not here\n"


def test_path_prints_the_folder_or_the_file(rtvfi: Run, given: str) -> None:
    assert rtvfi("weights", "path")[1].strip() == str(Store().folder)
    code, _, err = rtvfi("weights", "path", LITE)
    assert code == 1
    assert err == f'error: weights for "{LITE}" are not here\nhint: rtvfi weights get {LITE}\n'
    rtvfi("weights", "add", given)
    assert rtvfi("weights", "path", LITE)[1].strip() == str(Store().path(LITE))


def test_get_does_not_fetch_what_is_here(rtvfi: Run, given: str) -> None:
    rtvfi("weights", "add", given)
    assert rtvfi("weights", "get", LITE) == (0, f"{LITE} is here already\n", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["get", "rife-4.255"], 'there is no model "rife-4.255"'),
        (["get", "cel"], "comes with rtvfi"),
        (["path", "linear"], "needs no weights"),
        (["add", "nowhere.pkl"], "is not a file"),
        ([], "ACTION"),
    ],
)
def test_mistakes_are_usage_errors(rtvfi: Run, words: list[str], message: str) -> None:
    code, out, err = rtvfi("weights", *words)
    assert (code, out) == (2, "")
    assert message in err


def test_play_without_weights_says_how_to_get_them(rtvfi: Run, clips: Clips) -> None:
    code, _, err = rtvfi("play", "--model", "rife-4.25", str(clips.get()))
    assert code == 1
    assert err.splitlines()[-2:] == [
        'error: weights for "rife-4.25" are not here',
        "hint: rtvfi weights get rife-4.25",
    ]
