from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import torch
from made_weights import constant_state

from rtvfi.cli.main import main
from rtvfi.core.errors import WeightsMissing
from rtvfi.models.weights.store import Store, manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clips import Clips

    from rtvfi.models.weights.store import WeightEntry

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
    assert [line.split()[1] for line in listed.splitlines() if LITE in line] == ["installed"]


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
    assert "this is not the published file" in out


def test_verify_tells_good_from_changed_and_fails(rtvfi: Run, given: str) -> None:
    rtvfi("weights", "add", given)
    assert rtvfi("weights", "verify") == (0, f"{LITE}: good\n", "")
    with Store().path(LITE).open("ab") as file:
        file.write(b"x")
    assert rtvfi("weights", "verify", LITE)[:2] == (
        1,
        f"{LITE}: it has changed since it was stored\n",
    )
    assert rtvfi("weights", "verify", "drba")[1] == "rife-4.25: not installed\n"


def test_path_prints_the_folder_or_the_file(rtvfi: Run, given: str) -> None:
    assert rtvfi("weights", "path")[1].strip() == str(Store().folder)
    code, _, err = rtvfi("weights", "path", LITE)
    assert code == 1
    assert (
        err == f'error: the weights of "{LITE}" are not installed\nhint: rtvfi weights get {LITE}\n'
    )
    rtvfi("weights", "add", given)
    assert rtvfi("weights", "path", LITE)[1].strip() == str(Store().path(LITE))


def test_get_does_not_fetch_what_is_here(rtvfi: Run, given: str) -> None:
    rtvfi("weights", "add", given)
    assert rtvfi("weights", "get", LITE) == (0, f"{LITE} is already installed\n", "")


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
        'error: the weights of "rife-4.25" are not installed',
        "hint: rtvfi weights get rife-4.25",
    ]


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what would have been fetched."""
    names: list[str] = []

    def fetch(_store: Store, entry: WeightEntry, _progress: object) -> None:
        names.append(entry.name)
        raise WeightsMissing("no network here")

    monkeypatch.setattr("rtvfi.cli.commands.weights.fetch", fetch)
    return names


def test_terms_of_a_licence_are_shown_and_refused_without_a_word(
    rtvfi: Run, fetched: list[str]
) -> None:
    code, out, err = rtvfi("weights", "get", "gimm")
    assert code == 2
    assert "non-commercial" in out
    assert "hint: rtvfi weights get gimm --accept-licence" in err
    assert fetched == []


def test_terms_are_accepted_once_and_not_asked_for_again(rtvfi: Run, fetched: list[str]) -> None:
    _, out, _ = rtvfi("weights", "get", "gimm", "--accept-licence")
    assert "non-commercial" in out
    _, again, _ = rtvfi("weights", "get", "gimm-base")
    assert "non-commercial" not in again
    assert fetched == ["gimm", "gimm-base"]


@pytest.mark.parametrize(("answer", "num"), [("y", 1), ("", 0), ("no", 0)])
def test_at_a_terminal_the_terms_are_asked_about(
    answer: str, num: int, rtvfi: Run, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _question: answer)
    rtvfi("weights", "get", "gimm")
    assert len(fetched) == num


def test_what_only_a_browser_gets_is_said_with_its_address(rtvfi: Run) -> None:
    code, _, err = rtvfi("weights", "get", "safa")
    assert code == 1
    assert "https://drive.google.com/file/d/1OLO9hLV97ZQ4uRV2-aQqgnwhbKMMt6TX/view" in err
    assert "rtvfi weights add FILE --as safa" in err


@pytest.mark.parametrize(("network", "name"), [("safa 0.5", "safa"), ("gimm r", "gimm-base")])
def test_files_as_the_reference_programs_have_them_are_known(
    network: str, name: str, rtvfi: Run, tmp_path: Path
) -> None:
    path = tmp_path / "flownet.pkl"
    state = {f"module.{key}": value for key, value in constant_state(network).items()}
    if name == "safa":
        torch.save(state, path)
    else:
        counters = {"flow_estimator.cnet.norm1.num_batches_tracked": torch.tensor(0)}
        whole = {key.removeprefix("module."): value for key, value in state.items()}
        torch.save({"state_dict": whole | counters, "epoch": 3}, path)
    code, out, _ = rtvfi("weights", "add", str(path), "--as", name)
    assert code == 0
    assert network in out
    assert ("non-commercial" in out) == (name == "gimm-base")


def test_the_folder_of_gimm_holds_one_file_that_counts(rtvfi: Run, tmp_path: Path) -> None:
    folder = tmp_path / "gimmvfi"
    folder.mkdir()
    torch.save({"state_dict": constant_state("gimm r")}, folder / "gimmvfi_r_arb_lpips.pt")
    torch.save({"module.fnet.conv1.bias": torch.zeros(64)}, folder / "raft-things.pth")
    code, out, _ = rtvfi("weights", "add", str(folder), "--as", "gimm")
    assert code == 0
    assert "gimm r" in out
